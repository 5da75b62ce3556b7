use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::scheduler::stage::Plan;
use crate::scheduler::state::tests::sim::{Sim, action, own, shuffle};

fn pool(name: &str, min_share: usize, weight: u32, mode: Mode) -> PoolSpec {
    PoolSpec { name: name.into(), mode, weight, min_share }
}

fn tasks(n: usize) -> Plan {
    Plan { stages: vec![action((0..n).collect(), vec![])] }
}

/// The stages of the tasks in the order in which they are launched, one slot more each time and none freed.
fn order(mode: Mode, pools: Vec<PoolSpec>, jobs: &[(&str, usize)]) -> Vec<u64> {
    // The first job holds the only slot until all others wait.
    let mut queue = Queue::new(1, mode, pools);
    let mut sim = Sim::new(1);
    for (job, (pool, n)) in jobs.iter().enumerate() {
        sim.submit_with(job as u64, tasks(*n), &[(POOL, pool)]);
    }
    for task in sim.running.drain(..) {
        let (name, _) = jobs[task.id.job.0 as usize];
        let mut properties = LocalProperties::default();
        properties.set(POOL, Some(name).filter(|name| !name.is_empty()));
        let pool = queue.pool_of(&properties);
        queue.push(pool, task);
    }
    queue.slots = usize::MAX;
    std::iter::from_fn(|| queue.next()).map(|task| task.id.stage.0).collect()
}

#[test]
fn first_come_first_served() {
    assert_eq!(order(Mode::Fifo, vec![], &[("", 2), ("", 2), ("", 2)]), [0, 0, 1, 1, 2, 2]);
    // Pools are for fair scheduling.
    let pools = vec![pool("b", 5, 1, Mode::Fair)];
    assert_eq!(order(Mode::Fifo, pools, &[("a", 1), ("b", 2), ("a", 1)]), [0, 1, 1, 2]);
}

#[test]
fn pools_get_their_shares() {
    let pools = vec![pool("1", 2, 1, Mode::Fifo), pool("2", 3, 1, Mode::Fifo), pool("3", 0, 1, Mode::Fifo)];
    let jobs = [("1", 1), ("1", 1), ("1", 2), ("2", 2), ("2", 2)];
    assert_eq!(order(Mode::Fair, pools, &jobs), [0, 3, 3, 1, 4, 2, 2, 4]);
}

#[test]
fn weights_count_above_the_minimum_share() {
    let pools = vec![pool("a", 0, 1, Mode::Fifo), pool("b", 0, 3, Mode::Fifo)];
    assert_eq!(order(Mode::Fair, pools, &[("a", 3), ("b", 6)]), [0, 1, 1, 1, 0, 1, 1, 1, 0]);
}

#[test]
fn jobs_share_a_fair_pool() {
    let pools = vec![pool("p", 0, 1, Mode::Fair)];
    assert_eq!(order(Mode::Fair, pools, &[("p", 3), ("p", 2), ("p", 1)]), [0, 1, 2, 0, 1, 0]);
}

#[test]
fn unknown_pools_are_made_with_their_defaults() {
    assert_eq!(order(Mode::Fair, vec![], &[("x", 2), ("", 2), ("a", 2)]), [2, 1, 0, 2, 1, 0]);
    let mut queue = Queue::new(1, Mode::Fair, vec![pool("default", 2, 3, Mode::Fair)]);
    assert_eq!(queue.pool_of(&LocalProperties::default()), 0);
    assert_eq!(queue.pools[0].spec, pool("default", 2, 3, Mode::Fair));
    let mut properties = LocalProperties::default();
    properties.set(POOL, Some("new"));
    assert_eq!(queue.pool_of(&properties), 1);
    assert_eq!(queue.pool_of(&properties), 1);
    assert_eq!(queue.pools[1].spec, pool("new", 0, 1, Mode::Fifo));
}

/// What happens to the oldest or the newest running task.
#[derive(Debug, Clone, Copy)]
enum Step {
    Succeed(usize),
    Lose(usize),
    Repeat(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_usize..8).prop_flat_map(|at| {
        prop_oneof![4 => Just(Step::Succeed(at)), 1 => Just(Step::Lose(at)), 1 => Just(Step::Repeat(at))]
    });
    vec(step, 0..60)
}

proptest! {
    /// Whatever ends in which order: never more tasks than slots, never a free slot while a task waits, no task lost.
    #[test]
    fn no_slot_is_idle_and_no_task_is_lost(
        slots in 1_usize..5,
        fair in any::<bool>(),
        jobs in vec((0_usize..3, 1_usize..6, any::<bool>()), 1..6),
        steps in steps(),
    ) {
        let pools = vec![pool("0", 2, 1, Mode::Fair), pool("1", 0, 2, Mode::Fifo)];
        let mode = if fair { Mode::Fair } else { Mode::Fifo };
        let mut sim = Sim::on(1, Queue::new(slots, mode, pools));
        for (job, (pool, n, shuffled)) in jobs.iter().enumerate() {
            let plan = if *shuffled {
                let last = action((0..*n).collect(), vec![own(0, *n)]);
                Plan { stages: vec![shuffle(job as u64, 2, *n, vec![]), last] }
            } else {
                tasks(*n)
            };
            sim.submit_with(job as u64, plan, &[(POOL, &pool.to_string())]);
        }
        let name = |sim: &Sim, at: usize| sim.running().get(at % sim.running.len().max(1)).copied();
        for step in steps {
            prop_assert!(sim.running.len() <= slots);
            match step {
                Step::Succeed(at) => if let Some(name) = name(&sim, at) { sim.succeed(name) },
                Step::Lose(at) => if let Some(name) = name(&sim, at) {
                    let task = sim.take(name);
                    sim.lose(task.id);
                },
                Step::Repeat(at) => if let Some(name) = name(&sim, at) {
                    let task = sim.take(name);
                    sim.report_success(&task);
                    sim.lose(task.id);
                },
            }
        }
        while let Some(name) = name(&sim, 0) {
            prop_assert!(sim.running.len() <= slots);
            sim.succeed(name);
        }
        let finished: BTreeSet<_> = sim.finished.iter().map(|(job, _)| *job).collect();
        prop_assert_eq!(finished.len(), jobs.len());
        prop_assert!(sim.finished.iter().all(|(_, result)| result.is_ok()));
    }

    /// As long as every pool has tasks, what they run differs by no more than a task for their weights.
    #[test]
    fn pools_run_tasks_by_their_weights(weights in vec(1_u32..5, 2..5), slots in 1_usize..30) {
        let specs = weights.iter().enumerate();
        let specs = specs.map(|(n, weight)| pool(&n.to_string(), 0, *weight, Mode::Fifo)).collect();
        let mut sim = Sim::on(1, Queue::new(slots, Mode::Fair, specs));
        for n in 0..weights.len() {
            // Those that come first take all slots; fairness begins when tasks end.
            sim.submit_with(n as u64, tasks(200), &[(POOL, &n.to_string())]);
        }
        for _ in 0..100 {
            let oldest = sim.running()[0];
            sim.succeed(oldest);
        }
        let running = |n: usize| sim.running.iter().filter(|task| task.id.job.0 == n as u64).count() as f64;
        for (n, weight) in weights.iter().enumerate() {
            for (m, other) in weights.iter().enumerate() {
                let (of_weight, of_other) = (running(n) / f64::from(*weight), (running(m) - 1.0) / f64::from(*other));
                prop_assert!(of_weight + 1e-9 >= of_other, "pools {n} and {m}");
            }
        }
    }
}
