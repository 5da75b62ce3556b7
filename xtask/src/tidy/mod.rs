//! `tidy`: the project's own rules, as tests instead of prose.
//!
//! A rule is a function from the [`Tree`] to its [`Finding`]s; each has a test of its own on a sample that breaks it.

mod compat;
mod dependencies;
mod examples;
mod file_sizes;
mod links;
mod manifest_text;
mod manifests;
mod modules;
mod operators;
mod rust_text;
mod translations;
mod travel;
mod tree;
mod unfinished;
mod workplace;

use crate::Result;
use std::fmt;
use std::io::Write;
use std::path::Path;
use tree::Tree;

/// A place where a rule is broken, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 stands for the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    file_sizes::small_files,
    examples::of_each_method,
    operators::have_compat_lines,
    travel::operators_run_elsewhere,
    travel::closures_are_refused,
    compat::promises_exist,
    dependencies::one_direction,
    dependencies::heavy_crates_at_home,
    manifests::inherit_the_workspace,
    modules::no_drawers,
    unfinished::nothing_ignored,
    unfinished::nothing_left_to_do,
    workplace::speaks_of_the_project_alone,
    links::lead_somewhere,
    links::fences_name_their_language,
    translations::keep_up,
];

/// Checks the checkout under `root` and prints what it finds.
pub(crate) fn run(root: &Path, out: &mut dyn Write) -> Result<()> {
    let tree =
        Tree::read(root).map_err(|e| format!("cannot read the files under {}: {e}", root.display()))?;
    let findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    for finding in &findings {
        writeln!(out, "{finding}").map_err(|e| format!("cannot write to stdout: {e}"))?;
    }
    match findings.len() {
        0 => Ok(()),
        n => Err(format!("{n} places break the project's rules")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_checkout_is_tidy() {
        let mut findings = Vec::new();
        let outcome = super::run(&crate::root(), &mut findings);
        assert!(outcome.is_ok(), "\n{}", String::from_utf8_lossy(&findings));
    }
}
