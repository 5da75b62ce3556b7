//! Where values came from.

use std::fmt;

use crate::settings;

use super::Conf;

impl Conf {
    /// Says which value a key has, where it came from, what it hides, and what the default is.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let (conf, _) = Conf::from_args(["--conf", "spark.task.maxFailures=8"])?;
    /// assert_eq!(
    ///     conf.set("spark.task.maxFailures", "2").explain("spark.task.maxFailures"),
    ///     "spark.task.maxFailures = 2 (set in code); hides 8 (from --conf); the default is 4"
    /// );
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn explain(&self, key: impl AsRef<str>) -> String {
        let key = key.as_ref().trim();
        let facts = settings::find(key);
        let mut text = match self.lookup(key) {
            Some((given_key, given)) => {
                let mut text = format!("{given_key} = {} ({})", shown(given_key, &given.value), given.origin);
                let hidden =
                    self.given.get(given_key).into_iter().flat_map(|places| places.values().rev().skip(1));
                for (i, given) in hidden.enumerate() {
                    let before = if i == 0 { "; hides" } else { "," };
                    text += &format!("{before} {} ({})", shown(given_key, &given.value), given.origin);
                }
                text
            }
            None => format!("{key} is not set"),
        };
        if let Some(facts) = facts {
            match (facts.default, facts.when_unset) {
                (Some(default), _) => text += &format!("; the default is {default}"),
                (None, Some(meaning)) => text += &format!("; without it: {meaning}"),
                (None, None) => {}
            }
        }
        text
    }

    /// Returns `key=value` of all that was given, a line each, in order of the keys.
    ///
    /// The values of keys that contain `secret`, `password`, `token` or `access key` are hidden, as in Spark.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set_master("local[2]").set("my.password", "1234");
    /// assert_eq!(conf.to_debug_string(), "my.password=*********(redacted)\nspark.master=local[2]");
    /// ```
    pub fn to_debug_string(&self) -> String {
        let lines: Vec<String> =
            self.all().iter().map(|(key, value)| format!("{key}={}", shown(key, value))).collect();
        lines.join("\n")
    }
}

impl fmt::Debug for Conf {
    /// Writes the keys and values, secrets hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all();
        f.debug_map().entries(all.iter().map(|(key, value)| (key, shown(key, value)))).finish()
    }
}

/// Returns the value as it may be shown to anybody.
fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    let key = key.to_ascii_lowercase();
    let secret =
        ["secret", "password", "token", "accesskey", "access.key"].iter().any(|word| key.contains(word));
    if secret { "*********(redacted)" } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    #[test]
    fn all_places_are_named_in_order() {
        let mut conf = Conf::empty().set("spark.master", "local[4]");
        conf.give(Place::PropertiesFile, "spark.master", "local[1]".to_owned(), "from a.conf, line 1");
        conf.give(Place::Environment, "spark.master", "local[2]".to_owned(), "from MILLSTREAM_CONF");
        assert_eq!(
            conf.explain("spark.master"),
            "spark.master = local[4] (set in code); hides local[2] (from MILLSTREAM_CONF), \
             local[1] (from a.conf, line 1); the default is local[*]"
        );
    }

    #[test]
    fn what_was_not_given_is_explained_too() {
        let conf = Conf::empty();
        assert_eq!(conf.explain("my.key"), "my.key is not set");
        assert_eq!(
            conf.explain("spark.task.maxFailures"),
            "spark.task.maxFailures is not set; the default is 4"
        );
        assert_eq!(
            conf.explain("spark.default.parallelism"),
            "spark.default.parallelism is not set; without it: the number of worker threads"
        );
    }

    #[test]
    fn an_old_key_is_shown_as_it_was_written() {
        let conf = Conf::empty().set("spark.streaming.minRememberDuration", "5s");
        assert_eq!(
            conf.explain("spark.streaming.fileStream.minRememberDuration"),
            "spark.streaming.minRememberDuration = 5s (set in code); the default is 60s"
        );
    }

    #[test]
    fn secrets_are_hidden_everywhere() {
        for key in
            ["spark.authenticate.secret", "my.Password", "fs.s3a.access.key", "fs.accessKey", "auth.TOKEN"]
        {
            let conf = Conf::empty().set(key, "hush");
            for text in [conf.to_debug_string(), conf.explain(key), format!("{conf:?}")] {
                assert!(text.contains("redacted") && !text.contains("hush"), "{text}");
            }
            assert_eq!(conf.get_raw(key).as_deref(), Some("hush"));
        }
    }
}
