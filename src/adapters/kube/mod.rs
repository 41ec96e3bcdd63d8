//! A Kubernetes API: what lies in the cluster, and what becomes of it.
//!
//! [`Cluster::list`] reads once; [`Cluster::follow`] lists and then watches for as long as somebody listens, through every way in which a watch
//! can end. Objects are delivered as the JSON that they are, without what nobody reads; what they mean is for the room that judges them. The
//! crate `kube` knows where the cluster is and as whom, and carries requests; watches are read here, because its own hide why they end.
//!
//! Nothing is changed but by [`Cluster::cordon`], [`Cluster::uncordon`] and [`Cluster::delete_pod`], which want an [`Allowed`].

mod access;
mod act;
mod answer;
mod cluster;
mod follow;
mod kind;
mod known;
mod lines;
mod list;
mod object;
mod settings;
#[cfg(test)]
mod tests;
mod update;

pub use act::{Allowed, Run};
pub use cluster::Cluster;
pub use kind::Kind;
pub use object::{Id, Object};
pub use settings::{Access, Settings};
pub use update::{Change, Phase, Restarts, State, Update};
