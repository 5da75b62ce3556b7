//! Every public method shows how it is used.

use std::collections::BTreeSet;

use super::Finding;
use super::rust_text::public_methods;
use super::tree::Tree;

/// The crates whose methods programs call; what is `pub` there can be reached from outside, since rustc's `unreachable_pub`
/// is a warning.
const CRATES: &[&str] = &["crates/millstream-core/src/", "crates/millstream-streaming/src/"];

/// Types that programs on RDDs and streams do not call, with those who do: their code is the example.
const CALLED_BY_OTHER_CRATES: &[(&str, &[&str])] = &[
    (
        "an executor that runs tasks in other processes",
        &["Sent", "Report", "FaultyExecutor", "Task", "Peer", "Operator"],
    ),
    ("tables of states and of joins, which leave memory when others need it", &["Slots", "Claim"]),
    ("what is made of the table of settings", &["Family", "Section", "Setting"]),
    ("the room that runs streams", &["ListenerBus", "PidRateEstimator", "RateController"]),
];

/// A method has an example in its own documentation, which then is a test.
pub(super) fn of_each_method(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut excused = BTreeSet::new();
    for folder in CRATES {
        let mut files = tree.ending(&[".rs"]).filter(|(path, _)| path.starts_with(folder)).peekable();
        if files.peek().is_none() {
            findings.push(Finding::new(folder, 0, "no code is here: did the crate move? The rule names it"));
        }
        for (path, text) in files {
            for method in public_methods(text).into_iter().filter(|method| !method.has_example) {
                if types_of_other_crates().any(|name| name == method.of) {
                    excused.insert(method.of);
                    continue;
                }
                let message = format!(
                    "`{}::{}` has no example: show its use in a documentation test",
                    method.of, method.name
                );
                findings.push(Finding::new(path, method.line, message));
            }
        }
    }
    for name in types_of_other_crates().filter(|name| !excused.contains(*name)) {
        let message = format!("`{name}` needs no excuse: take it off the list");
        findings.push(Finding::new("xtask/src/tidy/examples.rs", 0, message));
    }
    findings
}

fn types_of_other_crates() -> impl Iterator<Item = &'static str> {
    CALLED_BY_OTHER_CRATES.iter().flat_map(|(_, types)| types.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "impl<T> Rdd<T> {\n/// Maps.\n/// ```\n/// ```\n#[must_use]\npub fn map(&self) {}\n}";
    const MIXED: &str = "impl<T> DStream<T> {\n/// Maps.\n/// ```\n/// ```\npub fn map(&self) {}\n/// Keeps.\npub fn filter(&self) {}\n}";

    /// A tree in which every type of the list has a method without an example.
    fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
        let excused: String =
            types_of_other_crates().map(|name| format!("impl {name} {{ pub fn f() {{}} }}\n")).collect();
        let mut all = vec![("crates/millstream-core/src/excused.rs", excused.as_str())];
        all.extend(files);
        of_each_method(&Tree::of(&all))
    }

    #[test]
    fn a_method_without_an_example_of_its_own_is_found() {
        let found = findings(&[
            ("crates/millstream-core/src/rdd/map.rs", SHOWN),
            ("crates/millstream-streaming/src/dstream/filter.rs", MIXED),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (&*found[0].path, found[0].line),
            ("crates/millstream-streaming/src/dstream/filter.rs", 7)
        );
        assert!(found[0].message.starts_with("`DStream::filter` has no example"), "{}", found[0]);
    }

    #[test]
    fn a_crate_that_moved_and_an_excuse_that_nobody_needs_are_found() {
        let found = findings(&[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, CRATES[1]);
        let found = of_each_method(&Tree::of(&[
            ("crates/millstream-core/src/rdd/map.rs", SHOWN),
            ("crates/millstream-streaming/src/map.rs", SHOWN),
        ]));
        assert_eq!(found.len(), types_of_other_crates().count(), "{found:?}");
        assert!(found[0].message.contains("`Sent` needs no excuse"), "{}", found[0]);
    }
}
