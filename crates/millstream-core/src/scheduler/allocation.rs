//! The pools of `spark.scheduler.allocation.file`.

use std::path::Path;

use crate::conf::Conf;
use crate::error::{Error, Result};
use crate::settings;

/// In which order those that share slots get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the order of their arrival.
    Fifo,
    /// By what each has already.
    Fair,
}

/// A pool as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolSpec {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) weight: u32,
    pub(crate) min_share: usize,
}

impl PoolSpec {
    /// A pool of which nothing is said but its name.
    pub(crate) fn named(name: &str) -> Self {
        PoolSpec { name: name.to_owned(), mode: Mode::Fifo, weight: 1, min_share: 0 }
    }
}

impl Mode {
    fn named(name: &str) -> Option<Mode> {
        match name.to_ascii_uppercase().as_str() {
            "FIFO" => Some(Mode::Fifo),
            "FAIR" => Some(Mode::Fair),
            _ => None,
        }
    }

    /// Returns how jobs share the slots: `spark.scheduler.mode`.
    pub(crate) fn of(conf: &Conf) -> Result<Mode> {
        Ok(Mode::named(&conf.get(settings::SCHEDULER_MODE)?).unwrap_or(Mode::Fifo))
    }
}

/// Reads the pools that the settings name.
///
/// # Errors
/// If the file can not be read or is no allocation file.
pub(crate) fn pools(conf: &Conf) -> Result<Vec<PoolSpec>> {
    let Some(file) = conf.get(settings::SCHEDULER_ALLOCATION_FILE)? else { return Ok(Vec::new()) };
    let path = Path::new(file.strip_prefix("file://").or(file.strip_prefix("file:")).unwrap_or(&file));
    let unusable = |problem: String| Error::Setting {
        key: settings::SCHEDULER_ALLOCATION_FILE.key().into(),
        problem: format!("`{file}` {problem}"),
        remedy: "name a file with `<allocations><pool name=\"..\">..</pool></allocations>`".into(),
    };
    let text =
        std::fs::read_to_string(path).map_err(|error| unusable(format!("can not be read: {error}")))?;
    parse(&text).map_err(unusable)
}

fn parse(text: &str) -> Result<Vec<PoolSpec>, String> {
    let document = roxmltree::Document::parse(text).map_err(|error| format!("is no XML: {error}"))?;
    let mut pools: Vec<PoolSpec> = Vec::new();
    for pool in document.root_element().children().filter(|child| child.has_tag_name("pool")) {
        let name = pool.attribute("name").ok_or("has a pool without a name")?;
        if pools.iter().any(|pool| pool.name == name) {
            return Err(format!("has two pools `{name}`"));
        }
        let setting = |tag: &str| {
            let found = pool.children().find(|child| child.has_tag_name(tag))?;
            Some(found.text().unwrap_or_default().trim().to_owned())
        };
        let defaults = PoolSpec::named(name);
        // What can not be used is told and passed over, as in Spark.
        let or_default = |tag: &str, given: &str, default: &str| {
            tracing::warn!("pool `{name}` has {tag} `{given}`, which can not be used; it gets {default}");
        };
        let mode = setting("schedulingMode").and_then(|given| {
            let mode = Mode::named(&given);
            if mode.is_none() {
                or_default("schedulingMode", &given, "FIFO");
            }
            mode
        });
        let number = |tag: &str, least: u32, default: u32| match setting(tag) {
            None => default,
            Some(given) => given.parse().ok().filter(|n| *n >= least).unwrap_or_else(|| {
                or_default(tag, &given, &default.to_string());
                default
            }),
        };
        pools.push(PoolSpec {
            mode: mode.unwrap_or(defaults.mode),
            weight: number("weight", 1, 1),
            min_share: number("minShare", 0, 0) as usize,
            ..defaults
        });
    }
    Ok(pools)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, min_share: usize, weight: u32, mode: Mode) -> PoolSpec {
        PoolSpec { name: name.into(), mode, weight, min_share }
    }

    fn pool(name: &str, [min_share, weight, mode]: [&str; 3]) -> String {
        format!(
            "<pool name=\"{name}\"><minShare>{min_share}</minShare><weight>{weight}</weight>\
             <schedulingMode>{mode}</schedulingMode></pool>"
        )
    }

    #[test]
    fn pools_are_read() {
        let text = format!(
            "<?xml version=\"1.0\"?>\n<!-- shares -->\n<allocations>{}{}{}<pool name=\"bare\"/></allocations>",
            pool("pool1", ["3", "1", "FIFO"]),
            pool("pool2", ["4", "2", "FAIR"]),
            pool("a &amp; b", ["2", "3", "FAIR"]),
        );
        let expected = [
            spec("pool1", 3, 1, Mode::Fifo),
            spec("pool2", 4, 2, Mode::Fair),
            spec("a & b", 2, 3, Mode::Fair),
            spec("bare", 0, 1, Mode::Fifo),
        ];
        assert_eq!(parse(&text).unwrap(), expected);
    }

    #[test]
    fn what_can_not_be_used_gets_its_default() {
        use Mode::{Fair, Fifo};
        for (given, (min_share, weight, mode)) in [
            (["INVALID_MIN_SHARE", "2", "FAIR"], (0, 2, Fair)),
            (["1", "INVALID_WEIGHT", "FAIR"], (1, 1, Fair)),
            (["3", "2", "INVALID_SCHEDULING_MODE"], (3, 2, Fifo)),
            (["2", "1", "fair"], (2, 1, Fair)),
            (["1", "2", "NONE"], (1, 2, Fifo)),
            (["  ", "2", "FAIR"], (0, 2, Fair)),
            (["1", "  ", "FAIR"], (1, 1, Fair)),
            (["3", "2", "  "], (3, 2, Fifo)),
            (["", "3", "FAIR"], (0, 3, Fair)),
            (["2", "", "FAIR"], (2, 1, Fair)),
            (["2", "2", ""], (2, 2, Fifo)),
            ([" 3 ", " 2 ", " FAIR "], (3, 2, Fair)),
            (["-1", "0", "FAIR"], (0, 1, Fair)),
        ] {
            let text = format!("<allocations>{}</allocations>", pool("p", given));
            assert_eq!(parse(&text).unwrap(), [spec("p", min_share, weight, mode)], "{given:?}");
        }
    }

    #[test]
    fn what_is_no_allocation_file_is_refused() {
        for (text, problem) in [
            ("", "is no XML"),
            ("<allocations>", "is no XML"),
            ("<allocations><pool/></allocations>", "has a pool without a name"),
            ("<allocations><pool name=\"a\"/><pool name=\"a\"/></allocations>", "has two pools `a`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let conf = Conf::empty().set("spark.scheduler.allocation.file", "/no/such/file.xml");
        let error = pools(&conf).unwrap_err().to_string();
        assert!(error.contains("`/no/such/file.xml` can not be read"), "{error}");
    }
}
