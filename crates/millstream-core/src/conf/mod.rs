//! `Conf`: what a program was told about how to run.
//!
//! | module | what is in it |
//! |---|---|
//! | `arguments` | what the command line says |
//! | `surroundings` | what the environment and the properties file say |
//! | `properties` | the format of properties files |
//! | `check` | which keys and values are accepted |
//! | `explain` | where values came from |

mod arguments;
mod check;
mod explain;
mod properties;
mod surroundings;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::settings::{self, Setting, Value};

/// The settings of a program, each with the place it came from.
///
/// A setting may be given in four places; the first of these that has it wins: in code ([`Conf::set`]), on the
/// command line ([`Conf::from_args`]), in the environment variable `MILLSTREAM_CONF`, in a properties file. Keys and
/// values are texts; [`Conf::get`] reads them as the type that the [table of settings](crate::settings) says. Giving
/// a setting never fails: what is wrong is told by [`Conf::validate`], which runs when the context is made.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream_core::{Conf, settings};
///
/// let conf = Conf::new()
///     .set_master("local[2]")
///     .set_app_name("NetworkWordCount")
///     .set("spark.streaming.blockInterval", "50ms");
/// assert_eq!(conf.get(settings::BLOCK_INTERVAL)?, Duration::from_millis(50));
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[doc(alias = "SparkConf")]
#[derive(Clone)]
#[must_use]
pub struct Conf {
    /// What each place says, per key. All of it is kept, so that it can be explained why a value holds.
    given: BTreeMap<String, BTreeMap<Place, Given>>,
    /// What went wrong on the way here; the first of it is what `validate` returns.
    problems: Vec<Error>,
}

/// Where a setting was given; a later one wins over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    PropertiesFile,
    Environment,
    CommandLine,
    Code,
}

#[derive(Debug, Clone)]
struct Given {
    value: String,
    /// The place in words, e.g. `from --conf` or `from /etc/spark/spark-defaults.conf, line 3`.
    origin: String,
}

impl Conf {
    /// Makes a conf that holds what the environment and the properties file say.
    ///
    /// The environment variable `MILLSTREAM_CONF` holds `key=value` pairs with `;` or line ends between them. The
    /// properties file is `$SPARK_CONF_DIR/spark-defaults.conf` or, if `SPARK_CONF_DIR` is not set,
    /// `$SPARK_HOME/conf/spark-defaults.conf`; it need not exist.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// // What is set in code wins over what the surroundings say.
    /// assert_eq!(Conf::new().set_app_name("counts").app_name()?, "counts");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn new() -> Conf {
        let mut conf = Conf::empty();
        conf.load_environment(&surroundings::variable);
        conf.load_default_properties(&surroundings::variable);
        conf
    }

    /// Makes a conf that holds nothing, whatever the surroundings say: for tests.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// assert!(Conf::empty().all().is_empty());
    /// ```
    pub fn empty() -> Conf {
        Conf { given: BTreeMap::new(), problems: Vec::new() }
    }

    /// Gives a setting. Blanks around the key do not count.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, settings};
    ///
    /// let conf = Conf::empty().set("spark.default.parallelism", "8");
    /// assert_eq!(conf.get(settings::DEFAULT_PARALLELISM)?, Some(8));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set(mut self, key: impl AsRef<str>, value: impl Into<String>) -> Conf {
        self.give(Place::Code, key.as_ref(), value.into(), "set in code");
        self
    }

    /// Says where the program runs, e.g. `local[2]`: the setting `spark.master`.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let context = Context::new(Conf::empty().set_master("local[3]"))?;
    /// assert_eq!(context.default_parallelism(), 3);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_master(self, master: impl Into<String>) -> Conf {
        self.set(settings::MASTER.key(), master)
    }

    /// Names the program: the setting `spark.app.name`.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set_app_name("counts");
    /// assert_eq!(conf.all(), [("spark.app.name".to_owned(), "counts".to_owned())]);
    /// ```
    pub fn set_app_name(self, name: impl Into<String>) -> Conf {
        self.set(settings::APP_NAME.key(), name)
    }

    /// Gives a setting unless it was given already, in whichever place.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, settings};
    ///
    /// let conf = Conf::empty().set_master("local[1]").set_if_missing("spark.master", "local[8]");
    /// assert_eq!(conf.get(settings::MASTER)?, "local[1]");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_if_missing(self, key: impl AsRef<str>, value: impl Into<String>) -> Conf {
        if self.contains(key.as_ref()) { self } else { self.set(key, value) }
    }

    /// Gives several settings.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set_all([("spark.app.name", "counts"), ("spark.master", "local[2]")]);
    /// assert_eq!(conf.all().len(), 2);
    /// ```
    pub fn set_all<K: AsRef<str>, V: Into<String>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Conf {
        pairs.into_iter().fold(self, |conf, (key, value)| conf.set(key, value))
    }

    /// Returns the value of a setting of the table, or its default.
    ///
    /// # Errors
    /// If the text that was given can not be read as the setting's type, or is out of its bounds.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, settings};
    ///
    /// let conf = Conf::empty().set("spark.task.maxFailures", "often");
    /// assert_eq!(
    ///     conf.get(settings::TASK_MAX_FAILURES).unwrap_err().to_string(),
    ///     "setting `spark.task.maxFailures`: `often` is not an integer (set in code); \
    ///      write a whole number, without unit or fraction"
    /// );
    /// ```
    pub fn get<T: Value>(&self, setting: Setting<T>) -> Result<T> {
        match self.lookup(setting.key()) {
            Some((key, given)) => setting.read(&given.value).map_err(|wrong| Error::Setting {
                key: key.to_owned(),
                problem: format!("{} ({})", wrong.problem, given.origin),
                remedy: wrong.remedy,
            }),
            None => setting.fallback().map_err(|wrong| Error::Setting {
                key: setting.key().to_owned(),
                problem: wrong.problem,
                remedy: wrong.remedy,
            }),
        }
    }

    /// Returns the text that was given for a key, known or not; `None` if none was, also if there is a default.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set("my.topic", "orders");
    /// assert_eq!(conf.get_raw("my.topic").as_deref(), Some("orders"));
    /// assert_eq!(conf.get_raw("spark.task.maxFailures"), None);
    /// ```
    #[doc(alias = "getOption")]
    pub fn get_raw(&self, key: impl AsRef<str>) -> Option<String> {
        self.lookup(key.as_ref()).map(|(_, given)| given.value.clone())
    }

    /// Tells whether a value was given for a key.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set_app_name("counts");
    /// assert!(conf.contains("spark.app.name") && !conf.contains("spark.master"));
    /// ```
    pub fn contains(&self, key: impl AsRef<str>) -> bool {
        self.lookup(key.as_ref()).is_some()
    }

    /// Returns the name of the application: `spark.app.name`, else the name of the program's file.
    ///
    /// # Errors
    /// If the name that was given is empty.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// assert_eq!(Conf::empty().set_app_name("counts").app_name()?, "counts");
    /// assert!(!Conf::empty().app_name()?.is_empty(), "the name of the program's file");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn app_name(&self) -> Result<String> {
        Ok(self.get(settings::APP_NAME)?.unwrap_or_else(surroundings::program_name))
    }

    /// Returns all keys for which a value was given, with the value that holds, in order of the keys.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Conf;
    ///
    /// let conf = Conf::empty().set_master("local[2]").set_app_name("counts");
    /// let keys: Vec<_> = conf.all().into_iter().map(|(key, _)| key).collect();
    /// assert_eq!(keys, ["spark.app.name", "spark.master"]);
    /// ```
    #[doc(alias = "getAll")]
    pub fn all(&self) -> Vec<(String, String)> {
        let holding =
            |places: &BTreeMap<Place, Given>| places.values().next_back().map(|given| given.value.clone());
        self.given.iter().filter_map(|(key, places)| Some((key.clone(), holding(places)?))).collect()
    }

    /// Finds what was given for a key, or for the old key of the same setting.
    fn lookup(&self, key: &str) -> Option<(&str, &Given)> {
        let holding = |key: &str| {
            let (key, places) = self.given.get_key_value(key)?;
            Some((key.as_str(), places.values().next_back()?))
        };
        let key = key.trim();
        holding(key).or_else(|| holding(settings::find(key)?.old_key?))
    }

    fn give(&mut self, place: Place, key: &str, value: String, origin: &str) {
        let given = Given { value, origin: origin.to_owned() };
        self.given.entry(key.trim().to_owned()).or_default().insert(place, given);
    }
}

impl Default for Conf {
    /// The same as [`Conf::new`].
    fn default() -> Conf {
        Conf::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_later_place_wins_over_an_earlier_one() {
        let places = [Place::PropertiesFile, Place::Environment, Place::CommandLine, Place::Code];
        for (i, low) in places.iter().enumerate() {
            for high in &places[i + 1..] {
                let mut conf = Conf::empty();
                conf.give(*high, "spark.master", "local[1]".to_owned(), "");
                conf.give(*low, "spark.master", "local[2]".to_owned(), "");
                assert_eq!(conf.get(settings::MASTER).unwrap(), "local[1]");
            }
        }
    }

    #[test]
    fn the_last_of_one_place_wins() {
        let conf = Conf::empty().set("spark.master", "local[1]").set("spark.master", "local[2]");
        assert_eq!(conf.all(), [("spark.master".to_owned(), "local[2]".to_owned())]);
    }

    #[test]
    fn keys_are_trimmed() {
        let conf = Conf::empty().set(" spark.task.maxFailures\t", "7");
        assert_eq!(conf.get(settings::TASK_MAX_FAILURES).unwrap(), 7);
        assert_eq!(conf.get_raw(" spark.task.maxFailures "), Some("7".to_owned()));
        assert!(conf.contains("spark.task.maxFailures"));
    }

    #[test]
    fn defaults_hold_where_nothing_was_given() {
        let conf = Conf::empty();
        assert_eq!(conf.get(settings::MASTER).unwrap(), "local[*]");
        assert_eq!(conf.get(settings::DEFAULT_PARALLELISM).unwrap(), None);
        assert_eq!(conf.get(settings::BLOCK_INTERVAL).unwrap(), Duration::from_millis(200));
        assert_eq!(conf.get(settings::SOCKET_MAX_LINE_BYTES).unwrap(), 16 << 20);
        assert_eq!(conf.get(settings::RECEIVER_MAX_BACKLOG).unwrap(), 512 << 20);
        assert!(!conf.get(settings::CLOSURES_STRICT).unwrap());
        assert!(!conf.contains("spark.master"));
        assert!(!conf.app_name().unwrap().is_empty());
    }

    #[test]
    fn several_can_be_given_at_once() {
        let conf = Conf::empty()
            .set_all([("spark.app.name", "words"), ("spark.default.parallelism", "3")])
            .set_if_missing("spark.app.name", "lines")
            .set_if_missing("my.key", "x");
        assert_eq!(conf.app_name().unwrap(), "words");
        assert_eq!(conf.get(settings::DEFAULT_PARALLELISM).unwrap(), Some(3));
        assert_eq!(conf.get_raw("my.key").as_deref(), Some("x"));
    }

    #[test]
    fn an_old_key_is_read_where_the_new_one_is_not_given() {
        let old = "spark.streaming.minRememberDuration";
        let new = settings::FILE_STREAM_MIN_REMEMBER_DURATION;
        let conf = Conf::empty().set(old, "5");
        assert_eq!(conf.get(new).unwrap(), Duration::from_secs(5));
        assert!(conf.contains(new.key()));
        let mut conf = conf;
        conf.give(Place::PropertiesFile, new.key(), "7s".to_owned(), "");
        assert_eq!(conf.get(new).unwrap(), Duration::from_secs(7), "the new key wins from any place");
    }

    #[test]
    fn a_wrong_value_is_told_with_its_place() {
        let conf = Conf::empty().set("spark.streaming.blockInterval", "0ms");
        assert_eq!(
            conf.get(settings::BLOCK_INTERVAL).unwrap_err().to_string(),
            "setting `spark.streaming.blockInterval`: `0ms` is not more than 0 (set in code); \
             write a value that is more than 0"
        );
        assert!(Conf::empty().set_app_name(" ").app_name().is_err());
    }
}
