//! Just enough of Rust's grammar to find code among comments and strings, and methods in `impl` blocks.

/// The source with the insides of comments, strings and character literals replaced by blanks, byte for byte, so that
/// offsets and lines stay what they were.
pub(super) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes.get(i + 1) == Some(&b'/') => find(bytes, i, b"\n"),
            b'/' if bytes.get(i + 1) == Some(&b'*') => comment_end(bytes, i),
            b'"' => string_end(bytes, i + 1),
            b'r' if !(i > 0 && is_word(bytes[i - 1]) && bytes[i - 1] != b'b') => {
                match raw_string_end(bytes, i) {
                    Some(end) => end,
                    None => {
                        i += 1;
                        continue;
                    }
                }
            }
            b'\'' => match char_end(source, i) {
                Some(end) => end,
                None => {
                    i += 1;
                    continue;
                }
            },
            _ => {
                i += 1;
                continue;
            }
        };
        for byte in &mut code[i..end.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        i = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(what.len()).position(|w| w == what).map_or(bytes.len(), |at| from + at)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0);
    while i < bytes.len() {
        match bytes.get(i..i + 2) {
            Some(b"/*") => (depth, i) = (depth + 1, i + 2),
            Some(b"*/") if depth == 1 => return i + 2,
            Some(b"*/") => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut i = from;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let hashes = bytes[from + 1..].iter().take_while(|b| **b == b'#').count();
    if bytes.get(from + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    Some(find(bytes, from + 2 + hashes, &close) + close.len())
}

/// The end of a character literal; a lifetime is none.
fn char_end(source: &str, from: usize) -> Option<usize> {
    let mut rest = source[from + 1..].char_indices();
    match rest.next()? {
        (_, '\\') => {
            rest.next()?; // what is escaped may itself be a quote
            rest.find(|(_, c)| *c == '\'').map(|(at, _)| from + 1 + at + 1)
        }
        _ => match rest.next()? {
            (at, '\'') => Some(from + 1 + at + 1),
            _ => None,
        },
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A public method of an inherent `impl` block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Method {
    /// The type's name without its parameters.
    pub(super) of: String,
    pub(super) name: String,
    pub(super) line: usize,
    /// Whether its documentation holds code.
    pub(super) has_example: bool,
}

/// The public methods that a file defines outside of its test module. One that is hidden from the docs is none.
pub(super) fn public_methods(source: &str) -> Vec<Method> {
    let code = without_tests(&code_only(source));
    let mut methods = Vec::new();
    let mut from = 0;
    while let Some(at) = word_at(&code, "impl", from) {
        from = at + 4;
        // `impl Fn(..)` in a signature or `-> impl Trait` is no block.
        let before = code[..at].trim_end();
        if !(before.is_empty() || before.ends_with(['}', ';', ']', '{']) || before.ends_with("unsafe")) {
            continue;
        }
        let Some(open) = code[at..].find('{').map(|o| at + o) else { break };
        let Some(of) = inherent_type(&code[at + 4..open]) else { continue };
        let close = block_end(&code, open);
        methods.extend(methods_in(&of, source, &code, open + 1, close));
        from = close;
    }
    methods
}

/// The type an `impl` header names, or nothing if it implements a trait.
fn inherent_type(header: &str) -> Option<String> {
    let header = skip_parameters(header.trim());
    let header = header.split(" where ").next().unwrap_or(header);
    if word_at(header, "for", 0).is_some_and(|at| !header[at + 3..].starts_with('<')) {
        return None;
    }
    let path = header.split(['<', ' ', '\n']).find(|part| !part.is_empty())?;
    path.rsplit("::").next().map(str::to_owned)
}

/// What follows the `<..>` a header begins with.
fn skip_parameters(header: &str) -> &str {
    if !header.starts_with('<') {
        return header;
    }
    let (mut depth, mut previous) = (0, ' ');
    for (at, c) in header.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if previous != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return header[at + 1..].trim_start();
        }
        previous = c;
    }
    ""
}

fn methods_in(of: &str, source: &str, code: &str, open: usize, close: usize) -> Vec<Method> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut at = open;
    while at < close {
        match code.as_bytes()[at] {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'p' if depth == 0 && word_at(code, "pub", at) == Some(at) => {
                let words = code[at + 3..close].trim_start();
                let words =
                    ["const ", "async ", "unsafe "].iter().fold(words, |w, q| w.strip_prefix(q).unwrap_or(w));
                if let Some(rest) = words.strip_prefix("fn ") {
                    let name: String =
                        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let item_start = code[..at].rfind(['{', '}', ';']).map_or(0, |b| b + 1);
                    let before = &source[item_start..at];
                    if !before.contains("#[doc(hidden)]") {
                        let has_example = has_example(before);
                        found.push(Method { of: of.to_owned(), name, line: line_of(code, at), has_example });
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the documentation of an item, in what stands before it, holds code.
fn has_example(before: &str) -> bool {
    before.lines().map(str::trim_start).any(|line| {
        line.starts_with("///") && line.contains("```")
            || line.starts_with("#[doc") && line.contains("include_str!")
    })
}

/// The code without its `#[cfg(test)] mod tests { .. }`, which becomes blanks.
pub(super) fn without_tests(code: &str) -> String {
    let mut rest = code.to_owned();
    let mut from = 0;
    while let Some(at) = rest[from..].find("#[cfg(test)]").map(|at| from + at) {
        from = at + 12;
        if !rest[from..].trim_start().starts_with("mod ") {
            continue;
        }
        let Some(end) = rest[from..].find(['{', ';']).map(|at| from + at) else { break };
        let end = if rest.as_bytes()[end] == b'{' { block_end(&rest, end) } else { end + 1 };
        let blank: String = rest[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        rest.replace_range(at..end, &blank);
        from = at;
    }
    rest
}

/// The offset behind the brace that closes the one at `open`.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Where `word` next stands as a word of its own.
pub(super) fn word_at(text: &str, word: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    text.get(from..)?.match_indices(word).map(|(at, _)| from + at).find(|at| {
        let end = at + word.len();
        (*at == 0 || !is_word(bytes[at - 1])) && (end == bytes.len() || !is_word(bytes[end]))
    })
}

/// The line, counted from 1, in which an offset lies.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_code_stays() {
        let source = "a(\"//x\"); // b\n/* c /* d */ */ 'e' '\\'' b\"f\" r#\"g\"h\"# &'static for_h('i');\n";
        let code = code_only(source);
        assert_eq!(code.len(), source.len());
        assert_eq!(
            code.split_whitespace().collect::<Vec<_>>(),
            ["a(", ");", "b", "&'static", "for_h(", ");"]
        );
        assert_eq!(code.lines().count(), 2);
        assert_eq!(code_only("/// ü\nfn f() { '\u{fc}' }").trim(), "fn f() {      }");
        assert_eq!(code_only("let var\"x\""), "let var   ");
    }

    #[test]
    fn public_methods_of_inherent_blocks_are_found() {
        let source = r#"
            //! pub fn in_a_comment() {}
            impl<K: Data + Eq, F: Fn(&K) -> bool> rdd::Rdd<(K, V)> where F: Clone {
                /// Does.
                pub fn reduce_by_key(&self, f: impl Fn(V) -> V) -> Self { if a { b } }
                pub const fn reduce_by_key_with(&self) {}
                #[doc(hidden)]
                pub fn hidden(&self) {}
                pub(crate) fn inner(&self) { struct S; impl S { pub fn nested(&self) {} } }
                fn private(&self) {}
            }
            impl<T> Node<T> for Filter<T> { pub fn never() {} }
            impl Other { pub fn other(&self) {} }
            #[cfg(test)]
            mod tests { impl Rdd<u8> { pub fn in_tests() {} } }
        "#;
        let found: Vec<_> = public_methods(source).into_iter().map(|m| (m.of, m.name, m.line)).collect();
        let method = |of: &str, name: &str, line| (of.to_owned(), name.to_owned(), line);
        assert_eq!(
            found,
            [
                method("Rdd", "reduce_by_key", 5),
                method("Rdd", "reduce_by_key_with", 6),
                method("Other", "other", 13)
            ]
        );
    }

    #[test]
    fn higher_ranked_bounds_are_no_trait_implementation() {
        let methods = public_methods("impl<T> Rdd<T> where F: for<'a> Fn(&'a T) { pub fn map(&self) {} }");
        assert_eq!(methods.len(), 1);
    }
}
