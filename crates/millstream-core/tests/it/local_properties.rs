//! What a thread has set for its jobs: who sees it, and who does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use millstream_core::{Context, TaskContext};

use crate::{context, on};

const KEY: &str = "test";

/// What a task of a job sees of some properties.
fn seen(context: &Context, keys: [&'static str; 2]) -> [Option<String>; 2] {
    let of_task = move |()| {
        keys.map(|key| TaskContext::get().unwrap().get_local_property(key).map(str::to_owned)).to_vec()
    };
    let seen = context.parallelize([()], 1).map(of_task).collect().unwrap().remove(0);
    seen.try_into().unwrap()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Spark's case of five threads.
#[test]
fn each_thread_has_its_own() {
    let context = on("local[2]");
    thread::scope(|scope| {
        for n in 1..=5 {
            let context = &context;
            scope.spawn(move || {
                context.set_local_property(KEY, &*n.to_string());
                assert_eq!(context.get_local_property(KEY), some(&n.to_string()));
                assert_eq!(seen(context, [KEY, "Foo"]), [some(&n.to_string()), None]);
            });
        }
    });
    assert_eq!(context.get_local_property(KEY), None);
    assert_eq!(seen(&context, [KEY, "Foo"]), [None, None]);
}

/// Spark's case of a parent's properties, which here are handed over.
#[test]
fn what_is_handed_over_is_a_copy() {
    let context = context();
    context.set_local_property(KEY, "parent");
    thread::scope(|scope| {
        for n in 1..=5 {
            let (context, properties) = (&context, context.local_properties());
            scope.spawn(move || {
                assert_eq!(context.get_local_property(KEY), None);
                context.with_local_properties(properties, || {
                    assert_eq!(context.get_local_property(KEY), some("parent"));
                    assert_eq!(seen(context, [KEY, "Foo"]), [some("parent"), None]);
                    context.set_local_property(KEY, &*n.to_string());
                    assert_eq!(context.get_local_property(KEY), some(&n.to_string()));
                });
                assert_eq!(context.get_local_property(KEY), None);
            });
        }
    });
    assert_eq!(context.get_local_property(KEY), some("parent"));
    assert_eq!(context.get_local_property("Foo"), None);
}

#[test]
fn a_thread_has_its_own_again_afterwards_also_after_a_panic() {
    let context = context();
    context.set_local_property("theirs", "1");
    let theirs = context.local_properties();
    context.set_local_property("theirs", None);
    context.set_local_property("ours", "2");
    let both = || ["ours", "theirs"].map(|key| context.get_local_property(key));
    let result = context.with_local_properties(theirs.clone(), || {
        // Instead of this thread's, not besides.
        assert_eq!(both(), [None, some("1")]);
        context.set_local_property("ours", "3");
        let inner = context.with_local_properties(context.local_properties(), both);
        assert_eq!(inner, [some("3"), some("1")]);
        7
    });
    assert_eq!((result, both()), (7, [some("2"), None]));
    let panicked = AssertUnwindSafe(|| context.with_local_properties(theirs, || panic!("within")));
    assert!(catch_unwind(panicked).is_err());
    assert_eq!(both(), [some("2"), None]);
    assert_eq!(seen(&context, ["ours", "theirs"]), [some("2"), None]);
    // None at all is as good as any.
    let none = crate::context().local_properties();
    assert_eq!(context.with_local_properties(none, both), [None, None]);
    assert_eq!(both(), [some("2"), None]);
}

#[test]
fn contexts_do_not_see_those_of_others_and_asynchronous_actions_take_them_along() {
    let (one, other) = (context(), context());
    one.set_local_property(KEY, "one");
    assert_eq!(seen(&other, [KEY, KEY]), [None, None]);
    let of_task = |()| TaskContext::get().unwrap().get_local_property(KEY).map(str::to_owned);
    let action = one.parallelize([()], 1).map(of_task).collect_async();
    // What is set later belongs to later jobs.
    one.set_local_property(KEY, "two");
    assert_eq!(action.wait().unwrap(), [some("one")]);
    assert_eq!(seen(&one, [KEY, KEY]), [some("two"), some("two")]);
}

#[test]
fn jobs_are_told_their_description_and_their_group() {
    const KEYS: [&str; 2] = ["spark.jobGroup.id", "spark.job.description"];
    let context = context();
    context.set_job_description("counts words");
    assert_eq!(seen(&context, KEYS), [None, some("counts words")]);
    context.set_job_group("nightly", "the nightly report", false);
    assert_eq!(seen(&context, KEYS), [some("nightly"), some("the nightly report")]);
    // One job of the group, under a description of its own.
    context.set_job_description("its first part");
    assert_eq!(seen(&context, KEYS), [some("nightly"), some("its first part")]);
    context.set_job_description(None);
    assert_eq!(seen(&context, KEYS), [some("nightly"), None]);
    context.set_job_description("its last part");
    context.clear_job_group();
    assert_eq!(seen(&context, KEYS), [None, None]);
}
