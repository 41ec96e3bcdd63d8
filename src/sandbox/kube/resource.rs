//! The resources that are served, and how addresses name them.

use super::super::cluster::Kind;

/// One resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    pub kind: Kind,
    /// Empty for the core.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub kind_name: &'static str,
    pub short: &'static [&'static str],
    pub is_namespaced: bool,
    pub verbs: &'static [&'static str],
}

const READ: &[&str] = &["get", "list", "watch"];

const CORE: Resource = Resource {
    kind: Kind::Node,
    group: "",
    version: "v1",
    plural: "nodes",
    singular: "node",
    kind_name: "Node",
    short: &["no"],
    is_namespaced: false,
    verbs: &["get", "list", "patch", "watch"],
};

/// All of them.
pub const RESOURCES: &[Resource] = &[
    Resource {
        kind: Kind::Event,
        plural: "events",
        singular: "event",
        kind_name: "Event",
        short: &["ev"],
        is_namespaced: true,
        verbs: READ,
        ..CORE
    },
    Resource {
        kind: Kind::Namespace,
        plural: "namespaces",
        singular: "namespace",
        kind_name: "Namespace",
        short: &["ns"],
        verbs: READ,
        ..CORE
    },
    CORE,
    Resource {
        kind: Kind::Pod,
        plural: "pods",
        singular: "pod",
        kind_name: "Pod",
        short: &["po"],
        is_namespaced: true,
        verbs: &["delete", "get", "list", "watch"],
        ..CORE
    },
    Resource {
        kind: Kind::NodeClaim,
        group: "karpenter.sh",
        plural: "nodeclaims",
        singular: "nodeclaim",
        kind_name: "NodeClaim",
        short: &[],
        verbs: READ,
        ..CORE
    },
    Resource {
        kind: Kind::NodePool,
        group: "karpenter.sh",
        plural: "nodepools",
        singular: "nodepool",
        kind_name: "NodePool",
        short: &[],
        verbs: READ,
        ..CORE
    },
    Resource {
        kind: Kind::NodeClass,
        group: "karpenter.k8s.aws",
        plural: "ec2nodeclasses",
        singular: "ec2nodeclass",
        kind_name: "EC2NodeClass",
        short: &["ec2nc", "ec2ncs"],
        verbs: READ,
        ..CORE
    },
];

impl Resource {
    /// `v1`, or `karpenter.sh/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods`, or `nodepools.karpenter.sh`, as refusals say it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// `None` of a namespace means all of them, or that there are none.
    All(&'static Resource, Option<&'a str>),
    One(&'static Resource, &'a str, &'a str),
    /// A resource of the core that nobody here may touch, or that is not played.
    Closed {
        resource: String,
        namespace: Option<&'a str>,
        name: &'a str,
    },
    Nowhere,
}

/// Finds out what a path below `/api/v1` or `/apis/GROUP/VERSION` names.
pub fn place<'a>(group: &str, version: &str, rest: &[&'a str]) -> Place<'a> {
    let find = |plural: &str| RESOURCES.iter().find(|r| r.group == group && r.version == version && r.plural == plural);
    let closed = |resource: String, namespace, name| {
        if group.is_empty() { Place::Closed { resource, namespace, name } } else { Place::Nowhere }
    };
    match *rest {
        ["namespaces", namespace, plural] => match find(plural) {
            Some(resource) if resource.is_namespaced => Place::All(resource, Some(namespace)),
            Some(_) => Place::Nowhere,
            None => closed(plural.to_owned(), Some(namespace), ""),
        },
        ["namespaces", namespace, plural, name] => match find(plural) {
            Some(resource) if resource.is_namespaced => Place::One(resource, namespace, name),
            Some(_) => Place::Nowhere,
            None => closed(plural.to_owned(), Some(namespace), name),
        },
        ["namespaces", namespace, plural, name, part, ..] => closed(format!("{plural}/{part}"), Some(namespace), name),
        [plural] => match find(plural) {
            Some(resource) => Place::All(resource, None),
            None => closed(plural.to_owned(), None, ""),
        },
        [plural, name] => match find(plural) {
            Some(resource) if !resource.is_namespaced => Place::One(resource, "", name),
            Some(_) => Place::Nowhere,
            None => closed(plural.to_owned(), None, name),
        },
        [plural, name, part, ..] => closed(format!("{plural}/{part}"), None, name),
        [] => Place::Nowhere,
    }
}
