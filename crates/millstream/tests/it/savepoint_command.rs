//! `millstream savepoint`, on a program that runs.

use millstream::prelude::*;

use crate::{Folder, millstream, printed};

fn create() -> Result<StreamingContext> {
    let streaming = StreamingContext::new(Conf::empty().set_master("local[1]"), Duration::from_millis(20))?;
    let ones = streaming.generator_stream(1, |_, _| [((), 1_u64)]);
    let counts = ones.update_state_by_key(|ones: Vec<u64>, count: Option<u64>| {
        Some(count.unwrap_or_default() + ones.len() as u64)
    });
    counts.uid("counts").foreach_rdd(|rdd| rdd.count().map(drop));
    Ok(streaming)
}

#[test]
fn a_running_program_writes_what_another_can_begin_with() {
    let folder = Folder::new();
    let (checkpoints, savepoint) = (folder.path().join("checkpoints"), folder.path().join("savepoint"));
    let arguments = ["savepoint", checkpoints.to_str().unwrap(), savepoint.to_str().unwrap()];
    let refused = |output: std::process::Output| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        printed(&output)[1].clone()
    };
    let text = refused(millstream(&arguments));
    assert!(text.contains("no running program writes into") && text.contains("start it"), "{text}");

    let running = StreamingContext::get_or_create(&checkpoints, create).unwrap().start().unwrap();
    let output = millstream(&arguments);
    assert!(output.status.success(), "{output:?}");
    let [said, _] = printed(&output);
    let other = StreamingContext::from_savepoint(&savepoint, create).unwrap();
    let batch = other.recovered_from().unwrap();
    assert_eq!(said, format!("{}: a savepoint of batch {batch}\n", savepoint.display()));
    drop(other);

    let elsewhere = folder.path().join("taken");
    std::fs::write(&elsewhere, "a file in the place of a directory").unwrap();
    let text = refused(millstream(&["savepoint", arguments[1], elsewhere.to_str().unwrap()]));
    assert!(text.contains("the program could not write it"), "{text}");
    running.stop(true, true).unwrap();
    let text = refused(millstream(&arguments));
    assert!(text.contains("no running program writes into"), "{text}");
}
