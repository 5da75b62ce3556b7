//! Stable ids of operators.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dstream::AnyDStream;

/// Gives each operator an id made of its path in the graph: `socket_text_stream/flat_map/map/reduce_by_key`.
///
/// Operators of the same name on the same stream are numbered in the order of calls. The same program gets the same ids in
/// every process and after every restart.
#[derive(Default)]
pub(super) struct Ids {
    given: HashMap<String, usize>,
}

impl Ids {
    pub(super) fn of(&mut self, name: &str, parents: &[AnyDStream]) -> Arc<str> {
        let parent_id = |parent: &AnyDStream| parent.operator().id.as_deref().unwrap_or_default().to_owned();
        let path = match parents {
            [] => name.to_owned(),
            [parent] => format!("{}/{name}", parent_id(parent)),
            parents => {
                format!("({})/{name}", parents.iter().map(parent_id).collect::<Vec<_>>().join("+"))
            }
        };
        let before = self.given.entry(path.clone()).or_default();
        *before += 1;
        if *before == 1 { path.into() } else { format!("{path}#{before}").into() }
    }
}
