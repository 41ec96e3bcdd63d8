//! What is read of a cluster, and where it lies.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What means itself in an address.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One kind of objects, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    Nodes,
    /// Of one namespace, and of those only what a selector of labels takes.
    Pods {
        namespace: String,
        labels: Option<String>,
    },
    /// Of every namespace: those about nodes and claims lie in `default`.
    Events,
    /// Karpenter's; many clusters have none.
    NodePools,
    NodeClaims,
}

impl Kind {
    /// The name that the API and its rules of access know, `pods`.
    pub fn resource(&self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods { .. } => "pods",
            Self::Events => "events",
            Self::NodePools => "nodepools",
            Self::NodeClaims => "nodeclaims",
        }
    }

    /// What must be granted to read it.
    pub fn right(&self) -> String {
        let group = if self.is_of_karpenter() { ".karpenter.sh" } else { "" };
        match self {
            Self::Pods { namespace, .. } => format!("list and watch pods in the namespace {namespace}"),
            _ => format!("list and watch {}{group}", self.resource()),
        }
    }

    /// Whether a cluster may lack it and be whole.
    pub fn is_of_karpenter(&self) -> bool {
        matches!(self, Self::NodePools | Self::NodeClaims)
    }

    /// Path and query, without what pages and watches add; ends in `?` or `&`.
    pub(super) fn address(&self) -> String {
        let path = match self {
            Self::Nodes => "/api/v1/nodes".to_owned(),
            Self::Events => "/api/v1/events".to_owned(),
            Self::NodePools => "/apis/karpenter.sh/v1/nodepools".to_owned(),
            Self::NodeClaims => "/apis/karpenter.sh/v1/nodeclaims".to_owned(),
            Self::Pods { namespace, labels } => {
                let path = format!("/api/v1/namespaces/{}/pods", coded(namespace));
                match labels {
                    Some(labels) => return format!("{path}?labelSelector={}&", coded(labels)),
                    None => path,
                }
            }
        };
        path + "?"
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods { namespace, .. } => write!(f, "pods of {namespace}"),
            _ => f.write_str(self.resource()),
        }
    }
}

/// A text as a part of an address.
pub(super) fn coded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
