//! S3 through a server that speaks its language.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Once;

use millstream_connectors::object_store;
use millstream_core::fs::{Codec, FsPath, TextFormat};
use millstream_core::rdd::Existing;
use millstream_core::{Conf, Context};
use millstream_testkit::file_system_suite;

use crate::streams_of_files;

/// Where the server is, e.g. `127.0.0.1:15000`.
const ADDRESS: &str = "MILLSTREAM_TEST_S3";

pub(crate) fn address() -> String {
    std::env::var(ADDRESS).unwrap_or_else(|_| {
        panic!("{ADDRESS} must say where an S3 server listens: `cargo xtask test` starts one")
    })
}

/// A context whose `s3a` paths lie on the server, where there is a bucket `bucket`.
pub(crate) fn context() -> Context {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        object_store::register();
        let mut server = TcpStream::connect(address()).unwrap();
        let request = "PUT /bucket HTTP/1.1\r\nHost: s3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        server.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).unwrap();
        // Left over from tests that ran before, it is there already.
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 409"), "{answer}");
    });
    Context::new(conf(&address())).unwrap()
}

pub(crate) fn conf(address: &str) -> Conf {
    Conf::empty()
        .set_master("local[2]")
        .set("spark.hadoop.fs.s3a.endpoint", address)
        .set("spark.hadoop.fs.s3a.connection.ssl.enabled", "false")
        .set("spark.hadoop.fs.s3a.path.style.access", "true")
        .set("spark.hadoop.fs.s3a.access.key", "key")
        .set("spark.hadoop.fs.s3a.secret.key", "secret")
        .set("spark.hadoop.fs.s3a.attempts.maximum", "2")
}

/// A directory that no earlier test has used.
pub(crate) fn directory(name: &str) -> FsPath {
    FsPath::parse(&format!("s3a://bucket/{name}-{}", std::process::id())).unwrap()
}

#[test]
fn s3_keeps_to_the_contract() {
    let root = directory("suite");
    file_system_suite::check(&*context().file_systems().of(&root).unwrap(), &root);
}

#[test]
fn rdds_are_saved_and_read() {
    let (context, root) = (context(), directory("rdds").to_string());
    let lines: Vec<String> = (0..10_000).map(|n| format!("line {n}")).collect();
    let rdd = context.parallelize(lines.clone(), 3);
    for (name, codec) in [("plain", Codec::None), ("zstd", Codec::Zstd)] {
        rdd.save_as_text_file_with(format!("{root}/{name}"), codec).unwrap();
    }
    assert!(context.text_file_with(format!("{root}/plain"), 7).collect().unwrap() == lines);
    assert!(context.text_file(format!("{root}/zs*/part-*.zst")).collect().unwrap() == lines);
    let error = rdd.save_as_text_file(format!("{root}/plain")).unwrap_err().to_string();
    assert!(error.contains(&format!("the output directory {root}/plain already exists")), "{error}");

    let pairs = rdd.map(|line| (line.len() as u64, line));
    pairs.save_as_object_file(format!("{root}/objects")).unwrap();
    assert!(
        context.object_file::<(u64, String)>(format!("{root}/objects")).collect().unwrap()
            == pairs.collect().unwrap()
    );

    let fewer = context.parallelize(["one".to_owned()], 1);
    fewer.save_as_files(format!("{root}/plain"), TextFormat::default(), Existing::Replace).unwrap();
    let plain = FsPath::parse(&format!("{root}/plain")).unwrap();
    let files = context.file_systems().of(&plain).unwrap().list(&plain).unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.path.name()).collect();
    assert_eq!(names, ["_SUCCESS", "part-00000"]);
}

#[test]
fn streams_save_and_read() {
    streams_of_files::check(&context(), &directory("streams").to_string());
}

#[test]
fn a_job_that_fails_leaves_no_object() {
    let (context, root) = (context(), directory("failed"));
    let failing = context.parallelize(0..3, 3).map(|n| if n == 2 { panic!("no luck") } else { n });
    failing.save_as_text_file(root.to_string()).unwrap_err();
    assert!(!context.file_systems().of(&root).unwrap().exists(&root).unwrap());
}

#[test]
fn what_is_missing_or_can_not_be_reached_says_so() {
    let context = context();
    let count = |path: &str| context.text_file(path).count().unwrap_err().to_string();
    let error = count("s3a://bucket/none/at/all");
    assert!(error.contains("s3a://bucket/none/at/all") && error.contains("check the path"), "{error}");
    let error = count("s3a://no-such-bucket/a");
    assert!(error.contains("s3a://no-such-bucket/a"), "{error}");
    // Nobody listens there, and nobody can begin to as long as the connection has the port.
    let connection = TcpStream::connect(address()).unwrap();
    let nowhere = Context::new(conf(&connection.local_addr().unwrap().to_string())).unwrap();
    let error = nowhere.text_file("s3a://bucket/a").count().unwrap_err().to_string();
    assert!(error.contains("looking at s3a://bucket/a"), "{error}");
}
