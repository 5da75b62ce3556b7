//! The examples and their names.

/// Each example: the name of its file, its name in Spark's style, what it does.
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "access_log_windows",
        "streaming.AccessLogWindows",
        "counts a web server's responses in a sliding window",
    ),
    (
        "blacklist_join",
        "streaming.BlacklistJoin",
        "drops the lines of those in a file, also while it changes",
    ),
    (
        "connection_per_partition",
        "streaming.ConnectionPerPartition",
        "sends counts to a server, over connections that are kept",
    ),
    ("custom_receiver", "streaming.CustomReceiver", "counts words that a receiver of its own brings in"),
    (
        "hdfs_word_count",
        "streaming.HdfsWordCount",
        "counts the words of the files that appear in a directory",
    ),
    ("historic_counts", "streaming.HistoricCounts", "puts counts beside those of a file"),
    ("network_word_count", "streaming.NetworkWordCount", "counts the words a server sends, each second"),
    ("queue_stream", "streaming.QueueStream", "counts numbers by their last digit, from a queue of RDDs"),
    (
        "raw_network_grep",
        "streaming.RawNetworkGrep",
        "counts lines with a word among those that come as blocks of bytes",
    ),
    ("raw_text_sender", "streaming.util.RawTextSender", "sends the lines of a file as blocks of bytes"),
    (
        "recoverable_network_word_count",
        "streaming.RecoverableNetworkWordCount",
        "counts the words a server sends, and goes on after a crash",
    ),
    (
        "recoverable_network_word_count_v1",
        "streaming.RecoverableNetworkWordCountV1",
        "counts words from the start on; its second version goes on from it",
    ),
    (
        "recoverable_network_word_count_v2",
        "streaming.RecoverableNetworkWordCountV2",
        "goes on from the checkpoint of its first version, with another operator and another state",
    ),
    ("save_to_files", "streaming.SaveToFiles", "saves the counts of each batch as text"),
    (
        "sort_in_foreach_rdd",
        "streaming.SortInForeachRdd",
        "prints the words of each batch, the commonest first",
    ),
    (
        "stateful_network_word_count",
        "streaming.StatefulNetworkWordCount",
        "counts the words a server sends, from the start on",
    ),
    ("stateless_join", "streaming.StatelessJoin", "joins the lines of two servers, in each way there is"),
    ("transform_blacklist", "streaming.TransformBlacklist", "drops lines by a list that grows while it runs"),
    (
        "windowed_hot_words",
        "streaming.WindowedHotWords",
        "names the three commonest words of a sliding window",
    ),
    (
        "word_blacklist",
        "streaming.WordBlacklist",
        "counts words but for those on a list, and what it has dropped",
    ),
];

/// The file of an example that is named as Spark names it, with its package or without, or as its file.
pub(super) fn file_name(name: &str) -> Option<&'static str> {
    let class = name.rsplit('.').next().unwrap_or(name);
    let is_named = |(file, spark, _): &&(&'static str, &str, &str)| {
        *file == name || spark.rsplit('.').next().is_some_and(|spark| spark == class)
    };
    EXAMPLES.iter().find(is_named).map(|(file, ..)| *file)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_example_has_several_names() {
        for name in [
            "network_word_count",
            "NetworkWordCount",
            "streaming.NetworkWordCount",
            "org.apache.spark.examples.streaming.NetworkWordCount",
        ] {
            assert_eq!(file_name(name), Some("network_word_count"), "{name}");
        }
        for name in ["", ".", "networkwordcount", "streaming.network_word_count", "SparkPi"] {
            assert_eq!(file_name(name), None, "{name}");
        }
    }

    #[test]
    fn the_list_is_that_of_the_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/src/bin");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let listed: Vec<&str> = EXAMPLES.iter().map(|(file, ..)| *file).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn the_names_of_spark_follow_from_those_of_the_files() {
        for (file, spark, _) in EXAMPLES {
            let words = file.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
            // Spark has its senders in a package of their own.
            let class = spark.strip_prefix("streaming.").map(|name| name.trim_start_matches("util."));
            assert_eq!(class, Some(&*words.collect::<String>()));
        }
    }
}
