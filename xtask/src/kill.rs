//! `kill`: a stream program that is killed again and again.

use crate::Result;
use crate::step::stream;
use crate::toolchain::cargo;

/// Runs the program of the test kit that does it; its last line is `N kills, M differences`.
pub(crate) fn run(extra: &[&str]) -> Result<()> {
    let mut kill = cargo("run");
    kill.args(["--quiet", "-p", "millstream-testkit", "--features", "kill", "--bin", "kill", "--"])
        .args(extra);
    stream(&mut kill, &mut std::io::stdout(), |_| {})
}
