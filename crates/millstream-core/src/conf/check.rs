//! Which keys and values are accepted.

use crate::error::{Error, Result};
use crate::settings::{self, Effect, family_of, is_close, nearest};

use super::Conf;

/// Beginnings of keys that nobody else may use: an unknown key under them does not exist.
const OURS: [&str; 2] = ["spark.streaming.", "millstream."];

impl Conf {
    /// Checks all that was given: that keys are known or nobody's, and that values can be read.
    ///
    /// Of a setting that was given in several places only the value that holds is read.
    ///
    /// # Errors
    /// The first thing that is wrong, in the order of the keys: an argument, file or environment variable that could
    /// not be read; a value that can not be read as its setting's type; an unknown key that begins with
    /// `spark.streaming.` or `millstream.`, or that looks like a misspelling of a known one.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set("spark.streaming.blokInterval", "50ms");
    /// assert_eq!(
    ///     conf.validate().unwrap_err().to_string(),
    ///     "setting `spark.streaming.blokInterval`: there is no such setting (set in code); \
    ///      write `spark.streaming.blockInterval`, the nearest key"
    /// );
    /// ```
    pub fn validate(&self) -> Result<()> {
        if let Some(problem) = self.problems.first() {
            return Err(problem.clone());
        }
        for (key, places) in &self.given {
            let Some(given) = places.values().next_back() else { continue };
            let wrong = |problem: &str, remedy: String| Error::Setting {
                key: key.clone(),
                problem: format!("{problem} ({})", given.origin),
                remedy,
            };
            if key.is_empty() {
                return Err(wrong("the key is empty", "write a key before the value".to_owned()));
            }
            if let Some(row) = settings::row(key) {
                row.check(&given.value).map_err(|value| wrong(&value.problem, value.remedy))?;
            } else if let Some(meant) = meant_by(key) {
                return Err(wrong("there is no such setting", format!("write `{meant}`, the nearest key")));
            }
        }
        Ok(())
    }

    /// Returns what the user should know, though nothing is wrong: at most one notice on all settings that are
    /// accepted without effect, and one on each old key.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set("spark.kryo.unsafe", "true").set("spark.speculation", "true");
    /// assert_eq!(
    ///     conf.notices(),
    ///     ["settings without effect here: spark.kryo.unsafe (records are written by serde, not by Kryo), \
    ///       spark.speculation (no task is run twice at the same time)"]
    /// );
    /// ```
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let idle: Vec<String> = self
            .given
            .keys()
            .filter_map(|key| without_effect(key).map(|why| format!("{key} ({why})")))
            .collect();
        if !idle.is_empty() {
            notices.push(format!("settings without effect here: {}", idle.join(", ")));
        }
        for key in self.given.keys() {
            if let Some(facts) = settings::find(key).filter(|facts| facts.old_key == Some(key)) {
                notices.push(format!("`{key}` is the old key of `{}`: write that instead", facts.key));
            }
        }
        notices
    }
}

/// Returns the known key that an unknown one must have been meant to be; `None` if the key may stand as it is.
fn meant_by(key: &str) -> Option<&'static str> {
    let nearest = nearest(key)?;
    let ours = OURS.iter().any(|beginning| key.starts_with(beginning));
    (ours || is_close(key, nearest)).then_some(nearest)
}

/// Says why nothing follows from a known key; `None` if it is used or unknown.
fn without_effect(key: &str) -> Option<&'static str> {
    match settings::find(key) {
        Some(facts) => match facts.effect {
            Effect::Used => None,
            Effect::AcceptedWithoutEffect(why) => Some(why),
        },
        // File systems that connectors register read theirs.
        None if key.starts_with("spark.hadoop.fs.") => None,
        None => family_of(key).map(|family| family.why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(key: &str, value: &str) -> Option<String> {
        Conf::empty().set(key, value).validate().err().map(|error| error.to_string())
    }

    #[test]
    fn misspelt_keys_are_refused_with_the_nearest() {
        for (key, nearest) in [
            ("spark.streaming.blokInterval", "spark.streaming.blockInterval"),
            ("spark.streaming.blockinterval", "spark.streaming.blockInterval"),
            ("spark.streaming.receiver.maxrate", "spark.streaming.receiver.maxRate"),
            ("millstream.closure.strict", "millstream.closures.strict"),
            ("spark.mastr", "spark.master"),
            ("spark.app.nmae", "spark.app.name"),
            ("Spark.App.Name", "spark.app.name"),
            ("spark.defaultparallelism", "spark.default.parallelism"),
            ("spark.executor.memmory", "spark.executor.memory"),
        ] {
            let text = problem(key, "1").unwrap();
            let end = format!("there is no such setting (set in code); write `{nearest}`, the nearest key");
            assert!(text.ends_with(&end), "{text}");
        }
    }

    #[test]
    fn unknown_keys_of_ours_are_refused_however_far() {
        for key in ["spark.streaming.wibble", "millstream.wobble", "spark.streaming.x.extraJavaOptions"] {
            assert!(problem(key, "1").is_some_and(|text| text.contains("the nearest key")), "{key}");
        }
    }

    /// Settings of Spark's that are not in the table, among them those most like one that is.
    #[test]
    fn other_keys_are_kept() {
        for key in [
            "spark.sql.shuffle.partitions",
            "spark.sql.streaming.checkpointLocation",
            "spark.local.dir",
            "spark.logConf",
            "spark.task.cpus",
            "spark.files",
            "spark.archives",
            "spark.ui.prometheus.enabled",
            "spark.admin.acls.groups",
            "spark.driver.host",
            "spark.driver.port",
            "spark.executor.memoryOverhead",
            "spark.locality.wait.node",
            "spark.rpc.numRetries",
            "my.own.key",
            "master",
        ] {
            assert_eq!(problem(key, "anything"), None);
            assert_eq!(Conf::empty().set(key, "v").get_raw(key).as_deref(), Some("v"));
        }
    }

    #[test]
    fn values_are_checked_also_without_effect() {
        for (key, value, says) in [
            ("spark.streaming.blockInterval", "fast", "`fast` is not a duration (set in code)"),
            ("spark.executor.memory", "1.5g", "`1.5g` has a fraction (set in code)"),
            ("spark.streaming.backpressure.rateEstimator", "dream", "`dream` is not pid, the only estimator"),
            ("spark.io.encryption.enabled", "true", "`true` is not false: this version can not encrypt"),
            ("spark.streaming.minRememberDuration", "x", "`x` is not a duration"),
            ("", "1", "the key is empty"),
            ("  ", "1", "the key is empty"),
        ] {
            assert!(problem(key, value).unwrap().contains(says), "{key}={value}: {:?}", problem(key, value));
        }
        assert_eq!(problem("spark.executor.memory", "2g"), None);
        assert_eq!(problem("spark.scheduler.mode", "fair"), None);
    }

    #[test]
    fn only_the_value_that_holds_is_read() {
        let mut conf = Conf::empty().set("spark.task.maxFailures", "2");
        conf.give(super::super::Place::PropertiesFile, "spark.task.maxFailures", "x".to_owned(), "");
        assert!(conf.validate().is_ok());
    }

    #[test]
    fn notices_are_one_for_all_that_is_idle() {
        let conf = Conf::empty()
            .set_master("local[2]")
            .set("my.key", "x")
            .set("spark.executor.extraJavaOptions", "-Xss4m")
            .set("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
            .set("spark.testing", "true");
        assert_eq!(
            conf.notices(),
            [
                "settings without effect here: spark.executor.extraJavaOptions (there is no Java virtual machine), \
              spark.serializer (records are written by serde), spark.testing (it is a switch for Spark's own tests)"
            ]
        );
        assert!(Conf::empty().set_master("local[2]").set("my.key", "x").notices().is_empty());
    }

    #[test]
    fn an_old_key_is_noticed() {
        let notices = Conf::empty().set("spark.streaming.minRememberDuration", "5s").notices();
        assert!(notices.iter().any(|notice| notice
            == "`spark.streaming.minRememberDuration` is the old key of \
                `spark.streaming.fileStream.minRememberDuration`: write that instead"));
    }
}
