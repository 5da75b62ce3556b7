//! `StorageLevel`: where the partitions of an RDD are kept, and in what form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where kept partitions lie, and in what form.
///
/// A program runs in one process: the levels that ask for several copies keep one, and the one that asks for memory
/// outside of a Java heap keeps bytes in memory.
///
/// # Examples
/// ```
/// use millstream_core::StorageLevel;
///
/// let level: StorageLevel = "MEMORY_AND_DISK".parse()?;
/// assert_eq!(level, StorageLevel::MEMORY_AND_DISK);
/// assert_eq!(level.to_string(), "StorageLevel(disk, memory, deserialized, 1 replicas)");
/// assert_eq!(level.description(), "Disk Memory Deserialized 1x Replicated");
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StorageLevel {
    use_disk: bool,
    use_memory: bool,
    use_off_heap: bool,
    deserialized: bool,
    replication: u8,
}

/// The most copies that a level may ask for; Spark's own number.
const MOST_COPIES: u8 = 39;

macro_rules! levels {
    ($($(#[doc = $doc:literal])+ $name:ident = ($($flag:ident)*) x $copies:literal;)+) => {
        impl StorageLevel {
            $(
                $(#[doc = $doc])+
                pub const $name: StorageLevel =
                    StorageLevel { $($flag: true,)* replication: $copies, ..StorageLevel::NOWHERE };
            )+

            /// The levels that have a name.
            const NAMED: &[(&str, StorageLevel)] = &[$((stringify!($name), StorageLevel::$name),)+];
        }
    };
}

levels! {
    /// Nothing is kept.
    NONE = () x 1;
    /// Bytes on disk.
    DISK_ONLY = (use_disk) x 1;
    /// As `DISK_ONLY`, in two copies.
    DISK_ONLY_2 = (use_disk) x 2;
    /// As `DISK_ONLY`, in three copies.
    DISK_ONLY_3 = (use_disk) x 3;
    /// Records in memory; what does not fit is computed again.
    MEMORY_ONLY = (use_memory deserialized) x 1;
    /// As `MEMORY_ONLY`, in two copies.
    MEMORY_ONLY_2 = (use_memory deserialized) x 2;
    /// Bytes in memory, smaller than records and slower to read; what does not fit is computed again.
    MEMORY_ONLY_SER = (use_memory) x 1;
    /// As `MEMORY_ONLY_SER`, in two copies.
    MEMORY_ONLY_SER_2 = (use_memory) x 2;
    /// Records in memory; what does not fit goes to disk.
    MEMORY_AND_DISK = (use_disk use_memory deserialized) x 1;
    /// As `MEMORY_AND_DISK`, in two copies.
    MEMORY_AND_DISK_2 = (use_disk use_memory deserialized) x 2;
    /// Bytes in memory; what does not fit goes to disk.
    MEMORY_AND_DISK_SER = (use_disk use_memory) x 1;
    /// As `MEMORY_AND_DISK_SER`, in two copies.
    MEMORY_AND_DISK_SER_2 = (use_disk use_memory) x 2;
    /// Bytes in memory, outside of a Java heap where there is one; what does not fit goes to disk.
    OFF_HEAP = (use_disk use_memory use_off_heap) x 1;
}

impl StorageLevel {
    const NOWHERE: StorageLevel = StorageLevel {
        use_disk: false,
        use_memory: false,
        use_off_heap: false,
        deserialized: false,
        replication: 1,
    };

    /// Makes a level that has no name.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::StorageLevel;
    ///
    /// assert_eq!(StorageLevel::new(true, true, false, true, 1)?, StorageLevel::MEMORY_AND_DISK);
    /// assert!(StorageLevel::new(false, true, false, true, 40).is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are more than 39 copies, or records are to lie outside of the heap as they are.
    #[doc(alias("apply", "create"))]
    pub fn new(
        use_disk: bool,
        use_memory: bool,
        use_off_heap: bool,
        deserialized: bool,
        replication: u8,
    ) -> Result<Self> {
        let wrong = |problem: String, remedy: &str| {
            Err(Error::Argument { operator: "StorageLevel::new".into(), problem, remedy: remedy.into() })
        };
        if replication > MOST_COPIES {
            return wrong(format!("{replication} copies are too many"), "ask for 39 at most");
        }
        if use_off_heap && deserialized {
            return wrong(
                "records can not lie outside of the heap as they are".into(),
                "take `deserialized` or `use_off_heap` away",
            );
        }
        Ok(StorageLevel { use_disk, use_memory, use_off_heap, deserialized, replication })
    }

    /// Returns whether partitions may lie on disk.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert!(StorageLevel::MEMORY_AND_DISK.use_disk() && !StorageLevel::MEMORY_ONLY.use_disk());
    /// ```
    #[must_use]
    pub const fn use_disk(self) -> bool {
        self.use_disk
    }

    /// Returns whether partitions may lie in memory.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert!(StorageLevel::MEMORY_ONLY.use_memory() && !StorageLevel::DISK_ONLY.use_memory());
    /// ```
    #[must_use]
    pub const fn use_memory(self) -> bool {
        self.use_memory
    }

    /// Returns whether the memory should be outside of a Java heap.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert!(StorageLevel::OFF_HEAP.use_off_heap() && !StorageLevel::MEMORY_ONLY.use_off_heap());
    /// ```
    #[must_use]
    pub const fn use_off_heap(self) -> bool {
        self.use_off_heap
    }

    /// Returns whether records lie in memory as they are, not as bytes.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert!(StorageLevel::MEMORY_ONLY.deserialized() && !StorageLevel::MEMORY_ONLY_SER.deserialized());
    /// ```
    #[must_use]
    pub const fn deserialized(self) -> bool {
        self.deserialized
    }

    /// Returns how many copies are asked for; one is kept.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert_eq!(StorageLevel::MEMORY_ONLY_2.replication(), 2);
    /// ```
    #[must_use]
    pub const fn replication(self) -> u8 {
        self.replication
    }

    /// Returns whether anything is kept.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert!(StorageLevel::MEMORY_ONLY.is_valid() && !StorageLevel::NONE.is_valid());
    /// ```
    #[must_use]
    pub const fn is_valid(self) -> bool {
        (self.use_memory || self.use_disk) && self.replication > 0
    }

    /// Returns the level with the disk as well, so that nothing is dropped.
    pub(crate) const fn or_disk(self) -> Self {
        StorageLevel { use_disk: true, ..self }
    }

    /// Returns the level in words, as Spark's web page and REST interface have it.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::StorageLevel;
    /// assert_eq!(StorageLevel::MEMORY_ONLY_SER.description(), "Memory Serialized 1x Replicated");
    /// ```
    #[must_use]
    pub fn description(self) -> String {
        let memory = if self.use_off_heap { "Memory (off heap) " } else { "Memory " };
        format!(
            "{}{}{}{}x Replicated",
            if self.use_disk { "Disk " } else { "" },
            if self.use_memory { memory } else { "" },
            if self.deserialized { "Deserialized " } else { "Serialized " },
            self.replication
        )
    }
}

impl fmt::Display for StorageLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.use_disk, "disk, "),
            (self.use_memory, "memory, "),
            (self.use_off_heap, "offheap, "),
            (self.deserialized, "deserialized, "),
        ];
        let words: String = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
        write!(f, "StorageLevel({words}{} replicas)", self.replication)
    }
}

/// Reads a level's name, as written in Spark.
impl FromStr for StorageLevel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, level)| *level).ok_or_else(|| Error::Argument {
            operator: "StorageLevel".into(),
            problem: format!("there is no level `{name}`"),
            remedy: format!(
                "write one of {}",
                Self::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_and_print_as_in_spark() {
        for (name, text, description) in [
            ("NONE", "StorageLevel(1 replicas)", "Serialized 1x Replicated"),
            ("DISK_ONLY_3", "StorageLevel(disk, 3 replicas)", "Disk Serialized 3x Replicated"),
            (
                "MEMORY_ONLY",
                "StorageLevel(memory, deserialized, 1 replicas)",
                "Memory Deserialized 1x Replicated",
            ),
            ("MEMORY_ONLY_SER_2", "StorageLevel(memory, 2 replicas)", "Memory Serialized 2x Replicated"),
            (
                "MEMORY_AND_DISK_SER",
                "StorageLevel(disk, memory, 1 replicas)",
                "Disk Memory Serialized 1x Replicated",
            ),
            (
                "OFF_HEAP",
                "StorageLevel(disk, memory, offheap, 1 replicas)",
                "Disk Memory (off heap) Serialized 1x Replicated",
            ),
        ] {
            let level: StorageLevel = name.parse().unwrap();
            assert_eq!((level.to_string().as_str(), level.description().as_str()), (text, description));
        }
        let error = "MEMORY".parse::<StorageLevel>().unwrap_err().to_string();
        assert!(error.contains("no level `MEMORY`") && error.contains("MEMORY_ONLY_SER_2"), "{error}");
    }

    /// What Spark's levels of these names say: disk, memory, off heap, as records, copies.
    #[test]
    fn levels_mean_what_sparks_mean() {
        const MEANINGS: [(&str, [bool; 4], u8); 13] = [
            ("NONE", [false, false, false, false], 1),
            ("DISK_ONLY", [true, false, false, false], 1),
            ("DISK_ONLY_2", [true, false, false, false], 2),
            ("DISK_ONLY_3", [true, false, false, false], 3),
            ("MEMORY_ONLY", [false, true, false, true], 1),
            ("MEMORY_ONLY_2", [false, true, false, true], 2),
            ("MEMORY_ONLY_SER", [false, true, false, false], 1),
            ("MEMORY_ONLY_SER_2", [false, true, false, false], 2),
            ("MEMORY_AND_DISK", [true, true, false, true], 1),
            ("MEMORY_AND_DISK_2", [true, true, false, true], 2),
            ("MEMORY_AND_DISK_SER", [true, true, false, false], 1),
            ("MEMORY_AND_DISK_SER_2", [true, true, false, false], 2),
            ("OFF_HEAP", [true, true, true, false], 1),
        ];
        let of = |level: StorageLevel| {
            let places = [level.use_disk(), level.use_memory(), level.use_off_heap(), level.deserialized()];
            (places, level.replication())
        };
        for (name, places, copies) in MEANINGS {
            let level: StorageLevel = name.parse().unwrap();
            assert_eq!(of(level), (places, copies), "{name}");
            let [disk, memory, off_heap, deserialized] = places;
            assert_eq!(StorageLevel::new(disk, memory, off_heap, deserialized, copies).unwrap(), level);
        }
    }

    #[test]
    fn only_levels_that_keep_something_are_valid() {
        assert_eq!(StorageLevel::NAMED.len(), 13);
        for (name, level) in StorageLevel::NAMED {
            assert_eq!(level.is_valid(), *name != "NONE", "{name}");
        }
        assert!(!StorageLevel::new(true, true, false, true, 0).unwrap().is_valid());
        assert!(StorageLevel::new(false, true, true, true, 1).is_err());
    }
}
