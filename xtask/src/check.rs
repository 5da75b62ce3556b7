//! `check`, `lint`, `test`: what every change must pass.

use crate::step::Steps;
use crate::toolchain::{cargo, ensure_lint_tools};
use crate::{Result, docs, root, services, tidy};

/// All that continuous integration runs: first what is quick to fail, then the tests.
pub(crate) fn check() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = lint_steps(&mut steps).and_then(|()| test_steps(&mut steps));
    steps.finish(outcome)
}

/// Format, lints, the project's own rules, documentation.
pub(crate) fn lint() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = lint_steps(&mut steps);
    steps.finish(outcome)
}

/// All tests of the workspace.
pub(crate) fn test() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = test_steps(&mut steps);
    steps.finish(outcome)
}

fn lint_steps(steps: &mut Steps) -> Result<()> {
    steps.run("rustfmt and clippy are there", ensure_lint_tools)?;
    steps.program("format", cargo("fmt").args(["--all", "--check"]))?;
    steps.run("tidy", |out| tidy::run(&root(), out))?;
    steps
        .program("clippy", cargo("clippy").args(["--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut connectors = cargo("clippy");
    connectors.args([
        "-p",
        "millstream-connectors",
        "-p",
        "millstream-testkit",
        "--all-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    steps.program("clippy of the connectors", &mut connectors)?;
    let mut rustdoc = cargo("doc");
    steps.program(
        "API documentation",
        rustdoc.args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    steps.run("generated documentation", |_| docs::check())
}

fn test_steps(steps: &mut Steps) -> Result<()> {
    // The end-to-end tests and the commands in the documentation run these programs.
    steps.program("release build of the command", cargo("build").arg("--release"))?;
    steps.program(
        "release build of the examples",
        cargo("build").args(["--release", "-p", "millstream-examples"]),
    )?;
    steps.tests("tests", cargo("test").args(["--workspace", "--no-fail-fast"]))?;
    // Features with libraries of other systems are built here only, not in the daily loop.
    let mut s3 = None;
    steps.run("an S3 server", |out| {
        s3 = Some(services::s3::start(out)?);
        Ok(())
    })?;
    let mut connectors = cargo("test");
    // Of the test kit the program that is killed: it writes into an SQLite database.
    connectors.args(["-p", "millstream-connectors", "-p", "millstream-testkit"]);
    connectors.args(["--all-features", "--no-fail-fast"]);
    if let Some(s3) = &s3 {
        connectors.env(s3.variable, s3.address.to_string());
    }
    steps.tests("tests of connectors", &mut connectors)
}
