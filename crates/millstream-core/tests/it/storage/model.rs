//! Random orders of persisting, freeing and reading against a plain model.

use millstream_core::storage::memory::Owner;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Persist(usize, usize),
    LocalCheckpoint(usize),
    Unpersist(usize),
    Read(usize),
    ReadSome(usize),
    ReadTwo(usize, usize),
    PushOut,
    DeleteFiles,
}

fn step() -> impl Strategy<Value = Step> {
    let rdd = 0..4_usize;
    prop_oneof![
        3 => (rdd.clone(), 0..LEVELS.len()).prop_map(|(rdd, level)| Step::Persist(rdd, level)),
        1 => rdd.clone().prop_map(Step::LocalCheckpoint),
        2 => rdd.clone().prop_map(Step::Unpersist),
        4 => rdd.clone().prop_map(Step::Read),
        1 => rdd.clone().prop_map(Step::ReadSome),
        2 => (rdd.clone(), rdd).prop_map(|(one, two)| Step::ReadTwo(one, two)),
        1 => Just(Step::PushOut),
        1 => Just(Step::DeleteFiles),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_kept_where_the_records_are_the_same(
        budget in prop_oneof![Just(1_usize), Just(3_000), Just(20_000), Just(1 << 20)],
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let scratch = Directory::new("model");
        let context = with_budget(budget, &scratch.0);
        let make = |n: u64| {
            let rdd = context.parallelize(0..900 * n, 3).map(move |record| (record % 300, record));
            if n.is_multiple_of(2) { rdd.reduce_by_key_with(|a, b| a.max(b), 3) } else { rdd }
        };
        let rdds: Vec<Rdd<(u64, u64)>> = (1..=4).map(make).collect();
        let records: Vec<_> = rdds.iter().map(|rdd| crate::sorted(rdd.collect().unwrap())).collect();
        // The level of each, and whether it may not be dropped: then it is not freed here, since that is its end.
        let mut model = [(StorageLevel::NONE, false); 4];
        for step in steps {
            match step {
                Step::Persist(at, level) => {
                    let (held, local) = model[at];
                    let fits = local || held == StorageLevel::NONE || held == LEVELS[level];
                    prop_assert_eq!(rdds[at].persist_with(LEVELS[level]).is_ok(), fits);
                    if fits {
                        model[at].0 = rdds[at].get_storage_level();
                        prop_assert_eq!(model[at].0.deserialized(), LEVELS[level].deserialized());
                    }
                }
                Step::LocalCheckpoint(at) => {
                    rdds[at].local_checkpoint();
                    model[at] = (rdds[at].get_storage_level(), true);
                    prop_assert!(model[at].0.use_disk());
                }
                Step::Unpersist(at) if !model[at].1 => {
                    rdds[at].unpersist();
                    model[at].0 = StorageLevel::NONE;
                }
                Step::Read(at) => {
                    prop_assert_eq!(&crate::sorted(rdds[at].collect().unwrap()), &records[at]);
                }
                Step::ReadSome(at) => prop_assert_eq!(rdds[at].take(5).unwrap().len(), 5),
                Step::ReadTwo(one, two) => {
                    let both = crate::sorted(rdds[one].union(&rdds[two]).collect().unwrap());
                    prop_assert_eq!(both, crate::sorted([&records[one][..], &records[two]].concat()));
                }
                Step::PushOut => drop(context.memory().take(budget, Owner::Received)),
                // What can not be computed again must not be deleted either.
                Step::DeleteFiles if model.iter().all(|(_, local)| !local) => {
                    for file in files(&context) {
                        std::fs::remove_file(file).unwrap();
                    }
                }
                Step::Unpersist(_) | Step::DeleteFiles => {}
            }
            for (rdd, (level, _)) in rdds.iter().zip(model) {
                prop_assert_eq!(rdd.get_storage_level(), level);
            }
            prop_assert!(context.memory().used() <= budget);
        }
        drop(rdds);
        prop_assert_eq!((context.memory().used(), files(&context).len()), (0, 0));
    }
}
