use super::*;
use crate::conf::Conf;
use crate::storage::disk::Disk;

fn disk() -> Disk {
    Disk::of(&Conf::empty()).unwrap()
}

fn all<T: Data>(stream: Result<ChunkStream<T>>) -> Result<Vec<T>> {
    let mut records = Vec::new();
    stream::drain(stream?, |chunk| {
        records.extend(chunk.into_vec());
        Ok(())
    })?;
    Ok(records)
}

#[test]
fn segments_are_read_alone_and_together() {
    let disk = disk();
    assert!(disk.directories().is_empty(), "made when it is needed");
    let mut writer = disk.create("numbers").unwrap();
    let first = writer.write(&[1, 2, 3]).unwrap();
    let none = writer.write::<i32>(&[]).unwrap();
    let many: Vec<i32> = (0..300_000).collect();
    let last = writer.write_stream(stream::from_vec(many.clone())).unwrap();
    let file = writer.finish().unwrap();
    assert_eq!((first.records(), none.records(), last.records()), (3, 0, 300_000));
    assert_eq!(first.bytes() + last.bytes(), file.bytes());
    assert_eq!(all::<i32>(file.read_segment(first)).unwrap(), [1, 2, 3]);
    assert!(all::<i32>(file.read_segment(none)).unwrap().is_empty());
    assert_eq!(all::<i32>(file.read_segment(last)).unwrap(), many);
    assert_eq!(all::<i32>(file.read()).unwrap().len(), 300_003);
}

#[test]
fn files_and_directories_go_with_their_last_handles() {
    let disk = disk();
    let mut writer = disk.create("words").unwrap();
    writer.write(&["a"]).unwrap();
    let unfinished = writer.file.path.clone();
    let directory = disk.directories()[0].clone();
    drop(writer);
    assert!(!unfinished.exists() && directory.exists());
    let mut writer = disk.create("words").unwrap();
    writer.write(&["b"]).unwrap();
    let file = writer.finish().unwrap();
    let reading = file.read::<String>().unwrap();
    drop((file, disk));
    assert_eq!(all(Ok(reading)).unwrap(), ["b"]);
    assert!(!directory.exists());
}

#[test]
fn a_spoilt_file_says_what_and_where() {
    let disk = disk();
    let mut writer = disk.create("partition 3 of RDD 7").unwrap();
    writer.write(&["a", "b"]).unwrap();
    let file = writer.finish().unwrap();
    let mut bytes = fs::read(file.path()).unwrap();
    bytes[17] ^= 1;
    fs::write(file.path(), &bytes).unwrap();
    let error = all::<String>(file.read()).unwrap_err().to_string();
    assert!(error.contains("partition 3 of RDD 7") && error.contains("checksum"), "{error}");
    fs::write(file.path(), &bytes[..bytes.len() - 1]).unwrap();
    assert!(all::<String>(file.read()).unwrap_err().to_string().contains("cut off"));
    fs::remove_file(file.path()).unwrap();
    let error = all::<String>(file.read()).unwrap_err().to_string();
    assert!(error.contains(&file.path().display().to_string()), "{error}");
}

#[test]
fn a_record_that_can_not_be_written_spoils_the_writer_only() {
    #[derive(Clone)]
    struct Bad;
    impl Serialize for Bad {
        fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("injected"))
        }
    }
    let disk = disk();
    let mut writer = disk.create("bad records").unwrap();
    let path = writer.file.path.clone();
    assert!(writer.write(&[Bad]).unwrap_err().to_string().contains("encoding a `Bad`"));
    assert!(writer.write(&[1]).is_err() && writer.finish().is_err());
    assert!(!path.exists());
}

#[test]
fn a_full_disk_says_so_and_leaves_nothing() {
    let disk = disk();
    let mut writer = disk.create("sorted runs").unwrap();
    // A file that takes nothing in the place of one on a full disk.
    writer.to.file = File::options().write(true).open("/dev/full").unwrap();
    let path = writer.file.path.clone();
    let error = writer.write(&[1, 2, 3]).unwrap_err().to_string();
    for part in
        ["writing sorted runs to the scratch file", path.to_str().unwrap(), "spark.local.dir", "make room"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    drop(writer);
    assert!(!path.exists());
}

#[test]
fn a_directory_that_can_not_be_written_to_is_an_error_with_a_remedy() {
    let disk = Disk::of(&Conf::empty().set("spark.local.dir", "/dev/null/x")).unwrap();
    let error = disk.create("sorted runs").unwrap_err().to_string();
    assert!(error.contains("/dev/null/x") && error.contains("name a directory"), "{error}");
    assert!(Disk::of(&Conf::empty().set("spark.local.dir", "s3://b/x")).is_err());
}

#[test]
fn a_scratch_directory_that_vanished_is_made_again() {
    let disk = disk();
    drop(disk.create("first").unwrap());
    fs::remove_dir_all(&disk.directories()[0]).unwrap();
    let mut writer = disk.create("second").unwrap();
    writer.write(&[1]).unwrap();
    assert_eq!(all::<i32>(writer.finish().unwrap().read()).unwrap(), [1]);
}
