//! The text of the project speaks of the project alone: not of the place it was written in.

use super::Finding;
use super::tree::Tree;

/// Paths of a workplace. Each is written in two parts, so that this list is not its own finding.
const PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Words that are followed by a number where they name a piece of work instead of a thing.
const NUMBERED: &[&str] =
    &[concat!("iss", "ue"), concat!("iss", "ues"), concat!("tic", "ket"), concat!("ses", "sion")];

/// Words of the process instead of the product.
const WORDS: &[&str] =
    &[concat!("language ", "model"), concat!("AI ", "assistant"), concat!("design", ".md")];

pub(super) fn speaks_of_the_project_alone(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| *path != "LICENSE" && *path != "Cargo.lock") {
        for (at, line) in text.lines().enumerate() {
            if let Some(word) = word_of_the_workplace(line) {
                findings.push(Finding::new(
                    path,
                    at + 1,
                    format!("`{word}` belongs to a workplace, not to the project"),
                ));
            }
        }
    }
    findings
}

fn word_of_the_workplace(line: &str) -> Option<&'static str> {
    let found = PATHS.iter().chain(WORDS).find(|word| line.contains(**word));
    found.or_else(|| NUMBERED.iter().find(|word| is_numbered(line, word))).copied()
}

/// Whether the word stands in the line with a number behind it: `word 3`, `Word #3`.
fn is_numbered(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    line.match_indices(word).any(|(at, _)| {
        let starts = at == 0 || !line.as_bytes()[at - 1].is_ascii_alphanumeric();
        let rest = line[at + word.len()..].strip_prefix(' ').unwrap_or_default();
        let number = rest.strip_prefix('#').unwrap_or(rest);
        starts && number.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_workplace_are_found() {
        for bad in PATHS.iter().chain(WORDS) {
            assert!(word_of_the_workplace(&format!("see {bad}x")).is_some(), "{bad}");
        }
        for word in NUMBERED {
            assert!(word_of_the_workplace(&format!("as {word} 3 says")).is_some(), "{word}");
            assert!(word_of_the_workplace(&format!("as {word} #14 says")).is_some(), "{word}");
        }
        let tree = Tree::of(&[("docs/a.md", &format!("fine\n{}main\n", PATHS[0]))]);
        assert_eq!(speaks_of_the_project_alone(&tree).first().map(|f| f.line), Some(2));
    }

    #[test]
    fn words_of_streams_are_not() {
        for good in [
            "a session of 3 events",
            "state by session",
            "the network/ folder",
            "reissued 3 times",
            "SPARK-18580",
        ] {
            assert_eq!(word_of_the_workplace(good), None, "{good}");
        }
    }
}
