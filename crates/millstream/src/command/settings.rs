//! `millstream settings`: the table of settings.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};

use millstream::settings::{Effect, Facts, sections, settings_as_markdown};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Prints the page docs/configuration.md.
    #[arg(long)]
    markdown: bool,
}

pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let text = if arguments.markdown { settings_as_markdown() } else { as_text() };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads, such as `head`, has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// The settings that do something, each with its default and its meaning.
fn as_text() -> String {
    let mut text = String::new();
    for section in sections() {
        let mut heading = Some(section.title);
        for facts in section.settings().filter(|facts| facts.effect == Effect::Used) {
            if let Some(title) = heading.take() {
                let _ = writeln!(text, "{}# {title}", if text.is_empty() { "" } else { "\n" });
            }
            // Writing into a `String` can not fail.
            let _ = writeln!(text, "{} = {}\n    {}", facts.key, default_of(facts), facts.doc);
        }
    }
    text
}

fn default_of(facts: &Facts) -> String {
    match (facts.default, facts.when_unset) {
        (Some(text), _) => text.to_owned(),
        (None, meaning) => format!("({})", meaning.unwrap_or("unset")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_printed_with_default_and_meaning() {
        let text = as_text();
        let row = text.split_once("spark.streaming.blockInterval = 200ms\n    ").unwrap().1;
        assert!(row.lines().next().unwrap().ends_with('.'));
        assert!(text.contains("spark.default.parallelism = (the number of worker threads)\n"));
        assert!(!text.contains("spark.speculation ="), "it does nothing here");
    }
}
