//! A checkpoint of one job is completed while tasks of another, planned before, are described for other processes.

use std::sync::{Arc, Mutex};
use std::thread;

use millstream_core::scheduler::description::Peer;
use millstream_core::scheduler::executor::{Ended, Executor, Report};
use millstream_core::scheduler::task::{Task, TaskFailure};
use millstream_core::{Conf, Context, Rdd};
use serde::{Deserialize, Serialize, Serializer};

use crate::directory::Directory;
use crate::processes::run;
use crate::sorted;

type Once = Mutex<Option<Box<dyn FnOnce() + Send>>>;

fn fire(once: &Once) {
    let first = once.lock().unwrap().take();
    if let Some(first) = first {
        first();
    }
}

/// Sends tasks away, the first one once something was done.
struct Waiting(Arc<Once>);

impl Executor for Waiting {
    fn slots(&self) -> usize {
        2
    }

    fn launch(&self, task: Task, report: Report) {
        let (id, before) = (task.id(), Arc::clone(&self.0));
        thread::spawn(move || {
            fire(&before);
            let how = match task.describe(&mut Peer::default()) {
                Ok((frames, sent)) => run(&frames, &sent),
                Err(cause) => Ended::Failed(TaskFailure { operator: "describing".into(), cause }),
            };
            report.ended(id, how);
        });
    }
}

fn sums(context: &Context) -> Rdd<(i32, i32)> {
    context.parallelize((0..20).map(|n| (n % 3, n)), 4).reduce_by_key_with(|a, b| a + b, 2)
}

const SUMS: [(i32, i32); 3] = [(0, 63), (1, 70), (2, 57)];

/// What another job does with the RDD; its checkpoint is written then.
fn count(rdd: &Rdd<(i32, i32)>) -> Box<dyn FnOnce() + Send> {
    let rdd = rdd.clone();
    Box::new(move || {
        assert_eq!(rdd.count().unwrap(), 3);
        assert!(rdd.is_checkpointed());
    })
}

#[test]
fn a_map_task_whose_shuffle_nobody_reads_any_more_is_planned_again() {
    let (directory, before) = (Directory::new("checkpoint-of-another-job"), Arc::<Once>::default());
    let context = Context::with_executor(Conf::empty(), Waiting(Arc::clone(&before))).unwrap();
    context.set_checkpoint_dir(directory.path("")).unwrap();
    let rdd = sums(&context);
    rdd.checkpoint().unwrap();
    *before.lock().unwrap() = Some(count(&rdd));
    assert_eq!(sorted(rdd.collect().unwrap()), SUMS);
}

/// A number that does something when it is first written as bytes.
#[derive(Clone, Deserialize)]
struct Tripwire(i32);

static TRIPPED: Once = Mutex::new(None);

impl Serialize for Tripwire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 7 {
            fire(&TRIPPED);
        }
        serializer.serialize_newtype_struct("Tripwire", &self.0)
    }
}

#[test]
fn a_lineage_that_changes_half_way_is_described_again() {
    let directory = Directory::new("checkpoint-meanwhile");
    let context = crate::processes::elsewhere();
    context.set_checkpoint_dir(directory.path("")).unwrap();
    let rdd = sums(&context);
    rdd.checkpoint().unwrap();
    // Beside each other in one task: first the shuffled one is described, then the records of the other are written.
    let tripwires = context.parallelize([Tripwire(7), Tripwire(8)], 2);
    let both = rdd
        .map(|(_, sum)| Tripwire(sum))
        .zip_partitions(&tripwires, |left, right| left.chain(right).collect::<Vec<_>>());
    *TRIPPED.lock().unwrap() = Some(count(&rdd));
    let numbers = both.map_ref(|tripwire| tripwire.0).collect().unwrap();
    assert_eq!(sorted(numbers), [7, 8, 57, 63, 70]);
    assert!(TRIPPED.lock().unwrap().is_none());
}
