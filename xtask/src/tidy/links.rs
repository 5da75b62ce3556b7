//! Documentation that can be followed: links lead to files and headings that are there, fences name their language.

use super::Finding;
use super::tree::Tree;

/// Every relative link of every page leads to a file or folder of the checkout, and to a heading in it.
pub(super) fn lead_somewhere(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".md"]) {
        for (line, target) in links(text) {
            if let Err(message) = follow(tree, path, target) {
                findings.push(Finding::new(path, line, format!("the link to `{target}` {message}")));
            }
        }
    }
    findings
}

/// A fence without a language would be taken for Rust by some readers and for plain text by others.
pub(super) fn fences_name_their_language(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".md"]) {
        let mut inside = false;
        for (at, line) in text.lines().enumerate() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                if !inside && language.trim().is_empty() {
                    findings.push(Finding::new(path, at + 1, "name the language: `rust`, `sh`, `text`, ..."));
                }
                inside = !inside;
            }
        }
    }
    findings
}

fn follow(tree: &Tree, from: &str, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    if target.starts_with('/') {
        return Err("must be relative".to_owned());
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() {
        from.to_owned()
    } else {
        resolve(from, file).ok_or("leads out of the checkout")?
    };
    if !tree.exists(&path) {
        return Err("leads nowhere".to_owned());
    }
    match (anchor, tree.text(&path)) {
        (Some(anchor), Some(text)) if path.ends_with(".md") && !anchors(text).any(|a| a == anchor) => {
            Err("names a heading that is not there".to_owned())
        }
        _ => Ok(()),
    }
}

/// `docs/a.md` + `../b.md` = `b.md`.
fn resolve(from: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[text](target)` outside of code, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        for (open, _) in line.match_indices("](") {
            let in_code = line[..open].matches('`').count() % 2 == 1;
            if let (false, Some(close)) = (in_code, line[open..].find(')')) {
                found.push((at + 1, line[open + 2..open + close].split(' ').next().unwrap_or_default()));
            }
        }
    }
    found
}

/// The anchors of a page's headings, as the usual renderers make them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        heading.replace(' ', "-").chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_nothing_are_found() {
        let page = "[a](docs/a.md) [b](docs/b.md)\n[c](docs/a.md#big-words) [d](docs/a.md#small)\n[e](/etc) [f](../x) \
                    [g](https://example.org) `[h](h)`\n```text\n[i](i)\n```\n[j](docs)\n";
        let tree =
            Tree::of(&[("README.md", page), ("docs/a.md", "# Big words!\n[up](../README.md) [k](k.md)\n")]);
        let found: Vec<_> = lead_somewhere(&tree).into_iter().map(|f| (f.path, f.line, f.message)).collect();
        let link = |path: &str, line, target: &str, what: &str| {
            (path.to_owned(), line, format!("the link to `{target}` {what}"))
        };
        assert_eq!(
            found,
            [
                link("README.md", 1, "docs/b.md", "leads nowhere"),
                link("README.md", 2, "docs/a.md#small", "names a heading that is not there"),
                link("README.md", 3, "/etc", "must be relative"),
                link("README.md", 3, "../x", "leads out of the checkout"),
                link("docs/a.md", 2, "k.md", "leads nowhere"),
            ]
        );
    }

    #[test]
    fn a_fence_without_language_is_found() {
        let tree = Tree::of(&[("a.md", "```sh\nls\n```\n\n```\nx\n```\n")]);
        let lines: Vec<_> = fences_name_their_language(&tree).iter().map(|f| f.line).collect();
        assert_eq!(lines, [5]);
    }
}
