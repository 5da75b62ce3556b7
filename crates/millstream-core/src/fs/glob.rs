//! Hadoop's patterns of file names.
//!
//! `?` is any character, `*` any number of them, `[abc]` and `[a-z]` one of these, `[^a]` one but these, `{ab,cd}` one of
//! these words, which may hold slashes; `\` takes the meaning from the next character. None but braces spans directories.

use super::path::unusable;
use super::{FileStatus, FsPath, is_not_found};
use crate::error::Result;

type Ask<'a, R> = &'a dyn Fn(&FsPath) -> Result<R>;

/// Returns whether the path holds any character with a meaning.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{', '\\'])
}

/// Returns what a pattern matches, sorted by name.
pub(super) fn glob(
    status: Ask<'_, FileStatus>,
    list: Ask<'_, Vec<FileStatus>>,
    pattern: &FsPath,
) -> Result<Vec<FileStatus>> {
    let mut found = Vec::new();
    for alternative in alternatives(pattern.path()).map_err(|problem| broken(pattern, problem))? {
        let parts: Vec<&str> = alternative.split('/').filter(|part| !part.is_empty()).collect();
        match_parts(status, list, pattern, &pattern.at("/"), &parts, &mut found)?;
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

/// Adds what the parts of a pattern match below a directory.
fn match_parts(
    status: Ask<'_, FileStatus>,
    list: Ask<'_, Vec<FileStatus>>,
    pattern: &FsPath,
    below: &FsPath,
    parts: &[&str],
    found: &mut Vec<FileStatus>,
) -> Result<()> {
    // Plain parts are walked without listing: their directories may be many, or not ours to list.
    let plain = parts.iter().take_while(|part| !is_pattern(part)).count();
    let (names, rest) = parts.split_at(plain);
    let below = below.join(&names.join("/"));
    let Some((part, rest)) = rest.split_first() else {
        match status(&below) {
            Ok(there) => found.push(there),
            Err(error) if is_not_found(&error) || is_no_directory(&error) => {}
            Err(error) => return Err(error),
        }
        return Ok(());
    };
    let part = Part::parse(part).map_err(|problem| broken(pattern, problem))?;
    let entries = match list(&below) {
        Ok(entries) => entries,
        Err(error) if is_not_found(&error) || is_no_directory(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries.into_iter().filter(|entry| part.matches(entry.path.name())) {
        if rest.is_empty() {
            found.push(entry);
        } else if entry.is_dir {
            match_parts(status, list, pattern, &entry.path, rest, found)?;
        }
    }
    Ok(())
}

fn is_no_directory(error: &crate::Error) -> bool {
    matches!(error, crate::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotADirectory)
}

fn broken(pattern: &FsPath, problem: &str) -> crate::Error {
    unusable(&pattern.to_string(), problem, r"close it, or write a backslash before it")
}

/// A pattern of more alternatives is a mistake, or an attack.
const MOST_ALTERNATIVES: usize = 10_000;

/// Writes out the words in braces: one pattern for each.
fn alternatives(pattern: &str) -> Result<Vec<String>, &'static str> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        if done.len() + open.len() > MOST_ALTERNATIVES {
            return Err("has too many words in braces");
        }
        match first_braces(&pattern)? {
            None => done.push(pattern),
            Some((start, words, end)) => {
                let whole = |word: &str| format!("{}{word}{}", &pattern[..start], &pattern[end..]);
                open.extend(words.iter().map(|word| whole(word)));
            }
        }
    }
    Ok(done)
}

/// A pair of braces: where it begins, the words in it, where the rest begins.
type Braces<'a> = (usize, Vec<&'a str>, usize);

/// Finds the first pair of braces.
fn first_braces(pattern: &str) -> Result<Option<Braces<'_>>, &'static str> {
    let (mut words, mut start, mut word, mut depth) = (Vec::new(), 0, 0, 0_u32);
    let (mut escaped, mut in_class) = (false, false);
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '{' => {
                if depth == 0 {
                    (start, word) = (at, at + 1);
                }
                depth += 1;
            }
            ',' if depth == 1 => {
                words.push(&pattern[word..at]);
                word = at + 1;
            }
            '}' if depth == 1 => {
                words.push(&pattern[word..at]);
                return Ok(Some((start, words, at + 1)));
            }
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if depth > 0 { Err("has a `{` that is not closed") } else { Ok(None) }
}

/// The pattern of one name.
struct Part(Vec<Token>);

enum Token {
    Literal(char),
    Any,
    Many,
    /// Ranges of characters, and whether it is they or all others.
    Class(Vec<(char, char)>, bool),
}

impl Part {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut tokens = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '?' => Token::Any,
                '*' => Token::Many,
                '[' => class(&mut chars)?,
                '\\' => Token::Literal(chars.next().ok_or("ends with a backslash")?),
                c => Token::Literal(c),
            });
        }
        Ok(Part(tokens))
    }

    /// Tries the shortest run for each star, and goes back to the last star only: never exponential.
    fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.0.get(token) {
                Some(Token::Many) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(one) if one.is(name[at]) => (token, at) = (token + 1, at + 1),
                _ => match &mut star {
                    Some((many, from)) => {
                        *from += 1;
                        (token, at) = (*many + 1, *from);
                    }
                    None => return false,
                },
            }
        }
        self.0[token..].iter().all(|token| matches!(token, Token::Many))
    }
}

impl Token {
    fn is(&self, c: char) -> bool {
        match self {
            Token::Literal(literal) => *literal == c,
            Token::Any | Token::Many => true,
            Token::Class(ranges, of_them) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) == *of_them
            }
        }
    }
}

/// Reads what follows a `[`.
fn class(chars: &mut std::str::Chars<'_>) -> Result<Token, &'static str> {
    let open = "has a `[` that is not closed";
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut of_them = true;
    if chars.as_str().starts_with(['^', '!']) {
        chars.next();
        of_them = false;
    }
    loop {
        let c = match chars.next().ok_or(open)? {
            ']' if !ranges.is_empty() => return Ok(Token::Class(ranges, of_them)),
            '\\' => chars.next().ok_or(open)?,
            c => c,
        };
        let mut ahead = chars.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                *chars = ahead;
                if to == '\\' { chars.next().ok_or(open)? } else { to }
            }
            _ => c,
        };
        ranges.push((c, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        alternatives(pattern).unwrap().iter().any(|one| Part::parse(one).unwrap().matches(name))
    }

    #[test]
    fn patterns_match_what_hadoops_do() {
        for (pattern, yes, no) in [
            ("a?c", "abc aéc", "ac abbc"),
            ("a*", "a ab abc", "b ba"),
            ("a*c", "ac abc abcbc", "ab abcd"),
            ("*", "a .b", ""),
            ("a[ce]f", "acf aef", "adf af"),
            ("a[a-m]b", "aab amb", "anb a-b"),
            ("a[^ce]f", "abf", "acf aef"),
            ("a[^a-cg]", "ad", "aa ab ag"),
            (r"a\*b", "a*b", "axb"),
            (r"a\[b", "a[b", "ab"),
            ("a.{abc,jh}", "a.abc a.jh", "a.jhp a."),
            ("a.{abc{de,fg},*}", "a.abcde a.abcfg a.x", "a"),
            ("a[{]b", "a{b", "ab"),
            ("}bc", "}bc", "bc"),
            ("part-*[0-9].gz", "part-00000.gz", "part-x.gz part-0.g"),
        ] {
            yes.split_whitespace().for_each(|name| assert!(matches(pattern, name), "{pattern} {name}"));
            no.split_whitespace().for_each(|name| assert!(!matches(pattern, name), "{pattern} {name}"));
        }
        for broken in ["a{b", "a{b,{c}"] {
            assert!(alternatives(broken).is_err(), "{broken}");
        }
        for broken in ["a[b", "a[", "a[]", r"a\"] {
            assert!(Part::parse(broken).is_err(), "{broken}");
        }
        assert!(alternatives(&"{a,b}".repeat(40)).is_err());
    }

    fn naive(tokens: &[char], name: &[char]) -> bool {
        match tokens.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|skip| naive(rest, &name[skip..])),
            Some((c, rest)) => {
                name.split_first().is_some_and(|(n, name)| (*c == '?' || c == n) && naive(rest, name))
            }
        }
    }

    proptest! {
        #[test]
        fn stars_match_as_in_a_naive_model(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Part::parse(&pattern).unwrap().matches(&name), naive(&chars(&pattern), &chars(&name)));
        }
    }
}
