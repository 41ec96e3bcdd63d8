//! What the bridge and its companions ask GitLab, in the words of [`crate::bridge`].
//!
//! Lists are read to their end. One that could not be says so ([`Read::trouble`]): what is missing there is not absent. Names of branches are data
//! and travel percent-encoded. Nothing here is ever told to GitLab twice: after a fault that
//! [`is_uncertain`](crate::console::fault::Fault::is_uncertain), whoever acted reads what became of it.
//!
//! A job is retried by [`GitLab::retry`], a pipeline canceled by [`GitLab::cancel_pipeline`] and created by [`GitLab::create_pipeline`].

mod branches;
mod pipelines;
mod pushes;
#[cfg(test)]
mod tests;
mod triggers;

pub use branches::BranchSeen;
pub use pushes::PushSeen;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::client::GitLab;
use super::read::PAGE;
use crate::bridge::Looked;
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};

/// A list, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<T> {
    pub items: Vec<T>,
    /// What kept it from being whole.
    pub trouble: Option<Fault>,
    /// GitLab's clock when the reading began; none when it did not tell.
    pub at: Option<Timestamp>,
}

impl<T> Read<T> {
    /// Whether what is not in it does not exist.
    pub const fn is_whole(&self) -> bool {
        self.trouble.is_none()
    }

    /// The list as a fact, which only a whole one is.
    pub fn looked(self) -> Looked<Vec<T>> {
        match self.trouble {
            None => Looked::Found(self.items),
            Some(fault) => Looked::Failed(reason(&fault)),
        }
    }
}

/// A fault as a reason that a decision can carry.
pub fn reason(fault: &Fault) -> crate::bridge::Fault {
    let why: Arc<str> = crate::console::text::clean(&fault.to_string()).into();
    // A token, a network or a server can be mended; what does not exist or is refused stays so.
    let passes = !matches!(fault.kind, FaultKind::NotFound | FaultKind::Refused { .. });
    crate::bridge::Fault { why, passes }
}

impl GitLab {
    /// Reads a list to its end. Of what a moving list tells twice, the later one counts; rows that `read` cannot take leave the list incomplete.
    async fn every<W: DeserializeOwned, T, K: Eq + Hash>(
        &self,
        what: &str,
        route: &impl gitlab::api::Endpoint,
        mut read: impl FnMut(W) -> Option<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Read<T>, Fault> {
        let mut list = Read { items: Vec::new(), trouble: None, at: None };
        let mut places: HashMap<K, usize> = HashMap::new();
        let mut unread = 0;
        let mut next = Some(1);
        while let Some(number) = next {
            let rows = match self.rows::<W>(what.to_owned(), route, number, PAGE).await {
                Ok(rows) => rows,
                // What was read so far is good for something; the first page is not there at all.
                Err(fault) if number > 1 => {
                    list.trouble = Some(fault);
                    return Ok(list);
                }
                Err(fault) => return Err(fault),
            };
            list.at = list.at.or(rows.at);
            unread += rows.empty;
            next = rows.page.next;
            for row in rows.page.items {
                let Some(item) = read(row) else {
                    unread += 1;
                    continue;
                };
                match places.get(&key(&item)).and_then(|place| list.items.get_mut(*place)) {
                    Some(place) => *place = item,
                    None => {
                        places.insert(key(&item), list.items.len());
                        list.items.push(item);
                    }
                }
            }
        }
        if unread > 0 {
            let detail = format!("{} could not be read", crate::console::text::plural(unread as u64, "row"));
            list.trouble = Some(Fault::new(FaultKind::Garbled, what, detail));
        }
        Ok(list)
    }
}
