//! Files with lines of JSON.

use millstream_connectors::json::JsonFormat;
use millstream_core::fs::Codec;
use millstream_core::rdd::Existing;
use millstream_core::{Conf, Context};

#[test]
fn records_are_lines_of_json() {
    let directory = std::env::temp_dir().join(format!("millstream-json-{}", std::process::id()));
    let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
    let records: Vec<(u32, Option<String>)> = vec![(1, None), (2, Some("a\n\"b\"".into()))];
    let saved = context.parallelize(records.clone(), 2);
    let json = JsonFormat::new(Codec::Gzip);
    saved.save_as_files(&directory, json.clone(), Existing::Refuse).unwrap();
    assert!(directory.join("part-00001.json.gz").exists());
    assert_eq!(context.read_files(&directory, json.clone(), 2).collect().unwrap(), records);
    // Pairs under Hadoop's names are lists of two.
    let of_pairs = directory.join("pairs");
    saved.save_as_new_api_hadoop_file(&of_pairs, JsonFormat::default()).unwrap();
    assert_eq!(context.text_file(&of_pairs).collect().unwrap(), ["[1,null]", r#"[2,"a\n\"b\""]"#]);
    let broken = directory.join("broken.json");
    std::fs::write(&broken, "[1,null]\n\n[2,3]\n").unwrap();
    let error = context.read_files(broken, json, 1).count().unwrap_err().to_string();
    assert!(error.contains("broken.json") && error.contains("the line `[2,3]` is no record"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}
