use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A block that leaves memory when it is told, unless it clings to it.
#[derive(Default)]
struct Kept {
    claim: Mutex<Option<Claim>>,
    clings: bool,
    told: AtomicUsize,
}

impl Evictable for Kept {
    fn evict(&self, _: usize) -> bool {
        self.told.fetch_add(1, Ordering::Relaxed);
        !self.clings && self.claim.lock().unwrap().take().is_some()
    }
}

impl Kept {
    fn is_there(&self) -> bool {
        self.claim.lock().unwrap().is_some()
    }

    fn touch(&self) {
        self.claim.lock().unwrap().as_ref().unwrap().touch();
    }
}

fn keep(memory: &Memory, bytes: usize, owner: Owner, clings: bool) -> Option<Arc<Kept>> {
    let claim = memory.take(bytes, owner)?;
    let kept = Arc::new(Kept { clings, ..Kept::default() });
    let weak = Arc::downgrade(&kept);
    claim.evict_by(weak);
    *kept.claim.lock().unwrap() = Some(claim);
    Some(kept)
}

const A: Owner = Owner::Rdd(RddId(1));
const B: Owner = Owner::Rdd(RddId(2));

#[test]
fn those_not_used_for_longest_leave_first() {
    let memory = Memory::new(100, 0);
    let kept: Vec<_> = (0..4).map(|_| keep(&memory, 25, A, false).unwrap()).collect();
    kept[0].touch();
    let new = keep(&memory, 30, B, false).unwrap();
    assert_eq!(kept.iter().map(|kept| kept.is_there()).collect::<Vec<_>>(), [true, false, false, true]);
    assert!(new.is_there());
    assert_eq!(memory.used(), 80);
    drop((kept, new));
    assert_eq!(memory.used(), 0);
}

#[test]
fn partitions_of_one_rdd_do_not_push_out_each_other() {
    let memory = Memory::new(100, 0);
    let first = keep(&memory, 60, A, false).unwrap();
    assert!(keep(&memory, 60, A, false).is_none());
    assert!(first.is_there());
    assert!(keep(&memory, 60, B, false).is_some());
    assert!(!first.is_there());
}

#[test]
fn nobody_leaves_if_that_were_not_enough() {
    let memory = Memory::new(100, 0);
    let _work = memory.take(50, Owner::Tasks).unwrap();
    let kept = keep(&memory, 40, A, false).unwrap();
    assert!(memory.take(60, B).is_none() && memory.take(101, B).is_none());
    assert_eq!(kept.told.load(Ordering::Relaxed), 0);
    assert!(memory.take(50, B).is_some());
}

#[test]
fn tasks_leave_a_part_to_kept_blocks() {
    let memory = Memory::new(100, 50);
    let kept: Vec<_> = (0..4).map(|_| keep(&memory, 25, A, false).unwrap()).collect();
    let mut work = memory.take_none(Owner::Tasks);
    assert!(work.grow(50));
    assert!(!work.grow(1));
    assert_eq!(kept.iter().filter(|kept| kept.is_there()).count(), 2);
    work.force(10);
    assert_eq!((work.bytes(), memory.used()), (60, 110));
    work.shrink(25);
    assert!(work.grow(10));
}

#[test]
fn who_clings_to_memory_is_passed_over() {
    let memory = Memory::new(100, 0);
    let clinging = keep(&memory, 50, A, true).unwrap();
    let other = keep(&memory, 50, A, false).unwrap();
    assert!(memory.take(40, B).is_some());
    assert!(clinging.is_there() && !other.is_there());
    assert!(memory.take(60, B).is_none());
    drop((clinging, other));
    assert_eq!(memory.used(), 0);
    assert!(memory.take(100, B).is_some());
}

#[test]
fn a_block_that_panics_stays() {
    struct Panics(Mutex<Option<Claim>>);
    impl Evictable for Panics {
        fn evict(&self, _: usize) -> bool {
            panic!("injected")
        }
    }
    let memory = Memory::new(10, 0);
    let claim = memory.take(10, A).unwrap();
    let block = Arc::new(Panics(Mutex::default()));
    let weak = Arc::downgrade(&block);
    claim.evict_by(weak);
    *block.0.lock().unwrap() = Some(claim);
    assert!(memory.take(5, B).is_none());
    assert_eq!(memory.used(), 10);
    drop(block);
    assert_eq!(memory.used(), 0);
}

#[test]
fn a_block_that_leaves_may_not_push_out_others() {
    struct Asks(Memory, Mutex<Option<Claim>>, Mutex<Option<bool>>);
    impl Evictable for Asks {
        fn evict(&self, _: usize) -> bool {
            *self.2.lock().unwrap() = Some(self.0.take(10, B).is_some());
            self.1.lock().unwrap().take().is_some()
        }
    }
    let memory = Memory::new(20, 0);
    let other = keep(&memory, 10, A, false).unwrap();
    let claim = memory.take(10, A).unwrap();
    let asks = Arc::new(Asks(memory.clone(), Mutex::default(), Mutex::default()));
    let weak = Arc::downgrade(&asks);
    claim.evict_by(weak);
    *asks.1.lock().unwrap() = Some(claim);
    other.touch();
    assert!(memory.take(10, B).is_some());
    assert_eq!(*asks.2.lock().unwrap(), Some(false));
    assert!(other.is_there());
}

#[test]
fn many_threads_share_what_there_is() {
    let memory = Memory::new(1000, 200);
    thread::scope(|scope| {
        for n in 0..8_u64 {
            let memory = &memory;
            scope.spawn(move || {
                let mut kept = Vec::new();
                for round in 0..500_usize {
                    let owner = if n == 0 { Owner::Tasks } else { Owner::Rdd(RddId(n)) };
                    kept.extend(keep(memory, 1 + round * 37 % 400, owner, round % 7 == 0));
                    if round % 5 == 4 {
                        kept.clear();
                    }
                    assert!(memory.used() <= 1000);
                }
            });
        }
    });
    assert_eq!(memory.used(), 0);
    let state = memory.lock();
    assert!(state.blocks.is_empty() && state.by_use.is_empty() && state.leaving.is_empty());
    assert_eq!(state.kept, 0);
}

#[test]
fn limits_of_control_groups_are_found() {
    assert_eq!(
        limits("0::/user.slice/a\n"),
        ["/user.slice/a", "/user.slice", ""].map(|path| format!("/sys/fs/cgroup{path}/memory.max"))
    );
    assert_eq!(
        limits("5:cpu:/x\n4:memory,hugetlb:/docker\n"),
        ["/docker", ""].map(|path| format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"))
    );
    assert!(limits("nonsense").is_empty());
    assert!(of_machine() > 64 << 20);
}
