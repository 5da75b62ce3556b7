//! Every command of the documentation does what the page says. `page.rs` describes the convention.

use crate::page::{self, Block, blocks};
use crate::programs::{Ending, Program, ScratchFolder, free_port, root};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// No command of a page may take longer; a release build on a small machine takes some minutes.
const LIMIT: Duration = Duration::from_secs(600);

#[test]
fn the_commands_of_the_readme_work() {
    run_page("README.md");
}

#[test]
fn the_commands_of_the_contributors_page_work() {
    run_page("CONTRIBUTING.md");
}

#[test]
fn the_commands_and_programs_of_the_guide_work() {
    let pages = page::pages(&root()).unwrap();
    let pages = pages.iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
    let pages: Vec<String> = pages.filter(|page| page.starts_with("docs/")).collect();
    assert!(!pages.is_empty(), "docs/ holds no page");
    pages.iter().for_each(|page| run_page(page));
}

fn run_page(path: &str) {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    if let Err(message) = run_text(path, &text, &root()) {
        panic!("{path}: {message}");
    }
}

/// Runs the commands of a page one after the other in `folder`, and its programs, each in an empty folder.
fn run_text(path: &str, page: &str, folder: &Path) -> Result<(), String> {
    let blocks = blocks(page).map_err(|mistake| mistake.to_string())?;
    let mut ports = HashMap::new();
    for port in blocks.iter().filter_map(|block| block.port) {
        ports.entry(port).or_insert_with(free_port);
    }
    let mut in_background = Vec::new();
    for block in blocks.iter().filter(|block| block.skip.is_none()) {
        let empty_folder = block.is_program().then(ScratchFolder::new);
        let folder = empty_folder.as_ref().map_or(folder, ScratchFolder::path);
        let (script, mut command) = command(path, block, &ports);
        eprintln!("line {}: {script}", block.line);
        let mut program = Program::start(command.current_dir(folder));
        program.input(&block.input);
        if block.background {
            in_background.push((block.line, program));
            continue;
        }
        if block.input.is_empty() {
            program.end_input();
        }
        let failure = finish(block, &mut program).err();
        let deserted = in_background.iter_mut().find_map(|(line, p)| (!p.is_running()).then_some(*line));
        in_background.clear();
        if let Some(failure) = failure {
            let deserted = deserted.map(|line| format!("; the command of line {line} had ended before it"));
            return Err(format!("line {}: `{script}` {failure}{}", block.line, deserted.unwrap_or_default()));
        }
    }
    match in_background.first() {
        None => Ok(()),
        Some((line, _)) => Err(format!("line {line}: nothing follows the command in the background")),
    }
}

fn finish(block: &Block, program: &mut Program) -> Result<(), String> {
    let ending = program.watch(block.until.as_deref(), LIMIT);
    if let Some(missing) = block.expect.iter().find(|text| !program.seen().contains(*text)) {
        return Err(format!("did not print `{missing}` ({ending:?})"));
    }
    match (ending, &block.until) {
        (Ending::Printed, _) => Ok(()),
        (Ending::Exited(status), None) if status.success() => Ok(()),
        (Ending::Exited(status), None) => Err(format!("failed ({status})")),
        (Ending::Exited(status), Some(text)) => Err(format!("ended ({status}) before it printed `{text}`")),
        (Ending::TimedOut, _) => Err(format!("was still running after {} s", LIMIT.as_secs())),
    }
}

/// A block as a command, and its text.
fn command(path: &str, block: &Block, ports: &HashMap<u16, u16>) -> (String, Command) {
    if !block.is_program() {
        let script = script(block, ports);
        let command = shell(&script);
        return (script, command);
    }
    let name = page::program_name(path, block);
    let mut command = Command::new(env!("CARGO_BIN_EXE_guide"));
    command.arg(&name);
    for (written, free) in ports {
        command.env(format!("MILLSTREAM_GUIDE_PORT_{written}"), free.to_string());
    }
    (format!("guide {name}"), command)
}

/// The block's script with its appended arguments and with free ports in the place of the page's.
fn script(block: &Block, ports: &HashMap<u16, u16>) -> String {
    let mut script = block.script.clone();
    if let Some(arguments) = &block.append {
        script = format!("{script} {arguments}");
    }
    for (written, free) in ports {
        script = script.replace(&written.to_string(), &free.to_string());
    }
    script
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]);
    // What cargo tells a test about its own package is not for the commands it runs.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

#[test]
fn a_page_whose_commands_work_passes() {
    let page = "<!-- run: expect a b -->\n```sh\nx=a\necho $x\n```\n".replace("echo $x", "echo $x b");
    run_text("a.md", &page, Path::new("/")).unwrap();
    run_text(
        "a.md",
        "<!-- run: append -e 'c\\nd' -->\n<!-- run: expect d -->\n```sh\necho\n```\n",
        Path::new("/"),
    )
    .unwrap();
    run_text("a.md", "<!-- run: skip because it fails -->\n```sh\nfalse\n```\n", Path::new("/")).unwrap();
    run_text(
        "a.md",
        "<!-- run: input hello -->\n<!-- run: until hello -->\n```console\n$ cat\nhello\n```\n",
        Path::new("/"),
    )
    .unwrap();
}

#[test]
fn commands_talk_to_the_one_in_the_background_over_a_free_port() {
    let folder = std::env::temp_dir().join(format!("millstream-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // `99''99` is 9999 for bash, but not the page's number, which alone stands for the free port.
    let page = "<!-- run: background -->\n<!-- run: port 9999 -->\n```sh\necho 9999 > new; mv new port; cat\n```\n\
                ```sh\nuntil test -e port; do sleep 0.01; done\ntest $(cat port) = 9999\ntest $(cat port) != 99''99\n```\n";
    let outcome = run_text("a.md", page, &folder);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_page_whose_commands_do_not_work_fails() {
    for (page, what) in [
        ("```sh\nfalse\ntrue\n```\n", "failed (exit status: 1)"),
        ("<!-- run: expect b -->\n```sh\necho a\n```\n", "did not print `b`"),
        ("<!-- run: until b -->\n```sh\necho a\n```\n", "before it printed `b`"),
        ("<!-- run: background -->\n```sh\ntrue\n```\n", "nothing follows"),
        ("<!-- run: often -->\n```sh\ntrue\n```\n", "line 1: "),
    ] {
        let message = run_text("a.md", page, Path::new("/")).unwrap_err();
        assert!(message.contains(what), "{page:?}: {message}");
    }
}
