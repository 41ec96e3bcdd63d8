//! Identity of things in GitLab. Every id is its own type, so that a pipeline can never be retried as a job.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A job (or trigger job) of a pipeline. A retry makes a new one.
    JobId
);
id!(
    /// A pipeline, parent or child, unique on its GitLab instance.
    PipelineId
);
id!(
    /// A pipeline's number inside its project; GraphQL asks for this one.
    Iid
);
id!(
    /// A runner registration.
    RunnerId
);
