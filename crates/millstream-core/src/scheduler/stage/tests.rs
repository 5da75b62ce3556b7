use super::*;
use crate::conf::Conf;
use crate::context::Context;
use crate::rdd::Rdd;

fn context() -> Context {
    Context::new(Conf::empty()).unwrap()
}

/// Pairs that a shuffle has spread over two partitions.
fn spread(context: &Context) -> Rdd<(i32, i32)> {
    context.parallelize((0..9).map(|n| (n % 4, n)), 3).reduce_by_key_with(|a, b| a + b, 2)
}

/// What is planned of each stage but the last.
fn planned(rdd: &AnyRdd) -> Result<Planner> {
    let mut planner =
        Planner { stages: Vec::new(), by_shuffle: HashMap::new(), kept: KeptRdds::new(Trust::AsItLies) };
    let partitions: Vec<usize> = (0..rdd.partitions()).collect();
    let parents = planner.parents_of(rdd, &partitions)?;
    let (work, reuse) = (Work::Shuffle(Arc::new(NoShuffle(Arc::clone(rdd))), Arc::clone(rdd)), None);
    planner.stages.push(PlannedStage {
        work,
        partitions,
        parents,
        reuse,
        counted: Counted::default(),
        shared: false,
    });
    Ok(planner)
}

/// Stands in for the work of the last stage.
struct NoShuffle(AnyRdd);

impl AnyShuffle for NoShuffle {
    fn id(&self) -> ShuffleId {
        ShuffleId(u64::MAX)
    }
    fn parent(&self) -> AnyRdd {
        Arc::clone(&self.0)
    }
    fn reducers(&self) -> usize {
        0
    }
    fn write(&self, _: usize, _: &crate::TaskContext) -> Result<Vec<crate::shuffle::Bucket>> {
        unreachable!("nothing is run here")
    }
    fn encode(&self, _: &crate::shuffle::Bucket) -> Result<Vec<u8>> {
        unreachable!("nothing is run here")
    }
    fn decode(&self, _: &[u8]) -> Result<crate::shuffle::Bucket> {
        unreachable!("nothing is run here")
    }
    fn counted(&self) -> Counted {
        Counted::default()
    }
    fn reuse(&self) -> Reuse {
        unreachable!("nothing is run here")
    }
}

/// Of each stage: how many tasks, the stages it reads, whether it is shared.
fn outline(rdd: &AnyRdd) -> Vec<(usize, Vec<usize>, bool)> {
    let stages = planned(rdd).unwrap().stages;
    let outline = |stage: &PlannedStage| {
        let parents = stage.parents.iter().map(|parent| parent.stage).collect();
        (stage.partitions.len(), parents, stage.shared)
    };
    stages.iter().map(outline).collect()
}

#[test]
fn narrow_operators_stay_in_one_stage() {
    let rdd = context().parallelize(0..9, 3).map(|n| n + 1).filter(|n| *n > 2);
    assert_eq!(outline(&rdd.any()), [(3, vec![], false)]);
}

#[test]
fn a_stage_ends_at_each_shuffle() {
    let rdd = spread(&context()).map(|(key, sum)| (sum, key)).group_by_key_with(5);
    assert_eq!(outline(&rdd.any()), [(3, vec![], false), (2, vec![0], false), (5, vec![1], false)]);
}

#[test]
fn the_partitions_of_a_union_read_one_shuffle_each() {
    let context = context();
    let union = spread(&context).map(|pair| pair).union(&spread(&context).map(|pair| pair));
    let stages = planned(&union.any()).unwrap().stages;
    let [first, second] = &*stages[2].parents else { panic!("not two parents") };
    assert_eq!((first.stage, second.stage), (0, 1));
    assert_eq!(first.reducers, [vec![0], vec![1], vec![], vec![]]);
    assert_eq!(second.reducers, [vec![], vec![], vec![0], vec![1]]);
    assert!(!stages[0].shared && !stages[1].shared);
}

#[test]
fn a_shuffle_that_is_read_twice_is_planned_once_and_shared() {
    let rdd = spread(&context());
    let in_one_stage = rdd.map(|pair| pair).union(&rdd.map(|pair| pair));
    assert_eq!(outline(&in_one_stage.any()), [(3, vec![], true), (4, vec![0], false)]);
    let far_from_the_fork = rdd.map(|pair| pair);
    let far_from_the_fork = far_from_the_fork.filter(|_| true).union(&far_from_the_fork);
    assert_eq!(outline(&far_from_the_fork.any()), [(3, vec![], true), (4, vec![0], false)]);
    let in_two_stages = rdd.map(|pair| pair).cogroup_with(&rdd.map(|pair| pair), 5);
    assert_eq!(
        outline(&in_two_stages.any()),
        [(3, vec![], true), (2, vec![0], false), (2, vec![0], false), (5, vec![1, 2], false)]
    );
}

#[test]
fn what_lies_in_memory_is_not_planned() {
    let rdd = spread(&context()).map(|pair| pair).persist();
    let later = rdd.filter(|_| true);
    assert_eq!(outline(&later.any()).len(), 2);
    rdd.take(1).unwrap();
    assert_eq!(outline(&later.any()).len(), 2, "only a part of it lies in memory");
    rdd.count().unwrap();
    assert_eq!(outline(&later.any()), [(2, vec![], false)]);
    rdd.unpersist();
    assert_eq!(outline(&later.any()).len(), 2);
}

#[test]
fn a_second_plan_keeps_buckets_and_a_third_reads_them() {
    let rdd = spread(&context());
    rdd.count().unwrap();
    let planner = planned(&rdd.any()).unwrap();
    let reuse = planner.stages[0].reuse.as_ref().unwrap();
    assert!(reuse.outputs.is_none() && reuse.keep.is_some());
    rdd.count().unwrap();
    let planner = planned(&rdd.any()).unwrap();
    let reuse = planner.stages[0].reuse.as_ref().unwrap();
    assert!(reuse.outputs.is_some() && reuse.keep.is_none());
}

#[test]
fn a_defect_anywhere_in_the_lineage_is_found() {
    let context = context();
    let lengths = context.parallelize([(1, 1)], 1).coalesce(0);
    let rdd = context.parallelize([(1, 1)], 1).union(&lengths.reduce_by_key(|a, b| a + b)).map(|pair| pair);
    assert!(planned(&rdd.any()).err().unwrap().to_string().starts_with("coalesce at "));
}

#[test]
fn a_long_lineage_needs_no_stack() {
    let context = context();
    let mut rdd = spread(&context);
    for _ in 0..20_000 {
        rdd = rdd.filter(|_| true);
    }
    assert_eq!(outline(&rdd.any()), [(3, vec![], false), (2, vec![0], false)]);
}
