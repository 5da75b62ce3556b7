//! Makes the Rust examples of every page of documentation a documentation test: one module per page.
//!
//! A page that is added under `docs/` is tested without a further line anywhere.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = package.parent().ok_or("this package has no parent folder")?;
    let docs = root.join("docs");
    println!("cargo::rerun-if-changed={}", docs.display());

    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for entry in fs::read_dir(docs)? {
        pages.push(entry?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();

    let mut modules = String::new();
    for page in &pages {
        writeln!(modules, "#[doc = include_str!({page:?})]\nmod {} {{}}", module_name(page))?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("pages.rs"), modules)?;
    Ok(())
}

/// `docs/first-steps.md` = `first_steps_md`: the name under which a failing example is reported.
fn module_name(page: &Path) -> String {
    let name = page.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}
