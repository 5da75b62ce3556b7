//! The sum of all `test result:` lines that pass by.

use std::fmt;

/// How many tests passed, failed and were skipped; `Display` gives the closing line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Tests that are marked as ignored, and those that a filter left out.
    pub(crate) skipped: u64,
}

impl Totals {
    /// Adds what one line of a test program's output says; other lines change nothing.
    pub(crate) fn read_line(&mut self, line: &str) {
        let Some(counts) = line.trim().strip_prefix("test result:") else { return };
        // `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
        let counts = counts.split_once(". ").map_or(counts, |(_verdict, counts)| counts);
        for count in counts.split(';') {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what.trim() {
                "passed" | "measured" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" | "filtered out" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Says why these totals are no success, if so. A skipped test is none, and neither is a run without tests.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        match self {
            Self { failed: 1.., .. } => Err(format!("failed tests: {}", self.failed)),
            Self { skipped: 1.., .. } => Err(format!("skipped tests: {}; none may be", self.skipped)),
            Self { passed: 0, .. } => Err("no test was run".to_owned()),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(output: &str) -> Totals {
        let mut totals = Totals::default();
        output.lines().for_each(|line| totals.read_line(line));
        totals
    }

    #[test]
    fn sums_the_lines_of_several_test_programs() {
        let totals = sum("running 2 tests\n\
             test a ... ok\n\
             test result: ok. 41 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 measured; 4 filtered out; finished in 0.00s\n");
        assert_eq!(totals, Totals { passed: 42, failed: 2, skipped: 7 });
        assert_eq!(totals.to_string(), "42 passed, 2 failed, 7 skipped");
    }

    #[test]
    fn only_a_run_in_which_all_tests_passed_is_a_success() {
        assert!(Totals { passed: 1, failed: 0, skipped: 0 }.verdict().is_ok());
        assert!(
            Totals { passed: 1, failed: 1, skipped: 0 }.verdict().unwrap_err().contains("failed tests: 1")
        );
        assert!(
            Totals { passed: 1, failed: 0, skipped: 1 }.verdict().unwrap_err().contains("skipped tests: 1")
        );
        assert!(Totals::default().verdict().unwrap_err().contains("no test"));
    }
}
