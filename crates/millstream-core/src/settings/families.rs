//! Keys that are known by their beginning or their end only.

/// Settings that are accepted without effect as a whole, whatever their values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family {
    /// The keys, with a star for what varies, e.g. `spark.kryo.*`.
    pub pattern: &'static str,
    /// Why nothing follows from them.
    pub why: &'static str,
}

impl Family {
    /// Returns the families, in the order in which a key is looked up.
    pub const fn all() -> &'static [Family] {
        FAMILIES
    }

    /// A star after a dot stands for at least one character.
    fn has(&self, key: &str) -> bool {
        let Some((begin, end)) = self.pattern.split_once('*') else { return key == self.pattern };
        let varying = key.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
        varying.is_some_and(|varying| !varying.is_empty() || !begin.ends_with('.'))
    }
}

/// Finds the family of a key that is no row of the table.
pub(crate) fn family_of(key: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.has(key))
}

const NO_JVM: &str = "there is no Java virtual machine";
const ONE_PROCESS: &str = "the program runs in one process";

static FAMILIES: &[Family] = &[
    Family { pattern: "spark.*.extraJavaOptions", why: NO_JVM },
    Family { pattern: "spark.*.defaultJavaOptions", why: NO_JVM },
    Family { pattern: "spark.*.extraClassPath", why: NO_JVM },
    Family { pattern: "spark.*.extraLibraryPath", why: NO_JVM },
    Family { pattern: "spark.*.userClassPathFirst", why: NO_JVM },
    Family { pattern: "spark.jars*", why: NO_JVM },
    Family { pattern: "spark.testing*", why: "it is a switch for Spark's own tests" },
    Family { pattern: "spark.kryo.*", why: "records are written by serde, not by Kryo" },
    Family { pattern: "spark.kryoserializer.*", why: "records are written by serde, not by Kryo" },
    Family {
        pattern: "spark.serializer.*",
        why: "records are written by serde, not by Java's serialisation",
    },
    Family {
        pattern: "spark.hadoop.*",
        why: "no Hadoop library is used (but `spark.hadoop.fs.*` by object stores)",
    },
    Family { pattern: "spark.executor.*", why: ONE_PROCESS },
    Family { pattern: "spark.executorEnv.*", why: ONE_PROCESS },
    Family {
        pattern: "spark.driver.*",
        why: "the driver is the program itself, which the operating system limits",
    },
    Family { pattern: "spark.dynamicAllocation.*", why: ONE_PROCESS },
    Family { pattern: "spark.shuffle.service.*", why: ONE_PROCESS },
    Family { pattern: "spark.locality.wait.*", why: "every task runs beside its data" },
    Family { pattern: "spark.speculation.*", why: "no task is run twice at the same time" },
    Family { pattern: "spark.eventLog.*", why: "no event log is written" },
    Family { pattern: "spark.history.*", why: "there is no history server" },
    Family { pattern: "spark.ssl.*", why: "no port is opened to the network" },
    Family { pattern: "spark.network.crypto.*", why: "no records cross a network between processes" },
    Family { pattern: "spark.deploy.*", why: "there is no standalone cluster" },
    Family { pattern: "spark.yarn.*", why: "YARN is not supported" },
    Family { pattern: "spark.kubernetes.*", why: "Kubernetes is not supported" },
    Family { pattern: "spark.mesos.*", why: "Mesos is not supported" },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern_of(key: &str) -> Option<&'static str> {
        family_of(key).map(|family| family.pattern)
    }

    #[test]
    fn keys_find_their_family() {
        for (key, pattern) in [
            ("spark.testing", Some("spark.testing*")),
            ("spark.testing.memory", Some("spark.testing*")),
            ("spark.kryo.registrator", Some("spark.kryo.*")),
            ("spark.kryoserializer.buffer", Some("spark.kryoserializer.*")),
            ("spark.driver.extraJavaOptions", Some("spark.*.extraJavaOptions")),
            ("spark.yarn.am.extraJavaOptions", Some("spark.*.extraJavaOptions")),
            ("spark.executor.memoryOverhead", Some("spark.executor.*")),
            ("spark.hadoop.fs.defaultFS", Some("spark.hadoop.*")),
            ("spark.executor.", None),
            ("spark.extraJavaOptions", None),
            ("spark.sql.shuffle.partitions", None),
            ("my.extraJavaOptions", None),
            ("", None),
        ] {
            assert_eq!(pattern_of(key), pattern, "{key}");
        }
    }

    /// Otherwise a misspelt key would be swallowed instead of refused.
    #[test]
    fn no_family_swallows_keys_that_must_be_known() {
        assert_eq!(pattern_of("spark.streaming.executor.memory"), None);
        assert_eq!(pattern_of("millstream.driver.memory"), None);
    }
}
