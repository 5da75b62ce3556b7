//! The master URL: where tasks run.

use crate::conf::Conf;
use crate::error::{Error, Result};
use crate::settings;

/// Where tasks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Master {
    /// On threads of this process.
    Local {
        threads: usize,
        /// How often a task may fail, if the URL says so.
        max_failures: Option<u32>,
    },
}

impl Master {
    /// Reads the URL of `spark.master`.
    pub(crate) fn of(conf: &Conf) -> Result<Self> {
        Self::parse(&conf.get(settings::MASTER)?)
    }

    /// Reads a URL: `local` is one thread, `local[*]` one per processor.
    ///
    fn parse(url: &str) -> Result<Self> {
        let refused = || Error::Setting {
            key: "spark.master".into(),
            problem: format!("`{url}` names no master that Millstream knows"),
            remedy: "use local, local[n], local[*], local[n,maxFailures] or local[*,maxFailures]".into(),
        };
        if url == "local" {
            return Ok(Master::Local { threads: 1, max_failures: None });
        }
        let inner = url.strip_prefix("local[").and_then(|rest| rest.strip_suffix(']')).ok_or_else(refused)?;
        let (threads, failures) = match inner.split_once(',') {
            Some((threads, failures)) => (threads.trim(), Some(failures.trim())),
            None => (inner.trim(), None),
        };
        let threads = match threads {
            "*" => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.parse().ok().filter(|&n| n > 0).ok_or_else(refused)?,
        };
        let failures = match failures {
            Some(n) => Some(n.parse().ok().filter(|&n| n > 0).ok_or_else(refused)?),
            None => None,
        };
        Ok(Master::Local { threads, max_failures: failures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(threads: usize, max_failures: impl Into<Option<u32>>) -> Master {
        Master::Local { threads, max_failures: max_failures.into() }
    }

    #[test]
    fn sparks_local_masters_are_understood() {
        assert_eq!(Master::parse("local").unwrap(), local(1, None));
        assert_eq!(Master::parse("local[3]").unwrap(), local(3, None));
        assert_eq!(Master::parse("local[3, 5]").unwrap(), local(3, 5));
        let Master::Local { threads, max_failures } = Master::parse("local[*,2]").unwrap();
        assert!(threads > 0 && max_failures == Some(2));
    }

    #[test]
    fn other_masters_are_refused_with_those_that_work() {
        for url in ["", "local[", "local[0]", "local[x]", "local[2,0]", "local[-1]", "yarn", "spark://h:7077"]
        {
            let error = Master::parse(url).unwrap_err().to_string();
            assert!(error.contains("local[n,maxFailures]") && error.contains(url), "{error}");
        }
    }
}
