//! Dependencies between the crates go one way: core <- streaming <- all others <- the facade; the test kit also uses connectors.

use super::Finding;
use super::manifest_text::{keys, packages};
use super::tree::Tree;

/// What a crate of ours may use of ours. A crate that is not listed may use `core` and `streaming`.
const LAYERS: &[(&str, &[&str])] = &[
    ("millstream-core", &[]),
    ("millstream-streaming", &["millstream-core"]),
    (TEST_KIT, &["millstream-core", "millstream-streaming", "millstream-connectors"]),
    ("millstream", &["*"]),
];

const OTHERS: &[&str] = &["millstream-core", "millstream-streaming"];

/// The test kit sits above the connectors, which its programs write to; tests of every crate may use it.
const TEST_KIT: &str = "millstream-testkit";

/// Crates of others that have one home, so that their weight and their words stay there.
const HOMES: &[(&str, &[&str])] = &[
    ("datafusion", &["millstream-sql", "millstream-cluster"]),
    ("pyo3", &["millstream-python"]),
    ("axum", &["millstream-ui"]),
    ("rdkafka", &["millstream-connectors"]),
    ("reqwest", &["millstream-connectors", "millstream-ui", "millstream-cluster"]),
];

/// What core must not know: clocks of an async runtime, network clients.
const NOT_IN_CORE: &[&str] = &["tokio", "hyper", "mio", "socket2"];

pub(super) fn one_direction(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = 0;
    for (path, text, package) in crates(tree) {
        seen += 1;
        let allowed = LAYERS.iter().find(|(name, _)| *name == package).map_or(OTHERS, |(_, allowed)| allowed);
        for key in keys(text) {
            let Some((name, for_tests)) = key.dependency() else { continue };
            let ours = name == "millstream" || name.starts_with("millstream-");
            let test_kit = for_tests && name == TEST_KIT;
            if ours && !test_kit && !allowed.contains(&"*") && !allowed.contains(&name) {
                let message = format!(
                    "{package} must not depend on {name}: dependencies go from the facade to the core"
                );
                findings.push(Finding::new(path, key.line, message));
            }
        }
    }
    if seen == 0 {
        findings.push(Finding::new("crates", 0, "has no manifests: did the folder move?"));
    }
    findings
}

pub(super) fn heavy_crates_at_home(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text, package) in crates(tree) {
        for key in keys(text) {
            let Some((name, false)) = key.dependency() else { continue };
            let homes = HOMES.iter().find(|(heavy, _)| *heavy == name).map(|(_, homes)| *homes);
            let message = match homes {
                Some(homes) if !homes.contains(&package) => {
                    format!("only {} may use {name}", homes.join(" and "))
                }
                _ if package == "millstream-core" && NOT_IN_CORE.contains(&name) => {
                    format!("core knows no clock and no network, so not {name}")
                }
                _ => continue,
            };
            findings.push(Finding::new(path, key.line, message));
        }
    }
    findings
}

fn crates(tree: &Tree) -> impl Iterator<Item = (&str, &str, &str)> {
    packages(tree).filter(|(path, _, _)| path.starts_with("crates/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(rule: fn(&Tree) -> Vec<Finding>, package: &str, text: &str) -> usize {
        rule(&Tree::of(&[(&format!("crates/{package}/Cargo.toml"), text)])).len()
    }

    #[test]
    fn a_dependency_against_the_direction_is_found() {
        let on = |name: &str| format!("[dependencies]\n{name}.workspace = true\n");
        assert_eq!(findings(one_direction, "millstream-core", &on("millstream-streaming")), 1);
        assert_eq!(findings(one_direction, "millstream-streaming", &on("millstream-core")), 0);
        assert_eq!(findings(one_direction, "millstream-streaming", &on("millstream-testkit")), 1);
        assert_eq!(
            findings(one_direction, "millstream-streaming", "[dev-dependencies]\nmillstream-testkit = 1\n"),
            0
        );
        assert_eq!(findings(one_direction, "millstream-testkit", &on("millstream-connectors")), 0);
        assert_eq!(findings(one_direction, "millstream-connectors", &on("millstream-testkit")), 1);
        assert_eq!(findings(one_direction, "millstream-sql", &on("millstream-ml")), 1);
        assert_eq!(findings(one_direction, "millstream-sql", &on("millstream-streaming")), 0);
        assert_eq!(findings(one_direction, "millstream", &on("millstream-sql")), 0);
        assert_eq!(one_direction(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn a_heavy_crate_away_from_home_is_found() {
        let on = |name: &str| format!("[dependencies]\n{name} = \"1\"\n");
        assert_eq!(findings(heavy_crates_at_home, "millstream-streaming", &on("datafusion")), 1);
        assert_eq!(findings(heavy_crates_at_home, "millstream-sql", &on("datafusion")), 0);
        assert_eq!(findings(heavy_crates_at_home, "millstream-core", &on("tokio")), 1);
        assert_eq!(findings(heavy_crates_at_home, "millstream-streaming", &on("tokio")), 0);
    }
}
