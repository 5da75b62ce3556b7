//! What has no name has no room: there are no drawers.

use super::Finding;
use super::rust_text::{code_only, line_of, word_at};
use super::tree::Tree;

const DRAWERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

pub(super) fn no_drawers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".rs"]) {
        let mut parts = path.trim_end_matches(".rs").split('/');
        if let Some(name) = parts.find(|part| DRAWERS.contains(part)) {
            findings.push(Finding::new(
                path,
                0,
                format!("`{name}` says nothing: name it after what it holds"),
            ));
        }
        let code = code_only(text);
        let mut from = 0;
        while let Some(at) = word_at(&code, "mod", from) {
            from = at + 3;
            let name = code[from..].trim_start();
            let inline = DRAWERS.iter().find(|drawer| {
                name.strip_prefix(**drawer).is_some_and(|rest| rest.trim_start().starts_with('{'))
            });
            if let Some(name) = inline {
                let message = format!("the module `{name}` says nothing: name it after what it holds");
                findings.push(Finding::new(path, line_of(&code, at), message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_found_as_files_folders_and_modules() {
        let tree = Tree::of(&[
            ("crates/a/src/util.rs", ""),
            ("crates/a/src/common/x.rs", ""),
            ("crates/a/src/lib.rs", "mod utility;\n// mod util {\nmod helpers {\n}\n"),
        ]);
        let found: Vec<_> = no_drawers(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let place = |path: &str, line| (path.to_owned(), line);
        assert_eq!(
            found,
            [
                place("crates/a/src/common/x.rs", 0),
                place("crates/a/src/lib.rs", 3),
                place("crates/a/src/util.rs", 0)
            ]
        );
    }
}
