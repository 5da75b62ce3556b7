//! The cases of Spark's RDDSuite about coalesced RDDs on many machines: here all are on one, and what is left is how even they are.

use crate::{context, partitions};

#[test]
fn coalesced_partitions_hold_all_records_and_none_is_empty() {
    // A partition for each record, as Spark makes of records that say where they lie.
    let data = context().parallelize(1..=9, 9);
    let three = partitions(&data.coalesce(3));
    assert_eq!(three.len(), 3);
    assert!(three.iter().all(|part| !part.is_empty()));
    assert_eq!(three.concat(), (1..=9).collect::<Vec<_>>());
    assert_eq!(partitions(&data.coalesce(20)), (1..=9).map(|n| vec![n]).collect::<Vec<_>>());
}

#[test]
fn ten_thousand_partitions_are_coalesced_evenly() {
    let many = context().parallelize(1..=10_000, 10_000);
    let hundred = partitions(&many.coalesce(100));
    assert_eq!(hundred.len(), 100);
    let sizes: Vec<usize> = hundred.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| size.abs_diff(100) <= 20), "{sizes:?}");
    assert_eq!(hundred.concat(), (1..=10_000).collect::<Vec<_>>());
    assert_eq!(many.coalesce(10_000).num_partitions(), 10_000);
    // Numbers that do not divide each other.
    let thousand = context().parallelize(1..=1000, 1000);
    let fifty = partitions(&thousand.coalesce(50));
    assert_eq!((fifty.len(), fifty.concat()), (50, (1..=1000).collect::<Vec<_>>()));
    let seven = partitions(&thousand.coalesce(7));
    assert!(seven.iter().all(|part| (142..=143).contains(&part.len())));
}
