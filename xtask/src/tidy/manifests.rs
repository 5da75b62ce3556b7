//! Every package takes its lints, version and licence from the workspace, and its name from its folder.

use super::Finding;
use super::manifest_text::{Key, keys, packages};
use super::tree::Tree;

/// What a package must take from the workspace: section and key.
const INHERITED: &[(&str, &str)] = &[
    ("lints", "workspace"),
    ("package", "version.workspace"),
    ("package", "edition.workspace"),
    ("package", "rust-version.workspace"),
    ("package", "license.workspace"),
];

pub(super) fn inherit_the_workspace(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text, folder) in packages(tree) {
        let keys = keys(text);
        let value = |section: &str, key: &str| {
            keys.iter().find(|k: &&Key<'_>| k.section == section && k.key == key).map(|k| k.value)
        };
        for (section, key) in INHERITED {
            if value(section, key) != Some("true") {
                findings.push(Finding::new(path, 0, format!("needs `{key} = true` under [{section}]")));
            }
        }
        let name = value("package", "name").unwrap_or_default().trim_matches('"');
        if path.starts_with("crates/") && name != folder {
            findings.push(Finding::new(
                path,
                0,
                format!("the package `{name}` must be called like its folder"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
                        rust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n";

    fn messages(path: &str, text: &str) -> Vec<String> {
        inherit_the_workspace(&Tree::of(&[(path, text)])).into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn a_package_with_lints_of_its_own_is_found() {
        assert_eq!(messages("crates/a/Cargo.toml", GOOD), [""; 0]);
        let bad = GOOD.replace("[lints]\nworkspace = true", "[lints.clippy]\nunwrap_used = \"allow\"");
        assert_eq!(messages("crates/a/Cargo.toml", &bad), ["needs `workspace = true` under [lints]"]);
        assert_eq!(messages("xtask/Cargo.toml", &bad).len(), 1);
    }

    #[test]
    fn a_name_unlike_its_folder_is_found() {
        assert_eq!(messages("crates/b/Cargo.toml", GOOD).len(), 1);
        assert_eq!(messages("tests/Cargo.toml", GOOD).len(), 0);
    }
}
