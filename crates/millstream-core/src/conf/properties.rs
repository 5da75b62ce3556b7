//! The format of properties files: Java's, with white space but not line ends removed from the ends of values, as Spark
//! reads it.

use std::iter::Peekable;
use std::str::{Chars, Lines};

/// A line of a properties file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) key: String,
    pub(super) value: String,
    /// The number of its first line, from 1.
    pub(super) line: usize,
}

/// What is wrong with a properties file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongLine {
    pub(super) key: String,
    pub(super) problem: String,
    pub(super) remedy: String,
    pub(super) line: usize,
}

/// Reads the text of a properties file; of lines with the same key all are returned, in their order.
pub(super) fn properties(text: &str) -> Result<Vec<Property>, WrongLine> {
    // `lines` does not know the third end of a line, a carriage return alone.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let mut lines = text.lines();
    let mut number = 0;
    while let Some(first) = lines.next() {
        number += 1;
        let line = number;
        let start = first.trim_start_matches(is_blank);
        if start.is_empty() || start.starts_with(['#', '!']) {
            continue;
        }
        let whole = joined(start, &mut lines, &mut number);
        let mut rest = whole.chars().peekable();
        let wrong = |key: &str, digits: String| WrongLine {
            key: key.to_owned(),
            problem: format!("`\\u{digits}` is not a character"),
            remedy: "write `\\u` and four hexadecimal digits, or `\\\\` for a backslash".to_owned(),
            line,
        };
        let key = unescaped(&mut rest, |c| is_blank(c) || c == '=' || c == ':')
            .map_err(|digits| wrong(&whole, digits))?;
        skip_blanks(&mut rest);
        if rest.next_if(|c| *c == '=' || *c == ':').is_some() {
            skip_blanks(&mut rest);
        }
        let value = unescaped(&mut rest, |_| false).map_err(|digits| wrong(&key, digits))?;
        let value = value.trim_matches(|c| c <= ' ' && c != '\r' && c != '\n').to_owned();
        found.push(Property { key, value, line });
    }
    Ok(found)
}

/// Appends the lines that follow, as long as the one before ends with an odd number of backslashes.
fn joined(start: &str, lines: &mut Lines<'_>, number: &mut usize) -> String {
    let mut whole = start.to_owned();
    while whole.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
        whole.pop();
        let Some(next) = lines.next() else { break };
        *number += 1;
        whole.push_str(next.trim_start_matches(is_blank));
    }
    whole
}

/// Takes characters up to one that `ends`, replacing what follows a backslash; the error is what follows a `\u`.
fn unescaped(rest: &mut Peekable<Chars<'_>>, ends: fn(char) -> bool) -> Result<String, String> {
    // In UTF-16, as in Java, where `\u` names half of a character beyond the first 65536.
    let mut units: Vec<u16> = Vec::new();
    while let Some(c) = rest.next_if(|c| !ends(*c)) {
        let c = match c {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    let unit = u16::from_str_radix(&digits, 16).ok();
                    units.push(unit.filter(|_| digits.len() == 4 && !digits.starts_with('+')).ok_or(digits)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Ok(String::from_utf16_lossy(&units))
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| is_blank(*c)).is_some() {}
}

/// Java's white space of properties files: blank, tab and form feed.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_java_reads_them() {
        for (text, key, value) in RECORDED {
            let found = properties(text).unwrap();
            assert_eq!(found.len(), 1, "{text:?}");
            assert_eq!((found[0].key.as_str(), found[0].value.as_str()), (*key, *value), "{text:?}");
        }
    }

    /// Text, key and value, as `java.util.Properties.load` of Java 17 reads them; white space at the ends of values
    /// is removed here as Spark does.
    const RECORDED: &[(&str, &str, &str)] = &[
        ("spark.master local[2]", "spark.master", "local[2]"),
        ("spark.master=local[2]", "spark.master", "local[2]"),
        ("spark.master: local[2]", "spark.master", "local[2]"),
        ("spark.master\t\tlocal[2]", "spark.master", "local[2]"),
        ("  a = b  ", "a", "b"),
        ("a == b", "a", "= b"),
        ("a : = b", "a", "= b"),
        ("a=:b", "a", ":b"),
        ("a", "a", ""),
        ("a=", "a", ""),
        ("=b", "", "b"),
        (" : b", "", "b"),
        ("a b c", "a", "b c"),
        ("a\\ b c", "a b", "c"),
        ("a\\=b=c", "a=b", "c"),
        ("a\\:b c", "a:b", "c"),
        ("a=b\\\n   c", "a", "bc"),
        ("a=b\\\n   \\  c", "a", "b  c"),
        ("a=b\\\\", "a", "b\\"),
        ("a=b\\\\\\\nc", "a", "b\\c"),
        ("a=b\\", "a", "b"),
        ("a=x\\t\\n\\r\\f\\q\\\"", "a", "x\t\n\r\u{c}q\""),
        ("a=\\u00e4\\u20AC", "a", "ä€"),
        ("a=\\uD83D\\uDE00", "a", "😀"),
        ("a=C:\\temp", "a", "C:\temp"),
        ("a=b # c", "a", "b # c"),
        ("a=b\r", "a", "b"),
        ("\u{c}a\u{c}b", "a", "b"),
        ("a=ä", "a", "ä"),
        ("a\\u003Db=c", "a=b", "c"),
        ("a=b\\\n#c", "a", "b#c"),
        ("a\\\n  b=c", "ab", "c"),
        ("a \\\n = b", "a", "b"),
        ("a=  \\  b", "a", "b"),
    ];

    #[test]
    fn comments_and_empty_lines_are_nothing() {
        assert_eq!(properties("# a=b\n\n  \t\n  ! c d\n#e\\\n"), Ok(Vec::new()));
    }

    #[test]
    fn lines_are_counted_across_continuations() {
        let found = properties("a 1\r\n# x\rb \\\r\n  2\r\nc 3\\\n\nd").unwrap();
        let lines: Vec<_> = found.iter().map(|p| (p.key.as_str(), p.value.as_str(), p.line)).collect();
        assert_eq!(lines, [("a", "1", 1), ("b", "2", 3), ("c", "3", 5), ("d", "", 7)]);
    }

    #[test]
    fn a_character_that_is_none_is_told() {
        for text in ["a \\u12", "a \\u12x4", "a \\u+123", "a\\u b"] {
            let wrong = properties(text).unwrap_err();
            assert!(wrong.problem.starts_with("`\\u"), "{wrong:?}");
            assert_eq!(wrong.line, 1);
        }
    }
}
