//! Just enough of TOML to read a package's manifest: sections and the keys in them.

use super::tree::Tree;

/// A key of a manifest, with the section it stands in and its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    pub(super) line: usize,
}

impl Key<'_> {
    /// The dependency this key declares (`a = ..`, `a.workspace = ..`, or a section `[dependencies.a]`), and whether
    /// only tests need it.
    pub(super) fn dependency(&self) -> Option<(&str, bool)> {
        let section = match self.section.strip_prefix("target.") {
            Some(rest) => {
                rest.rsplit_once("').").or_else(|| rest.split_once('.')).map_or(rest, |(_, section)| section)
            }
            None => self.section,
        };
        let (kind, name) = match section.split_once('.') {
            Some((kind, name)) => (kind, name),
            None => (section, self.key.split('.').next().unwrap_or(self.key)),
        };
        match kind {
            "dependencies" | "build-dependencies" => Some((name.trim_matches('"'), false)),
            "dev-dependencies" => Some((name.trim_matches('"'), true)),
            _ => None,
        }
    }
}

/// All keys of a manifest; values that go over several lines are cut at the first.
pub(super) fn keys(text: &str) -> Vec<Key<'_>> {
    let mut keys = Vec::new();
    let mut section = "";
    for (at, line) in text.lines().enumerate() {
        let line_text = line.trim();
        if let Some(name) = line_text.strip_prefix('[') {
            section = name.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
        } else if let Some((key, value)) = line_text.split_once('=').filter(|_| !line_text.starts_with('#')) {
            keys.push(Key { section, key: key.trim(), value: value.trim(), line: at + 1 });
        }
    }
    keys
}

/// The manifests of the workspace's packages, with the name of the folder each lies in.
pub(super) fn packages(tree: &Tree) -> impl Iterator<Item = (&str, &str, &str)> {
    tree.ending(&["/Cargo.toml"]).filter_map(|(path, text)| {
        let folder = path.strip_suffix("/Cargo.toml")?;
        Some((path, text, folder.rsplit('/').next().unwrap_or(folder)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_however_they_are_written() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n# c = 1\nb = { version = \"1\" }\n\
                    [dev-dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"1\"\n\
                    [target.'cfg(unix)'.dependencies]\nf = \"1\"\n";
        let keys = keys(text);
        let found: Vec<_> = keys.iter().filter_map(Key::dependency).collect();
        assert_eq!(found, [("a", false), ("b", false), ("d", true), ("e", false), ("f", false)]);
    }
}
