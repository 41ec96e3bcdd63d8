//! Joins: jobs that do nothing but wait, for a job that has more needs than GitLab allows.

use std::collections::VecDeque;

use super::DagError;

/// One entry of what a job or a join waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// The job of a node.
    Node(u32),
    /// The join of this number in [`JoinTree::groups`].
    Join(u32),
}

/// How the needs of one job are split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinTree {
    /// What each join waits for. A join waits only for joins before it.
    pub groups: Vec<Vec<Need>>,
    /// What the job itself waits for.
    pub needs: Vec<Need>,
}

/// Splits needs so that no list has more than `limit` entries; `None` when they fit as they are.
///
/// `limit` is what the needs may take: whoever adds entries of its own to every list, like the generate job, subtracts them first. There are
/// as few joins as possible, then as few levels of them as possible. The first of `needs` are joined and the last stay direct, so give those
/// first that are done first. Equal needs give equal groups: jobs with equal needs can share their joins.
pub fn joins(needs: &[u32], limit: usize) -> Result<Option<JoinTree>, DagError> {
    if needs.len() <= limit {
        return Ok(None);
    }
    if limit < 2 {
        return Err(DagError::NoJoin { needs: needs.len(), limit });
    }
    let mut open: VecDeque<Need> = needs.iter().copied().map(Need::Node).collect();
    let mut groups: Vec<Vec<Need>> = Vec::new();
    while open.len() > limit {
        // A join takes the place of its needs; the last one takes no more than it has to.
        let size = limit.min(open.len() - limit + 1);
        open.push_back(Need::Join(groups.len() as u32));
        groups.push(open.drain(..size).collect());
    }
    Ok(Some(JoinTree { groups, needs: open.into() }))
}
