//! Makes the Rust blocks of every page of documentation tests.
//!
//! - A block is a documentation test of the module that stands for its page. One that is no whole program stands below
//!   `use millstream::prelude::*;`, in a function that returns `millstream::Result<()>`, in an empty folder of its own.
//! - A block below a `run:` comment is a program: a module of the `guide` binary, run by `it/documentation.rs`.
//!
//! A page that is added under `docs/` is tested without a further line anywhere. Translations, whose blocks are those of
//! the English pages (a rule of the project holds them to it), are not tested a second time.

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "it/page.rs"]
mod page;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = package.parent().ok_or("this package has no parent folder")?;
    println!("cargo::rerun-if-changed=it/page.rs");

    let mut doctests = String::new();
    let mut programs = String::new();
    let mut names = Vec::new();
    for path in page::pages(root)? {
        println!("cargo::rerun-if-changed={}", path.display());
        if let Some(folder) = path.parent().filter(|folder| *folder != root) {
            println!("cargo::rerun-if-changed={}", folder.display());
        }
        let text = fs::read_to_string(&path)?;
        let blocks = page::blocks(&text).map_err(|mistake| format!("{}: {mistake}", path.display()))?;
        let page = path.strip_prefix(root)?.display().to_string();
        writeln!(
            doctests,
            "#[doc = {:?}]\nmod {} {{}}",
            as_doctests(&text, &blocks),
            page::identifier(&page)
        )?;
        for block in blocks.iter().filter(|block| block.is_program()) {
            let name = page::program_name(&page, block);
            writeln!(programs, "mod {name} {{\n{}\n}}", with_ports(&blocks, &block.script))?;
            names.push(name);
        }
    }
    write!(programs, "fn run(name: &str) -> Option<millstream::Result<()>> {{\n    match name {{\n")?;
    for name in &names {
        writeln!(programs, "        {name:?} => Some({name}::main()),")?;
    }
    write!(programs, "        _ => None,\n    }}\n}}\n")?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("pages.rs"), doctests)?;
    fs::write(out.join("programs.rs"), programs)?;
    Ok(())
}

/// What stands before and behind a block that is no whole program; one line, so that the compiler's line is nearly the page's.
const BEFORE: &str = "# #[allow(unused_imports)] use millstream::prelude::*; \
                      fn main() -> millstream::Result<()> { let _folder = millstream_tests::ScratchFolder::enter();";
const BEHIND: &str = "# Ok(()) }";

/// The page with its programs taken out and its other Rust blocks made whole.
fn as_doctests(text: &str, blocks: &[page::Block]) -> String {
    let is_program = |line: usize| blocks.iter().any(|block| block.is_program() && block.line == line);
    let lines: Vec<&str> = text.lines().collect();
    let mut doc = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let _ = writeln!(doc, "{}", if is_program(at + 1) { "```text" } else { line });
        at += 1;
        if !line.starts_with("```") {
            continue;
        }
        let end =
            lines[at..].iter().position(|line| line.trim_end() == "```").map_or(lines.len(), |n| at + n);
        let block = &lines[at..end];
        let wraps = line.starts_with("```rust") && !is_program(at) && !has_main(block);
        let (before, behind) = if wraps { (Some(BEFORE), Some(BEHIND)) } else { (None, None) };
        let wrapped = before.iter().chain(block).chain(&behind).chain(lines.get(end));
        wrapped.for_each(|line| doc.extend([line, "\n"]));
        at = end + 1;
    }
    doc
}

fn has_main(block: &[&str]) -> bool {
    block.iter().any(|line| line.starts_with("fn main("))
}

/// The program with the ports of its page replaced by those which the test has found to be free.
fn with_ports(blocks: &[page::Block], program: &str) -> String {
    let program = program.replacen("fn main(", "pub(super) fn main(", 1);
    blocks.iter().filter_map(|block| block.port).fold(program, |program, port| {
        // Written without its own digits, so that a port that is named twice is replaced once.
        let (thousands, rest) = (port / 1000, port % 1000);
        program.replace(&port.to_string(), &format!("crate::free_port({thousands} * 1000 + {rest})"))
    })
}
