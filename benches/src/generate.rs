//! Writes data files like those the numbers in the documentation were measured on.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::args::GenerateArgs;
use crate::random::Random;
use crate::workload::{TOUCHED, key, keys_file};

/// Distinct words in words.txt.
const WORDS: usize = 10_000;
/// Characters of a line of grep.txt, its end not counted.
const GREP_LINE: usize = 99;
/// One line in so many of grep.txt contains [`NEEDLE`].
const GREP_EVERY: usize = 100;
/// What W1 looks for.
pub(crate) const NEEDLE: &str = "timeout";

/// Batches in the files of W4.
const STATE_BATCHES: usize = 200;
/// The sizes of the states there are files for.
const STATES: [usize; 3] = [100_000, 1_000_000, 10_000_000];

/// Writes `words.txt`, `grep.txt` and the files of W4; equal arguments write equal bytes.
///
/// # Errors
/// If a file can not be written.
pub(crate) fn generate(args: &GenerateArgs) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!("writing data to {}: {error}: give a folder that can be written", args.folder.display())
    };
    fs::create_dir_all(&args.folder).map_err(failed)?;
    let text = Text::new(args.seed);
    file(&args.folder, "words.txt", |out| words(&text, args, out)).map_err(failed)?;
    file(&args.folder, "grep.txt", |out| grep(&text, args, out)).map_err(failed)?;
    for keys in STATES {
        file(&args.folder, &keys_file(keys), |out| touched(keys, args, out)).map_err(failed)?;
    }
    Ok(())
}

/// Writes a file under another name first: whoever finds it finds all of it.
fn file(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let partial = folder.join(format!("{name}.partial"));
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
    write(&mut out)?;
    out.flush()?;
    fs::rename(&partial, folder.join(name))
}

/// Lines of 8 to 12 words.
fn words(text: &Text, args: &GenerateArgs, out: &mut impl Write) -> std::io::Result<()> {
    let mut random = Random::new(args.seed ^ 0x776f_7264);
    let mut line = String::new();
    for _ in 0..args.lines {
        line.clear();
        for at in 0..8 + random.below(5) {
            if at > 0 {
                line.push(' ');
            }
            line.push_str(text.word(&mut random));
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// Lines of 99 characters, one of each hundred with the needle somewhere.
fn grep(text: &Text, args: &GenerateArgs, out: &mut impl Write) -> std::io::Result<()> {
    let mut random = Random::new(args.seed ^ 0x6772_6570);
    let mut line = String::new();
    let mut chosen = 0;
    for at in 0..args.lines {
        if at % GREP_EVERY == 0 {
            chosen = at + random.below(GREP_EVERY);
        }
        line.clear();
        while line.len() < GREP_LINE {
            line.push_str(text.word(&mut random));
            line.push(' ');
        }
        line.truncate(GREP_LINE);
        if at == chosen {
            let start = random.below(GREP_LINE - NEEDLE.len() + 1);
            line.replace_range(start..start + NEEDLE.len(), NEEDLE);
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// The keys that each batch of W4 touches, which are different in a batch.
fn touched(keys: usize, args: &GenerateArgs, out: &mut impl Write) -> std::io::Result<()> {
    let mut random = Random::new(args.seed ^ 0x6b65_7973);
    let mut batch = HashSet::new();
    for _ in 0..STATE_BATCHES {
        batch.clear();
        while batch.len() < TOUCHED {
            let n = random.below(keys);
            if batch.insert(n) {
                writeln!(out, "{}", key(n))?;
            }
        }
    }
    Ok(())
}

/// Words and how often each occurs: the n-th in proportion to 1/n (Zipf's law).
struct Text {
    words: Vec<String>,
    /// The sums of the frequencies of the words up to each one, the last 1.
    up_to: Vec<f64>,
}

impl Text {
    fn new(seed: u64) -> Text {
        let mut random = Random::new(seed);
        let mut words = Vec::with_capacity(WORDS);
        let mut known = HashSet::new();
        while words.len() < WORDS {
            let length = 3 + random.below(8);
            let word: String = (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
            // Lines without the needle must not contain it by chance.
            if !word.contains(NEEDLE) && known.insert(word.clone()) {
                words.push(word);
            }
        }
        let total: f64 = (1..=WORDS).map(|rank| 1.0 / rank as f64).sum();
        let mut sum = 0.0;
        let up_to = (1..=WORDS).map(|rank| {
            sum += 1.0 / rank as f64 / total;
            sum
        });
        Text { up_to: up_to.collect(), words }
    }

    fn word(&self, random: &mut Random) -> &str {
        let point = random.unit();
        let at = self.up_to.partition_point(|&up_to| up_to <= point);
        // The sums may end a rounding error below 1.
        &self.words[at.min(WORDS - 1)]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own for a test, removed at the end.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("bench-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn args(folder: &Folder, lines: usize, seed: u64) -> GenerateArgs {
        GenerateArgs { folder: folder.path().to_owned(), lines, seed }
    }

    fn written(lines: usize, seed: u64) -> (String, String) {
        let folder = Folder::new(&format!("generate-{lines}-{seed}-{:?}", std::thread::current().id()));
        generate(&args(&folder, lines, seed)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 + STATES.len());
        let keys = fs::read_to_string(folder.path().join(keys_file(100_000))).unwrap();
        let keys: Vec<&str> = keys.lines().collect();
        assert_eq!(keys.len(), STATE_BATCHES * TOUCHED);
        assert!(keys.chunks(TOUCHED).all(|batch| batch.iter().collect::<HashSet<_>>().len() == TOUCHED));
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        (read("words.txt"), read("grep.txt"))
    }

    #[test]
    fn equal_seeds_write_equal_files_and_others_differ() {
        let first = written(300, 5);
        assert_eq!(first, written(300, 5));
        let other = written(300, 6);
        assert!(first.0 != other.0 && first.1 != other.1);
    }

    #[test]
    fn fewer_lines_are_a_prefix() {
        let (long, short) = (written(300, 5), written(100, 5));
        assert!(long.0.starts_with(&short.0) && long.1.starts_with(&short.1));
    }

    #[test]
    fn lines_have_8_to_12_words_of_zipf() {
        let (words, _) = written(20_000, 1);
        let mut counts: HashMap<&str, f64> = HashMap::new();
        let mut lengths = [0; 13];
        for line in words.lines() {
            lengths[line.split(' ').count()] += 1;
            line.split(' ').for_each(|word| *counts.entry(word).or_default() += 1.0);
        }
        assert_eq!(words.lines().count(), 20_000);
        assert_eq!(lengths[..8], [0; 8]);
        assert!(lengths[8..].iter().all(|&n| (3_700..4_300).contains(&n)), "{lengths:?}");
        assert!(counts.len() > 9_000 && counts.len() <= WORDS, "{}", counts.len());
        let all: f64 = counts.values().sum();
        let harmonic: f64 = (1..=WORDS).map(|rank| 1.0 / rank as f64).sum();
        let mut sorted: Vec<f64> = counts.into_values().collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        for rank in [1, 2, 3, 5, 10, 30, 100] {
            let share = sorted[rank - 1] / all * rank as f64 * harmonic;
            assert!((0.9..1.1).contains(&share), "rank {rank}: {share}");
        }
    }

    #[test]
    fn one_line_in_a_hundred_has_the_needle() {
        let (_, grep) = written(5_000, 1);
        let lines: Vec<&str> = grep.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() == 99));
        for hundred in lines.chunks(100) {
            assert_eq!(hundred.iter().filter(|line| line.contains(NEEDLE)).count(), 1);
        }
    }
}
