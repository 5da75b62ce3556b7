//! `to_debug_string`: what an RDD is made of.

use std::fmt::Write;

use super::{AnyRdd, Dependency, Rdd};
use crate::data::Data;

impl<T: Data> Rdd<T> {
    /// Describes the RDD and all it is computed from, one line each, as Spark lays it out: with the number of partitions
    /// where a stage begins, indented at each shuffle, and with what is kept in memory.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["to", "be"].map(String::from), 2).set_name("words");
    /// let counts = words.map(|word| (word, 1)).reduce_by_key_with(|a, b| a + b, 3);
    /// let text = counts.to_debug_string();
    /// let lines: Vec<&str> = text.lines().map(|line| line.split(" at ").next().unwrap_or(line)).collect();
    /// assert_eq!(lines, ["(3) reduce_by_key[2]", " +-(2) map[1]", "    |  words parallelize[0]"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn to_debug_string(&self) -> String {
        let mut text = String::new();
        // Those still to be written, the next one last: a lineage may be deeper than a thread's stack.
        let mut left = vec![Line { rdd: self.any(), prefix: String::new(), stage: Some(true) }];
        let mut first = true;
        while let Some(Line { rdd, prefix, stage }) = left.pop() {
            let partitions = format!("({})", rdd.partitions());
            let below = match stage {
                None => {
                    // Writing to a string can not fail.
                    let _ = writeln!(text, "{prefix}{}", describe(&rdd));
                    prefix
                }
                Some(last) => {
                    let bar = (partitions.len() - 1) / 2;
                    let beside = format!("{:bar$}|{:rest$}", "", "", rest = partitions.len() - bar);
                    let own = if first { "" } else { prefix.trim_end().strip_suffix('|').unwrap_or(&prefix) };
                    let (join, deeper) = match (first, last) {
                        (true, _) => ("", ""),
                        (false, true) => ("+-", "  "),
                        (false, false) => ("+-", "| "),
                    };
                    let _ = writeln!(text, "{own}{join}{partitions} {}", describe(&rdd));
                    format!("{own}{deeper}{beside}")
                }
            };
            first = false;
            let dependencies = rdd.dependencies();
            for (at, dependency) in dependencies.iter().enumerate().rev() {
                left.push(match dependency {
                    Dependency::Narrow(parent) => {
                        Line { rdd: parent.clone(), prefix: below.clone(), stage: None }
                    }
                    Dependency::Shuffle(shuffle) => Line {
                        rdd: shuffle.parent(),
                        prefix: below.clone(),
                        stage: Some(at + 1 == dependencies.len()),
                    },
                });
            }
        }
        text.trim_end().to_owned()
    }
}

/// An RDD to be written: below what, and, where a stage begins, whether it is the last one of its reader.
struct Line {
    rdd: AnyRdd,
    prefix: String,
    stage: Option<bool>,
}

fn describe(rdd: &AnyRdd) -> String {
    let info = rdd.info();
    let name = info.name().map(|name| format!("{name} ")).unwrap_or_default();
    let operator = &info.operator;
    let cached = if rdd.is_cached() { " [kept]" } else { "" };
    format!(
        "{name}{}[{}] at {}:{}:{}{cached}",
        operator.name, info.id.0, operator.file, operator.line, operator.column
    )
}

#[cfg(test)]
mod tests {
    use crate::{Conf, Context};

    #[test]
    fn several_parents_and_stages_are_laid_out_as_spark_does() {
        let context = Context::new(Conf::empty()).unwrap();
        let left = context.parallelize([(1, 1)], 2).map(|pair| pair);
        let right = context.parallelize([(1, 2)], 10);
        let both = left.cogroup_with(&right, 4).union(&context.empty_rdd());
        both.count().unwrap();
        let text = both.to_debug_string();
        let shape: Vec<&str> = text.lines().map(|line| line.split(" at ").next().unwrap()).collect();
        assert_eq!(
            shape,
            [
                "(4) union[5]",
                " |  cogroup[3]",
                " +-(2) map[1]",
                " |  |  parallelize[0]",
                " +-(10) parallelize[2]",
            ]
        );
    }
}
