//! Numbers that name things.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An RDD of a context, in order of creation.
    RddId(u64)
);
id!(
    /// A shuffle of a context, in order of creation.
    ShuffleId(u64)
);
id!(
    /// A job of a context, in order of submission.
    JobId(u64)
);
id!(
    /// A stage of a context, in order of submission.
    StageId(u64)
);

/// One attempt to run a stage's code on one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The job that wants the result.
    pub job: JobId,
    /// The stage whose code runs.
    pub stage: StageId,
    /// The partition it runs on.
    pub partition: usize,
    /// 0 for the first attempt.
    pub attempt: u32,
}
