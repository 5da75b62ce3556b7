//! What the environment and the properties file say.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::properties::properties;
use super::{Conf, Place};

/// The environment variable with settings.
const VARIABLE: &str = "MILLSTREAM_CONF";

/// How a variable of the environment is looked up; tests hand in their own.
pub(super) type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

pub(super) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

pub(super) fn program_name() -> String {
    let file = env::current_exe().ok();
    let stem = file.as_deref().and_then(Path::file_stem);
    stem.map_or_else(|| "millstream".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

impl Conf {
    /// Takes over the pairs of `MILLSTREAM_CONF`.
    pub(super) fn load_environment(&mut self, variable: Variable<'_>) {
        let Some(text) = variable(VARIABLE) else { return };
        let Ok(text) = text.into_string() else {
            return self.wrong_environment("it is not UTF-8");
        };
        for pair in text.split([';', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some((key, value)) => {
                    let value = value.trim().to_owned();
                    self.give(
                        Place::Environment,
                        key,
                        value,
                        "from the environment variable MILLSTREAM_CONF",
                    );
                }
                None => self.wrong_environment(&format!("`{pair}` has no `=`")),
            }
        }
    }

    /// Takes over the properties file that Spark would read; it need not exist.
    pub(super) fn load_default_properties(&mut self, variable: Variable<'_>) {
        let given = |name: &str| variable(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let folder = given("SPARK_CONF_DIR").or_else(|| given("SPARK_HOME").map(|home| home.join("conf")));
        let Some(folder) = folder else { return };
        let file = folder.join("spark-defaults.conf");
        if file.exists()
            && let Err(problem) = self.load_properties(&file)
        {
            self.problems.push(problem);
        }
    }

    /// Takes over a properties file.
    pub(super) fn load_properties(&mut self, file: &Path) -> Result<()> {
        let reading = || format!("reading the properties file {}", file.display());
        let text = fs::read_to_string(file).map_err(|error| Error::io(reading(), error))?;
        let found = properties(&text).map_err(|wrong| Error::Setting {
            key: wrong.key,
            problem: format!("{} (from {}, line {})", wrong.problem, file.display(), wrong.line),
            remedy: wrong.remedy,
        })?;
        for property in found {
            let origin = format!("from {}, line {}", file.display(), property.line);
            self.give(Place::PropertiesFile, &property.key, property.value, &origin);
        }
        Ok(())
    }

    fn wrong_environment(&mut self, problem: &str) {
        self.problems.push(Error::Setting {
            key: VARIABLE.to_owned(),
            problem: problem.to_owned(),
            remedy: "write KEY=VALUE pairs with `;` between them".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Conf {
        let mut conf = Conf::empty();
        conf.load_environment(&|name| (name == VARIABLE).then(|| OsString::from(text)));
        conf
    }

    /// Writes files into a folder of this test and removes it afterwards.
    fn in_folder(name: &str, files: &[(&str, &[u8])], test: impl FnOnce(&Path)) {
        let folder = env::temp_dir().join(format!("millstream-{name}-{}", std::process::id()));
        for (file, text) in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        test(&folder);
        fs::remove_dir_all(&folder).unwrap();
    }

    fn defaults(variables: &[(&str, &Path)]) -> Conf {
        let mut conf = Conf::empty();
        conf.load_default_properties(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.as_os_str().to_owned())
        });
        conf
    }

    #[test]
    fn the_environment_holds_pairs() {
        let conf = environment("spark.master=local[3]; a = b=c ;;\n spark.app.name=two words\nempty=\n");
        assert_eq!(conf.to_debug_string(), "a=b=c\nempty=\nspark.app.name=two words\nspark.master=local[3]");
        assert!(conf.validate().is_ok());
        assert!(conf.explain("a").contains("(from the environment variable MILLSTREAM_CONF)"));
        assert!(environment("").all().is_empty());
    }

    #[test]
    fn a_pair_without_sign_is_told_when_the_context_is_made() {
        let conf = environment("spark.master=local[3];strict");
        assert_eq!(
            conf.validate().unwrap_err().to_string(),
            "setting `MILLSTREAM_CONF`: `strict` has no `=`; write KEY=VALUE pairs with `;` between them"
        );
    }

    #[cfg(unix)]
    #[test]
    fn an_environment_that_is_no_text_is_told() {
        use std::os::unix::ffi::OsStringExt;

        let mut conf = Conf::empty();
        conf.load_environment(&|_| Some(OsString::from_vec(vec![b'a', b'=', 0xff])));
        assert!(conf.validate().unwrap_err().to_string().contains("it is not UTF-8"));
    }

    #[test]
    fn the_conf_folder_goes_before_the_home() {
        let files: [(&str, &[u8]); 2] = [
            ("a/spark-defaults.conf", b"# comment\nspark.master local[5]\n"),
            ("home/conf/spark-defaults.conf", b"spark.master local[6]\n"),
        ];
        in_folder("defaults", &files, |folder| {
            let (a, home) = (folder.join("a"), folder.join("home"));
            let conf = defaults(&[("SPARK_CONF_DIR", &a), ("SPARK_HOME", &home)]);
            let file = a.join("spark-defaults.conf");
            assert_eq!(
                conf.explain("spark.master"),
                format!("spark.master = local[5] (from {}, line 2); the default is local[*]", file.display())
            );
            let conf = defaults(&[("SPARK_CONF_DIR", Path::new("")), ("SPARK_HOME", &home)]);
            assert_eq!(conf.get_raw("spark.master").as_deref(), Some("local[6]"));
            let conf = defaults(&[("SPARK_CONF_DIR", &folder.join("none")), ("SPARK_HOME", &home)]);
            assert!(conf.all().is_empty() && conf.validate().is_ok());
            assert!(defaults(&[]).all().is_empty());
        });
    }

    #[test]
    fn files_that_can_not_be_read_are_told() {
        let files: [(&str, &[u8]); 2] =
            [("a/spark-defaults.conf", b"k \xff"), ("b/spark-defaults.conf", b"good 1\nbad \\u12x4\n")];
        in_folder("unreadable", &files, |folder| {
            let text = |part: &str| {
                defaults(&[("SPARK_CONF_DIR", &folder.join(part))]).validate().unwrap_err().to_string()
            };
            assert!(text("a").starts_with("reading the properties file "), "{}", text("a"));
            assert!(text("b").contains("`\\u12x4`") && text("b").contains("line 2"), "{}", text("b"));
        });
    }
}
