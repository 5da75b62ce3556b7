//! COMPAT.md says of every operator what it is in Spark.

use super::Finding;
use super::compat;
use super::rust_text::{Method, public_methods};
use super::tree::Tree;

/// The folders whose files are operators.
pub(super) const FOLDERS: &[&str] = &[
    "crates/millstream-core/src/rdd/",
    "crates/millstream-streaming/src/dstream/",
    "crates/millstream-streaming/src/output/",
    "crates/millstream-streaming/src/source/",
];

/// The types whose public methods are the operators.
pub(super) const TYPES: &[&str] = &["Rdd", "DStream", "Context", "StreamingContext"];

/// Every operator has a line in COMPAT.md.
pub(super) fn have_compat_lines(tree: &Tree) -> Vec<Finding> {
    let rows = compat::rows(tree.text(compat::PATH).unwrap_or_default());
    let mut findings = folders_are_there(tree);
    for (path, text) in files(tree) {
        for method in methods(text) {
            if !rows.iter().any(|row| row.is_of(&method.of) && row.names(&method.name)) {
                let message = format!(
                    "`{}::{}` has no line in {}: {}",
                    method.of,
                    method.name,
                    compat::PATH,
                    compat::suggestion(&method.of, &method.name),
                );
                findings.push(Finding::new(path, method.line, message));
            }
        }
    }
    findings
}

/// A rule that looks at nothing would always hold.
fn folders_are_there(tree: &Tree) -> Vec<Finding> {
    let empty = |folder: &&&str| {
        !files(tree).any(|(path, text)| path.starts_with(**folder) && !methods(text).is_empty())
    };
    let message = "no operator is defined here: did the folder move? The rule's list of folders names it";
    FOLDERS.iter().filter(empty).map(|folder| Finding::new(folder, 0, message)).collect()
}

/// The files that hold operators; a `mod.rs` holds what the type itself is made of.
pub(super) fn files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.ending(&[".rs"]).filter(|(path, _)| {
        FOLDERS.iter().any(|folder| path.starts_with(folder)) && !path.ends_with("/mod.rs")
    })
}

pub(super) fn methods(text: &str) -> Vec<Method> {
    public_methods(text).into_iter().filter(|method| TYPES.contains(&method.of.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "impl<T> Rdd<T> {\n/// Maps.\n/// ```\n/// ```\npub fn map(&self) {}\n}";
    const FILTER: &str = "impl<T> DStream<T> {\n/// Keeps.\npub fn filter(&self) {}\n}";

    #[test]
    fn an_empty_operator_folder_is_found() {
        let tree = Tree::of(&[("crates/millstream-core/src/rdd/map.rs", MAP)]);
        let folders: Vec<_> = folders_are_there(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(folders, FOLDERS[1..]);
    }

    #[test]
    fn an_operator_without_compat_line_is_found() {
        let compat = "## RDD\n\n| Spark | Millstream | |\n|---|---|---|\n| `map` | `map` | ✅ |\n| `filter` | `filter` | ✅ |\n";
        let tree = Tree::of(&[
            ("COMPAT.md", compat),
            ("crates/millstream-core/src/rdd/map.rs", MAP),
            ("crates/millstream-streaming/src/dstream/filter.rs", FILTER),
        ]);
        let of_methods =
            |tree| have_compat_lines(&tree).into_iter().filter(|f| f.line > 0).collect::<Vec<_>>();
        let findings = of_methods(tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].message.contains("`DStream::filter` has no line"), "{}", findings[0]);
        assert_eq!(of_methods(Tree::of(&[("crates/millstream-core/src/rdd/map.rs", MAP)])).len(), 1);
    }
}
