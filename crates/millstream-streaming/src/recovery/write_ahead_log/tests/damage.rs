//! Files of a log that are cut, changed or missing: what is known to be there is read or refused, and nothing is read as something else.

use super::*;

#[test]
fn a_segment_torn_at_any_byte_gives_all_records_before_it() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let texts = texts(0..8);
    let ends: Vec<_> = texts
        .iter()
        .map(|text| {
            let position = write(&log, text, 0);
            position.offset as usize + frame::FRAME + position.length as usize
        })
        .collect();
    let path = scratch.0.join("log-0-1000");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), *ends.last().unwrap());
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(all(&scratch.log()), texts[..whole], "torn at {length}");
    }
}

#[test]
fn what_lies_behind_the_end_that_the_next_segment_names_is_passed_over() {
    let scratch = Scratch::new();
    let log = scratch.log();
    texts(0..4).iter().for_each(|text| drop(write(&log, text, 0)));
    let path = scratch.0.join("log-0-1000");
    let whole = std::fs::read(&path).unwrap();
    // The begin of a write that failed, and that could not be cut off.
    let left_over = [&whole[..], &[1; 100]].concat();
    std::fs::write(&path, &left_over).unwrap();
    assert_eq!(all(&scratch.log()), texts(0..4));
    write(&log, "after", 2000);
    assert_eq!(all(&scratch.log()), [texts(0..4), vec!["after".to_owned()]].concat());
    // What lies before it is not.
    let mut changed = left_over;
    changed[whole.len() - 1] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    assert!(scratch.log().read_all(None, at(0), |_, _| Ok(())).is_err());
}

/// Reads a log of which a record is known to be there.
fn read_up_to(scratch: &Scratch, last: &LogPosition) -> Result<Vec<String>> {
    let mut records = Vec::new();
    scratch.log().read_all(Some(last), Time::default(), |_, record| {
        records.push(String::from_utf8(record.to_vec()).unwrap());
        Ok(())
    })?;
    Ok(records)
}

#[test]
fn what_is_known_to_be_there_may_not_be_changed_and_what_was_changed_is_never_read() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let texts = texts(0..8);
    let positions: Vec<_> = texts.iter().map(|text| write(&log, text, 0)).collect();
    let ends: Vec<_> =
        positions.iter().map(|at| at.offset as usize + frame::FRAME + at.length as usize).collect();
    let path = scratch.0.join("log-0-1000");
    let bytes = std::fs::read(&path).unwrap();
    let known = 5;
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x40;
        std::fs::write(&path, &flipped).unwrap();
        let refused = read_up_to(&scratch, positions.last().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("log-0-1000") && refused.contains("checksum"), "{at}: {refused}");
        let read = read_up_to(&scratch, &positions[known - 1]);
        if at < ends[known - 1] {
            assert!(read.unwrap_err().to_string().contains("checksum"), "{at}");
        } else {
            let whole = ends.iter().filter(|end| **end <= at).count();
            assert_eq!(read.unwrap(), texts[..whole], "{at}");
        }
    }
}

/// Machines die too: what was not synchronised yet may be there in part, in whatever order the disk writes.
#[test]
fn whatever_lies_behind_what_is_known_to_be_there_is_passed_over() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let known: Vec<_> = ["to be", "or not"].iter().map(|text| write(&log, text, 0)).collect();
    let path = scratch.0.join("log-0-1000");
    let end = std::fs::metadata(&path).unwrap().len() as usize;
    // Longer than a page, so that there are pages between its ends.
    let more = ["x".repeat(3000), "y".repeat(9000), "z".repeat(500)];
    more.iter().for_each(|text| drop(write(&log, text, 0)));
    drop(log);
    let whole = std::fs::read(&path).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let second = end + frame::FRAME + 3000;
    let shapes: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", changed(&|bytes| bytes.truncate(end))),
        ("half of a head", changed(&|bytes| bytes.truncate(end + 7))),
        ("half of a record", changed(&|bytes| bytes.truncate(end + 1000))),
        ("half of the last record", changed(&|bytes| bytes.truncate(whole.len() - 100))),
        ("zeros", changed(&|bytes| bytes[end..].fill(0))),
        ("half of a head, then zeros", changed(&|bytes| bytes[end + 7..].fill(0))),
        ("half of a record, then zeros", changed(&|bytes| bytes[end + 1000..].fill(0))),
        ("half of the second record, then zeros", changed(&|bytes| bytes[second + 5000..].fill(0))),
        ("a page of zeros before whole records", changed(&|bytes| bytes[end..4096].fill(0))),
        ("a page of zeros inside of a record", changed(&|bytes| bytes[4096..8192].fill(0))),
        ("the last record with another byte", changed(&|bytes| bytes[whole.len() - 1] ^= 1)),
        ("zeros behind the last record", changed(&|bytes| bytes.resize(whole.len() + 4096, 0))),
        ("anything behind the last record", changed(&|bytes| bytes.extend([0xA5; 100]))),
    ];
    for (shape, bytes) in shapes {
        std::fs::write(&path, &bytes).unwrap();
        let read = read_up_to(&scratch, &known[1]).unwrap();
        let all: Vec<&str> = ["to be", "or not"].into_iter().chain(more.iter().map(String::as_str)).collect();
        assert!(read.len() >= 2 && read == all[..read.len()], "{shape}: {} records", read.len());
        // Who goes on after it names what was read, so that it stays passed over.
        let next = scratch.log();
        next.read_all(Some(&known[1]), at(0), |_, _| Ok(())).unwrap();
        let last = write(&next, "after", 2000);
        drop(next);
        let again = read_up_to(&scratch, &last).unwrap();
        assert!(again[..read.len()] == read && again[read.len()] == "after", "{shape}");
        // But not what was known to be there.
        let mut broken = bytes.clone();
        broken[end - 1] ^= 1;
        std::fs::write(&path, &broken).unwrap();
        assert!(read_up_to(&scratch, &known[1]).is_err() && read_up_to(&scratch, &last).is_err(), "{shape}");
        std::fs::remove_file(scratch.0.join(&last.segment)).unwrap();
    }
}

#[test]
fn a_last_segment_whose_head_is_broken_is_passed_over_unless_it_is_relied_on() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let first = write(&log, "first", 0);
    let second = write(&log, "second", 2000);
    drop(log);
    let path = scratch.0.join("log-2000-3000");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let refused = read_up_to(&scratch, &second).unwrap_err().to_string();
    assert!(refused.contains("log-2000-3000: the head of the segment has a wrong checksum"), "{refused}");
    let next = scratch.log();
    next.read_all(Some(&first), at(0), |_, _| Ok(())).unwrap();
    let third = write(&next, "third", 4000);
    drop(next);
    assert_eq!(read_up_to(&scratch, &third).unwrap(), ["first", "third"]);
    // One that another has followed is not the last.
    let mut bytes = std::fs::read(scratch.0.join("log-0-1000")).unwrap();
    bytes[20] ^= 1;
    std::fs::write(scratch.0.join("log-0-1000"), &bytes).unwrap();
    let refused = read_up_to(&scratch, &third).unwrap_err().to_string();
    assert!(refused.contains("log-0-1000: the head of the segment has a wrong checksum"), "{refused}");
}

#[test]
fn records_behind_one_are_read_and_those_of_another_generation_are_not() {
    for close in [false, true] {
        let scratch = Scratch::new();
        let log = || scratch.log_with(|config| config.close_file_after_write = close);
        let texts = texts(0..20);
        let writer = log();
        let positions: Vec<_> =
            texts.iter().enumerate().map(|(n, text)| write(&writer, text, n as i64 * 300)).collect();
        drop(scratch.log_with(|config| config.generation = 2).write(Arc::new(vec![b'o']), at(0)).unwrap());
        let behind = |last: Option<&LogPosition>, after| {
            let mut read = Vec::new();
            let each = |position: LogPosition, record: &[u8]| {
                assert_eq!(log().read(&position)?, record);
                read.push(String::from_utf8(record.to_vec()).unwrap());
                Ok(())
            };
            log().read_behind(last, after, each).unwrap();
            read
        };
        assert_eq!(behind(None, None), texts);
        for (n, position) in positions.iter().enumerate() {
            assert_eq!(behind(Some(position), None), texts[n + 1..]);
            assert!(positions[..n].iter().all(|before| position.is_behind(before)));
        }
        // Those of 0 to 900 lie in segments that end before.
        assert_eq!(behind(None, Some(at(2000))), texts[4..]);
    }
}

#[test]
fn what_was_left_of_a_write_that_was_tried_again_is_not_read_as_another_record() {
    let scratch = Scratch::new();
    let log = scratch.log();
    write(&log, "first", 0);
    let path = scratch.0.join("log-0-1000");
    let before = std::fs::read(&path).unwrap();
    write(&log, "tried", 0);
    let with_left_over = std::fs::read(&path).unwrap();
    std::fs::write(&path, &before).unwrap();
    drop(log);
    // As if the commit had failed and could not be cut off: it was written into another segment.
    let log = scratch.log();
    log.read_all(None, at(0), |_, _| Ok(())).unwrap();
    write(&log, "tried", 2000);
    std::fs::write(&path, &with_left_over).unwrap();
    let mut read = Vec::new();
    let others = log.read_behind(None, None, |at, record| {
        read.push((at.segment, String::from_utf8(record.to_vec()).unwrap()));
        Ok(())
    });
    others.unwrap();
    let expected = [("log-0-1000", "first"), ("log-2000-3000", "tried")];
    assert_eq!(read, expected.map(|(segment, text)| (segment.to_owned(), text.to_owned())));
}

#[test]
fn a_segment_before_the_last_that_is_missing_or_was_cut_is_told() {
    for close in [false, true] {
        let scratch = Scratch::new();
        let log = || scratch.log_with(|config| config.close_file_after_write = close);
        let first = log();
        [0, 500, 1001].iter().for_each(|millis| drop(write(&first, "a record", *millis)));
        drop(first);
        // Another run of the program, which has read what there is.
        let second = log();
        assert_eq!(all(&second).len(), 3);
        [2002, 3003].iter().for_each(|millis| drop(write(&second, "a record", *millis)));
        let refused = |needed_from| {
            log().read_all(None, at(needed_from), |_, _| Ok(())).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(refused(0), Ok(()));
        let mut files = scratch.files();
        files.sort_by_key(|name| SegmentName::parse(name));
        for name in files.iter().rev().skip(1) {
            let path = scratch.0.join(name);
            let bytes = std::fs::read(&path).unwrap();
            for length in [0, HEAD, bytes.len() - 1] {
                std::fs::write(&path, &bytes[..length]).unwrap();
                let error = refused(0).unwrap_err();
                assert!(
                    error.contains(name.as_str()) && error.contains("the segment is"),
                    "{length}: {error}"
                );
            }
            std::fs::remove_file(&path).unwrap();
            assert!(refused(0).unwrap_err().contains(&format!("{name}: the segment is missing")));
            std::fs::write(&path, &bytes).unwrap();
        }
        // One that was cleaned is not missed.
        assert!(second.clean(at(1001)).unwrap() > 0);
        assert!(refused(0).is_err());
        assert_eq!(refused(1001), Ok(()));
    }
}

#[test]
fn a_record_whose_segment_is_gone_or_cut_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let log = scratch.log();
    let position = write(&log, "to be or not", 0);
    let path = scratch.0.join("log-0-1000");
    std::fs::write(&path, &std::fs::read(&path).unwrap()[..HEAD + 20]).unwrap();
    let error = log.read(&position).unwrap_err().to_string();
    assert!(error.contains("log-0-1000: the record is not whole (at byte 44)"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(log.read(&position).unwrap_err().to_string().contains("log-0-1000"));
}
