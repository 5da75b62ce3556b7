//! What the command line says.

use crate::error::{Error, Result};
use crate::settings;

use super::surroundings::{Variable, variable};
use super::{Conf, Place};

/// The options, each with the word for its value and, if it stands for a setting, that setting's key.
const OPTIONS: [(&str, &str, Option<&str>); 5] = [
    ("--master", "URL", Some(settings::MASTER.key())),
    ("--name", "NAME", Some(settings::APP_NAME.key())),
    ("--conf", "KEY=VALUE", None),
    ("-c", "KEY=VALUE", None),
    ("--properties-file", "FILE", None),
];

impl Conf {
    /// Makes a conf from a program's arguments (without the program's own name) and the surroundings, and returns the
    /// arguments that are not settings.
    ///
    /// Understands `--master URL`, `--name NAME`, `--conf KEY=VALUE` (or `-c`), as often as one likes, and
    /// `--properties-file FILE`, which is then read instead of `spark-defaults.conf`; also `--option=VALUE`. They may
    /// stand anywhere before `--`, which is left out. `--master` and `--name` win over `--conf`.
    ///
    /// # Errors
    /// If an option has no value, `--conf` has none of the form `KEY=VALUE`, or the file can not be read.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, settings};
    ///
    /// let arguments = ["--master", "local[2]", "localhost", "9999", "--conf", "spark.task.maxFailures=2"];
    /// let (conf, rest) = Conf::from_args(arguments)?;
    /// assert_eq!(conf.get(settings::MASTER)?, "local[2]");
    /// assert_eq!(conf.get(settings::TASK_MAX_FAILURES)?, 2);
    /// assert_eq!(rest, ["localhost", "9999"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn from_args<A: Into<String>>(arguments: impl IntoIterator<Item = A>) -> Result<(Conf, Vec<String>)> {
        from_args_in(arguments.into_iter().map(Into::into), &variable)
    }
}

fn from_args_in(
    mut arguments: impl Iterator<Item = String>,
    variable: Variable<'_>,
) -> Result<(Conf, Vec<String>)> {
    let mut conf = Conf::empty();
    let mut named = Vec::new();
    let mut properties_file = None;
    let mut rest = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            rest.extend(arguments);
            break;
        }
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let Some((option, word, key)) = OPTIONS.into_iter().find(|(option, ..)| *option == name) else {
            rest.push(argument);
            continue;
        };
        let value = attached.or_else(|| arguments.next()).filter(|value| !value.starts_with("--"));
        let value = value.ok_or_else(|| wrong(option, "has no value", format!("write `{option} {word}`")))?;
        match key {
            Some(key) => named.push((key, value, option)),
            None if option == "--properties-file" => properties_file = Some(value),
            None => {
                let (key, value) = value.split_once('=').ok_or_else(|| {
                    wrong(option, &format!("`{value}` has no `=`"), format!("write `{option} {word}`"))
                })?;
                conf.give(Place::CommandLine, key, value.to_owned(), &format!("from {option}"));
            }
        }
    }
    for (key, value, option) in named {
        conf.give(Place::CommandLine, key, value, &format!("from {option}"));
    }
    conf.load_environment(variable);
    match properties_file {
        Some(file) => conf.load_properties(file.as_ref())?,
        None => conf.load_default_properties(variable),
    }
    Ok((conf, rest))
}

fn wrong(option: &str, problem: &str, remedy: String) -> Error {
    Error::Setting { key: option.to_owned(), problem: problem.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<(Conf, Vec<String>)> {
        from_args_in(arguments.iter().map(|argument| (*argument).to_owned()), &|_| None)
    }

    #[test]
    fn options_become_settings_and_the_rest_stays() {
        for arguments in [
            ["in", "--master", "local[2]", "--name", "x", "--conf", "a.b=c=d", "-c", "e=", "out", "-v"]
                .as_slice(),
            ["--master=local[2]", "in", "out", "--conf=a.b=c=d", "--name=x", "--conf", "e=", "-v"].as_slice(),
        ] {
            let (conf, rest) = parse(arguments).unwrap();
            assert_eq!(rest, ["in", "out", "-v"]);
            assert_eq!(conf.get(settings::MASTER).unwrap(), "local[2]");
            assert_eq!(conf.app_name().unwrap(), "x");
            assert_eq!(conf.get_raw("a.b").as_deref(), Some("c=d"));
            assert_eq!(conf.get_raw("e").as_deref(), Some(""));
        }
    }

    #[test]
    fn two_hyphens_end_the_options() {
        let (conf, rest) = parse(&["--name", "x", "--", "--name", "y", "--", "z"]).unwrap();
        assert_eq!(conf.app_name().unwrap(), "x");
        assert_eq!(rest, ["--name", "y", "--", "z"]);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let (conf, rest) =
            parse(&["--port", "9999", "--mastery=1", "-c=2", "--confuse", "=", "a=b"]).unwrap();
        assert_eq!(rest, ["--port", "9999", "--mastery=1", "-c=2", "--confuse", "=", "a=b"]);
        assert!(conf.all().is_empty());
    }

    #[test]
    fn the_last_wins_and_named_options_win_over_conf() {
        let (conf, _) =
            parse(&["--master", "local[3]", "-c", "spark.master=local[4]", "-c", "k=1", "-c", "k=2"])
                .unwrap();
        assert_eq!(conf.get(settings::MASTER).unwrap(), "local[3]");
        assert_eq!(conf.get_raw("k").as_deref(), Some("2"));
        let (conf, _) = parse(&["--name", "x", "--name=y"]).unwrap();
        assert_eq!(conf.app_name().unwrap(), "y");
    }

    #[test]
    fn missing_values_are_told() {
        for (arguments, says) in [
            (["--master"].as_slice(), "setting `--master`: has no value; write `--master URL`"),
            (&["--name", "--conf", "a=b"], "setting `--name`: has no value; write `--name NAME`"),
            (&["--conf", "--"], "setting `--conf`: has no value; write `--conf KEY=VALUE`"),
            (&["-c", "spark.master"], "setting `-c`: `spark.master` has no `=`; write `-c KEY=VALUE`"),
            (
                &["--properties-file"],
                "setting `--properties-file`: has no value; write `--properties-file FILE`",
            ),
        ] {
            assert_eq!(parse(arguments).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn a_properties_file_that_is_not_there_is_an_error() {
        let text = parse(&["--properties-file", "/no/such/file.conf"]).unwrap_err().to_string();
        assert!(text.starts_with("reading the properties file /no/such/file.conf: "), "{text}");
    }

    #[test]
    fn a_given_properties_file_is_read_instead_of_the_default_one() {
        let folder = std::env::temp_dir().join(format!("millstream-arguments-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("spark-defaults.conf"), "from.default yes\nboth default\n").unwrap();
        std::fs::write(folder.join("mine.conf"), "from.mine yes\nboth mine\n").unwrap();
        let variable = |name: &str| (name == "SPARK_CONF_DIR").then(|| folder.as_os_str().to_owned());
        let mine = folder.join("mine.conf").display().to_string();

        let arguments = ["--properties-file".to_owned(), mine];
        let (given, _) = from_args_in(arguments.into_iter(), &variable).unwrap();
        let (default, _) = from_args_in(std::iter::empty(), &variable).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();

        assert!(!given.contains("from.default"));
        assert_eq!(given.get_raw("both").as_deref(), Some("mine"));
        assert_eq!(default.get_raw("both").as_deref(), Some("default"));
    }

    #[test]
    fn arguments_win_over_the_environment() {
        let variable = |name: &str| (name == "MILLSTREAM_CONF").then(|| OsString::from("k=env; l=env"));
        let (conf, _) = from_args_in(["-c".to_owned(), "k=arg".to_owned()].into_iter(), &variable).unwrap();
        assert_eq!(conf.get_raw("k").as_deref(), Some("arg"));
        assert_eq!(conf.get_raw("l").as_deref(), Some("env"));
    }
}
