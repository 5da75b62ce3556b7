//! The batch engine as its users see it.

use millstream_core::*;
fn cx() -> Context { Context::new(Conf::empty().set_master("local[2]")).unwrap() }
fn in_time<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || tx.send(f()));
    rx.recv_timeout(std::time::Duration::from_secs(5)).expect("hangs")
}
#[test] fn empty_shuffle() { in_time(|| assert_eq!(cx().empty_rdd::<(i32, i32)>().reduce_by_key(|a, b| a + b).collect().unwrap(), [])); }
#[test] fn union_of_shuffled() { in_time(|| { let c = cx(); let r = |n: i32| c.parallelize((0..10).map(move |i| (i % 3, n)), 2).reduce_by_key(|a, b| a + b).map(|x| x);
  assert_eq!(r(1).union(&r(2)).count().unwrap(), 6) }); }
#[test] fn union_aligned_self() { in_time(|| { let c = cx(); let r = c.parallelize((0..10).map(move |i| (i % 3, 1)), 2).reduce_by_key(|a, b| a + b);
  assert_eq!(r.union(&r).count().unwrap(), 6) }); }
#[test] fn diamond() { in_time(|| { let c = cx(); let r = c.parallelize((0..10).map(move |i| (i % 3, 1)), 2).reduce_by_key(|a, b| a + b);
  assert_eq!(r.map(|x| x).cogroup(&r.map(|x| x)).count().unwrap(), 3) }); }
#[test] fn take_defect() { assert!(cx().text_file("/no/such", 2).take(2).is_err()); }
#[test] fn take_max() { assert_eq!(cx().parallelize(0..5000, 2).take(usize::MAX).unwrap().len(), 5000); }
#[test] fn deep() { let mut r = cx().parallelize(0..5, 2); for _ in 0..10000 { r = r.map(|x| x + 1); } assert_eq!(r.collect().unwrap(), [10000, 10001, 10002, 10003, 10004]); }
#[test] fn rule() { struct R; impl CustomPartitioner<i32> for R { fn partitions(&self) -> usize { 2 } fn partition(&self, k: &i32) -> usize { *k as usize % 2 } }
  let a = Partitioner::custom(R).identity(); let b = Partitioner::custom(R).identity(); assert_ne!(a, b); }
#[test] fn drop_deep() { let mut r = cx().parallelize(0..5, 2); for _ in 0..10000 { r = r.map(|x| x + 1); } drop(r); }
