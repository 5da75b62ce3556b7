//! Which operator of the user's program an RDD belongs to.
//!
//! An RDD made by a call in the user's program is named after that call. An RDD made on behalf of a larger operator (a
//! stream operator makes some each batch) belongs to that operator, carries its stable id, and can be made again in
//! another process that has built the same operators.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::context::{self, Context};
use crate::rdd::AnyRdd;
use crate::task::BatchId;

/// An operator of the user's program: its name and the place of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The stable id, if the operator was made while a graph was built.
    pub id: Option<Arc<str>>,
    /// The method's name.
    pub name: Cow<'static, str>,
    /// The source file of the call.
    pub file: Cow<'static, str>,
    /// The line of the call.
    pub line: u32,
    /// The column of the call.
    pub column: u32,
}

impl Operator {
    /// Names a call of the method `name` at `place`.
    #[must_use]
    pub fn call(name: &'static str, place: &'static Location<'static>) -> Self {
        Operator {
            id: None,
            name: name.into(),
            file: place.file().into(),
            line: place.line(),
            column: place.column(),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}:{}:{}", self.name, self.file, self.line, self.column)
    }
}

/// One application of an operator to its inputs, in the course of which some RDDs are made.
pub(crate) struct Application {
    pub(crate) operator: Arc<Operator>,
    pub(crate) inputs: Vec<AnyRdd>,
    /// The batch it is made for, which may be an earlier one than that of the task that computes it.
    pub(crate) batch: Option<BatchId>,
}

/// Where an RDD comes from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// A call in the user's program, made on the driver.
    Call,
    /// The n-th RDD made while an operator was applied.
    Application(Arc<Application>, usize),
}

struct Scope {
    application: Arc<Application>,
    made: Vec<AnyRdd>,
    count: usize,
    /// Set in the process that makes RDDs again from a description and wants to pick one of them.
    keep: bool,
}

thread_local! {
    static SCOPES: RefCell<Vec<Option<Scope>>> = const { RefCell::new(Vec::new()) };
}

thread_local! {
    /// The user's call on whose behalf this thread runs.
    static NAMED: RefCell<Option<Arc<Operator>>> = const { RefCell::new(None) };
}

/// The time in which this thread runs on behalf of a call; it ends when this is dropped.
#[must_use = "names are given until it is dropped"]
#[derive(Debug)]
pub struct Named {
    before: Option<Arc<Operator>>,
    _of_this_thread: PhantomData<*const ()>,
}

impl Named {
    fn after(operator: Arc<Operator>) -> Self {
        Named { before: NAMED.replace(Some(operator)), _of_this_thread: PhantomData }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        NAMED.set(self.before.take());
    }
}

/// Runs what a call of the user's program does: jobs and RDDs that are no other operator's are named after that call.
pub fn named<R>(operator: &Arc<Operator>, f: impl FnOnce() -> R) -> R {
    let _named = Named::after(Arc::clone(operator));
    f()
}

/// Names what a method makes by calling others after the method `name`, called at the caller's place.
///
/// A method that is called by such a method, or within [`named`], leaves the name to the outer one: the user wrote that.
#[track_caller]
pub fn composed(name: &'static str) -> Named {
    Named::after(named_call(name, Location::caller()))
}

/// Applies an operator: all RDDs made by `f` on this thread belong to it.
pub fn apply<R>(operator: &Arc<Operator>, inputs: Vec<AnyRdd>, f: impl FnOnce() -> R) -> R {
    within(Some((operator, inputs, context::batch(), false)), f).0
}

/// Like [`apply`], for the RDDs of a certain batch.
pub fn apply_at<R>(
    operator: &Arc<Operator>,
    inputs: Vec<AnyRdd>,
    batch: BatchId,
    f: impl FnOnce() -> R,
) -> R {
    within(Some((operator, inputs, Some(batch), false)), f).0
}

/// Like [`apply`], and returns all the RDDs that were made, in order.
pub(crate) fn apply_again(operator: &Arc<Operator>, inputs: Vec<AnyRdd>, f: impl FnOnce()) -> Vec<AnyRdd> {
    within(Some((operator, inputs, None, true)), f).1
}

/// Runs a closure of the user's program: RDDs made by it are named after its own calls, whoever called it.
pub fn user_code<R>(f: impl FnOnce() -> R) -> R {
    within(None, f).0
}

type Inner<'a> = Option<(&'a Arc<Operator>, Vec<AnyRdd>, Option<BatchId>, bool)>;

fn within<R>(inner: Inner<'_>, f: impl FnOnce() -> R) -> (R, Vec<AnyRdd>) {
    let entered = enter(inner);
    let result = f();
    (result, entered.made())
}

/// The innermost scope of this thread; left also when the closure panics.
struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(|scopes| scopes.pop());
    }
}

impl Entered {
    /// Leaves the scope; returns the RDDs that were made in it, if it keeps them.
    fn made(self) -> Vec<AnyRdd> {
        SCOPES.with_borrow_mut(|scopes| match scopes.last_mut() {
            Some(Some(scope)) => std::mem::take(&mut scope.made),
            _ => Vec::new(),
        })
    }
}

fn enter(inner: Inner<'_>) -> Entered {
    let scope = inner.map(|(operator, inputs, batch, keep)| Scope {
        application: Arc::new(Application { operator: Arc::clone(operator), inputs, batch }),
        made: Vec::new(),
        count: 0,
        keep,
    });
    SCOPES.with_borrow_mut(|scopes| scopes.push(scope));
    Entered
}

/// Names the RDD being made by a call of `name` at `location`.
pub(crate) fn name_rdd(name: &'static str, place: &'static Location<'static>) -> (Arc<Operator>, Origin) {
    SCOPES.with_borrow_mut(|scopes| match scopes.last_mut() {
        Some(Some(scope)) => {
            let ordinal = scope.count;
            scope.count += 1;
            let application = Arc::clone(&scope.application);
            (Arc::clone(&application.operator), Origin::Application(application, ordinal))
        }
        _ => (named_call(name, place), Origin::Call),
    })
}

/// Returns whether closures must be able to travel: in strict mode, where the user's program itself makes RDDs. What an operator of
/// the graph makes, every process makes again.
pub(crate) fn must_travel(context: &Context) -> bool {
    context.strict_closures() && application().is_none()
}

/// Returns on whose behalf `name` is called at `place`, and so whose mistake it is: the operator's for which RDDs are made, or
/// the method's that calls it.
pub fn blamed(name: &'static str, place: &'static Location<'static>) -> Arc<Operator> {
    application().map_or_else(|| named_call(name, place), |application| Arc::clone(&application.operator))
}

/// Returns what RDDs are made for now, if it is not the user's program.
fn application() -> Option<Arc<Application>> {
    SCOPES.with_borrow(|scopes| scopes.last()?.as_ref().map(|scope| Arc::clone(&scope.application)))
}

fn named_call(name: &'static str, place: &'static Location<'static>) -> Arc<Operator> {
    let named = NAMED.with_borrow(Clone::clone);
    named.unwrap_or_else(|| Arc::new(Operator::call(name, place)))
}

/// Notes an RDD that was made, if someone wants to pick it.
pub(crate) fn made(rdd: &AnyRdd) {
    SCOPES.with_borrow_mut(|scopes| {
        if let Some(Some(scope)) = scopes.last_mut()
            && scope.keep
        {
            scope.made.push(Arc::clone(rdd));
        }
    });
}
