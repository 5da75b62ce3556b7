//! What an RDD is called and where it comes from, whatever its records are.

use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};

use super::compute::Dependency;
use super::method::Method;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ids::RddId;
use crate::operator::{self, Operator, Origin};

/// What an RDD is called and where it comes from.
pub struct Info {
    /// The number of the RDD in its context.
    pub id: RddId,
    /// The operator of the user's program it belongs to.
    pub operator: Arc<Operator>,
    pub(crate) context: Context,
    /// Forgotten when the lineage is cut: it holds the RDDs an operator was applied to.
    origin: RwLock<Origin>,
    name: RwLock<Option<String>>,
    /// Why no action on this RDD can work; found when it was described, reported when it is used.
    pub(crate) defect: Option<Error>,
}

impl Info {
    /// Names an RDD; returns with it what it is computed from, nothing if it can not be.
    pub(super) fn of(
        context: &Context,
        method: Method,
        place: &'static Location<'static>,
        dependencies: Result<Vec<Dependency>>,
        captured: usize,
    ) -> (Info, Option<Arc<[Dependency]>>) {
        let strict = captured > 0 && operator::must_travel(context);
        let (operator, origin) = operator::name_rdd(method.name, place);
        let dependencies =
            dependencies.and_then(|all| fit_parents(context, &operator, &all).map(|()| all.into()));
        let (dependencies, defect) = match dependencies {
            Ok(all) if strict => (Some(all), Some(method.captures(&operator, captured))),
            Ok(all) => (Some(all), None),
            Err(error) => (None, Some(error)),
        };
        let origin = RwLock::new(origin);
        let (id, context, name) = (context.next_rdd(), context.clone(), RwLock::default());
        (Info { id, operator, context, origin, name, defect }, dependencies)
    }

    /// Returns where the RDD comes from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets where the RDD comes from; returns it, to be dropped where a long lineage may go with it.
    pub(super) fn forget_origin(&self) -> Origin {
        let mut origin = self.origin.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut origin, Origin::Call)
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.name.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_name(&self, name: String) {
        *self.name.write().unwrap_or_else(PoisonError::into_inner) = Some(name);
    }
}

/// Refuses what is made of another context's RDDs, whose numbers and tasks are that context's own, and hands on the
/// defect of a parent: it has no partitions, so that operators which pass over empty RDDs would hide it.
fn fit_parents(context: &Context, operator: &Operator, dependencies: &[Dependency]) -> Result<()> {
    for dependency in dependencies {
        let parent = match dependency {
            Dependency::Narrow(parent) => Arc::clone(parent),
            Dependency::Shuffle(shuffle) => shuffle.parent(),
        };
        if !parent.info().context.is_same(context) {
            return Err(Error::Argument {
                operator: operator.to_string(),
                problem: "the RDDs belong to different contexts".into(),
                remedy: "make them with one `Context`, or `collect` one and `parallelize` it in the other's"
                    .into(),
            });
        }
        if let Some(defect) = &parent.info().defect {
            return Err(defect.clone());
        }
    }
    Ok(())
}
