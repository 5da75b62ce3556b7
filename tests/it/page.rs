//! Pages of documentation: the commands and programs in them, and how a test is to run them.
//!
//! A command is a block fenced as `sh`, `bash` or `console`. It is run by bash in the root of the checkout, as one script
//! that ends at the first error, and must end with exit code 0 within ten minutes. In a `console` block the lines that
//! begin with `$ ` are the commands, the others show what they print.
//!
//! A program is a whole Rust program, in a block fenced as `rust` that stands below one of the comments, and is run as a
//! command is, in an empty folder. Other Rust blocks are documentation tests.
//!
//! Comments directly above the fence, which a reader of the rendered page does not see, change this:
//!
//! ```text
//! <!-- run: append --batches 3 -->        adds arguments to the block's last line, to make an endless command end
//! <!-- run: input hello world -->         a line for its stdin, which then stays open; may be repeated
//! <!-- run: expect (hello,1) -->          its stdout must contain this text; may be repeated
//! <!-- run: until (hello,1) -->           it passes as soon as its stdout contains this text, and is then ended
//! <!-- run: background -->                it is left running while the page's next block that is none runs
//! <!-- run: port 9999 -->                 the number stands for a port that is free, the same in the whole page
//! <!-- run: skip because REASON -->       it is not run
//! ```

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// A fenced block of commands, or a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its fence, counted from 1.
    pub(crate) line: usize,
    /// What stands behind the fence.
    pub(crate) language: String,
    pub(crate) script: String,
    pub(crate) append: Option<String>,
    pub(crate) input: Vec<String>,
    pub(crate) expect: Vec<String>,
    pub(crate) until: Option<String>,
    pub(crate) background: bool,
    pub(crate) port: Option<u16>,
    pub(crate) skip: Option<String>,
}

impl Block {
    /// Whether it is a program in Rust, not a script of the shell.
    pub(crate) fn is_program(&self) -> bool {
        self.language == "rust"
    }
}

/// A comment or a block that is not as the convention wants it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The pages whose blocks are tested: README.md, CONTRIBUTING.md and those under `docs/`, in order.
///
/// Translations are left out: their blocks are those of the pages they translate.
pub(crate) fn pages(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut pages = vec![root.join("CONTRIBUTING.md"), root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.extend((path.file_name() != Some("zh".as_ref())).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// `docs/first-steps.md` = `docs_first_steps_md`: what stands for a page in the names of tests.
pub(crate) fn identifier(page: &str) -> String {
    page.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// The name under which a program of a page is run.
pub(crate) fn program_name(page: &str, block: &Block) -> String {
    format!("{}_line_{}", identifier(page), block.line)
}

/// The blocks of commands and the programs of a page, in order.
pub(crate) fn blocks(page: &str) -> Result<Vec<Block>, Mistake> {
    let mut blocks = Vec::new();
    let mut next = Block::default();
    let mut directives = 0;
    let mut lines = page.lines().enumerate().map(|(at, line)| (at + 1, line));
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if let Some(directive) = line.strip_prefix("<!-- run:") {
            let mistake = |what: String| Mistake { line: number, what };
            let directive =
                directive.strip_suffix("-->").ok_or_else(|| mistake("a directive is one line".to_owned()))?;
            read_directive(&mut next, directive.trim()).map_err(mistake)?;
            directives += 1;
        } else if let Some(language) = line.strip_prefix("```") {
            let mut body = Vec::new();
            loop {
                match lines.next() {
                    Some((_, inner)) if inner.trim() == "```" => break,
                    Some((_, inner)) => body.push(inner),
                    None => return Err(Mistake { line: number, what: "the fence is not closed".to_owned() }),
                }
            }
            let script: Vec<&str> = match language {
                "sh" | "bash" => body,
                "console" => body.iter().filter_map(|line| line.trim().strip_prefix("$ ")).collect(),
                "rust" if directives > 0 && body.iter().any(|line| line.starts_with("fn main(")) => body,
                _ if directives > 0 => {
                    let what = format!(
                        "a directive stands above a block of `{language}`, which is no command and no program"
                    );
                    return Err(Mistake { line: number, what });
                }
                _ => continue,
            };
            if script.iter().all(|line| line.is_empty()) {
                return Err(Mistake { line: number, what: "the block holds no command".to_owned() });
            }
            blocks.push(Block {
                line: number,
                language: language.to_owned(),
                script: script.join("\n"),
                ..next
            });
            next = Block::default();
            directives = 0;
        } else if !line.is_empty() && directives > 0 {
            return Err(Mistake {
                line: number,
                what: "a directive must stand directly above its block".to_owned(),
            });
        }
    }
    match directives {
        0 => Ok(blocks),
        _ => Err(Mistake { line: page.lines().count(), what: "a directive has no block".to_owned() }),
    }
}

fn read_directive(block: &mut Block, directive: &str) -> Result<(), String> {
    let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
    let text = rest.trim().to_owned();
    let wants_text = !matches!(word, "background");
    if wants_text == text.is_empty() {
        return Err(format!("`{word}` {} a text behind it", if wants_text { "needs" } else { "takes no" }));
    }
    match word {
        "append" => block.append = Some(text),
        "input" => block.input.push(text),
        "expect" => block.expect.push(text),
        "until" => block.until = Some(text),
        "background" => block.background = true,
        "port" => block.port = Some(text.parse().map_err(|e| format!("`{text}` is no port: {e}"))?),
        "skip" => {
            let reason = text.strip_prefix("because ").ok_or("`skip` needs a reason: `skip because ...`")?;
            block.skip = Some(reason.to_owned());
        }
        _ => return Err(format!("there is no directive `{word}`")),
    }
    Ok(())
}

#[test]
fn blocks_are_found_with_their_directives() {
    let page = "# A\n```sh\nls -l\necho a\n```\ntext\n<!-- run: append --batches 3 -->\n<!-- run: expect (a,1) -->\n\
                <!-- run: port 9999 -->\n\n```console\n$ cargo run\nTime: 1 ms\n```\n```rust\nfn a() {}\n```\n\
                <!-- run: background -->\n<!-- run: input x -->\n<!-- run: input y z -->\n```bash\nnc 1\n```\n\
                <!-- run: until x -->\n```rust\nfn main() {\n    x();\n}\n```\n";
    let block = |line, language: &str, script: &str| Block {
        line,
        language: language.to_owned(),
        script: script.to_owned(),
        ..Block::default()
    };
    let second = Block {
        append: Some("--batches 3".to_owned()),
        expect: vec!["(a,1)".to_owned()],
        port: Some(9999),
        ..block(11, "console", "cargo run")
    };
    let third = Block {
        background: true,
        input: vec!["x".to_owned(), "y z".to_owned()],
        ..block(21, "bash", "nc 1")
    };
    let fourth = Block { until: Some("x".to_owned()), ..block(25, "rust", "fn main() {\n    x();\n}") };
    assert_eq!(program_name("docs/a.md", &fourth), "docs_a_md_line_25");
    assert_eq!(blocks(page), Ok(vec![block(2, "sh", "ls -l\necho a"), second, third, fourth]));
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (page, line, what) in [
        ("\n<!-- run: sometimes -->\n```sh\nls\n```\n", 2, "needs a text"),
        ("<!-- run: repeat 3 -->\n```sh\nls\n```\n", 1, "no directive `repeat`"),
        ("<!-- run: skip it is slow -->\n```sh\nls\n```\n", 1, "needs a reason"),
        ("<!-- run: background now -->\n```sh\nls\n```\n", 1, "takes no"),
        ("<!-- run: port 70000 -->\n```sh\nls\n```\n", 1, "no port"),
        ("<!-- run: until x -->\ntext\n```sh\nls\n```\n", 2, "directly above"),
        ("<!-- run: until x -->\n```rust\n```\n", 2, "no command"),
        ("```sh\nls\n", 1, "not closed"),
        ("```console\nonly output\n```\n", 1, "no command"),
        ("```sh\nls\n```\n<!-- run: until x -->\n", 4, "has no block"),
        ("<!-- run: until x\n```sh\nls\n```\n", 1, "one line"),
    ] {
        let mistake = blocks(page).unwrap_err();
        assert!(mistake.line == line && mistake.what.contains(what), "{page:?}: {mistake}");
    }
}
