//! Reads everything of one kind, page by page.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::time::sleep;

use super::answer::Trouble;
use super::cluster::{Cluster, ask};
use super::kind::{Kind, coded};
use super::object::Object;
use crate::adapters::web::cut;
use crate::console::fault::Fault;

/// How often a list that went too old while it was read is begun anew.
const BEGINNINGS: usize = 3;
/// How often somebody who asks once is helped to an answer.
const TRIES: u32 = 3;

/// Everything, and the version of the whole from which a watch may go on.
pub(super) struct Listed {
    pub objects: Vec<Object>,
    pub version: String,
}

#[derive(Deserialize)]
struct Page {
    metadata: Metadata,
    #[serde(deserialize_with = "items")]
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "resourceVersion", default)]
    version: String,
    #[serde(rename = "continue", default)]
    next: String,
}

/// They must be there; none of them may be written as `null`.
fn items<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Cluster {
    /// Reads everything of one kind, once.
    pub async fn list(&self, kind: &Kind) -> Result<Vec<Object>, Fault> {
        for tried in 0.. {
            match self.listed(kind).await {
                Ok(listed) => return Ok(listed.objects),
                Err(Trouble::Failed { wait, .. }) if tried + 1 < TRIES => {
                    sleep(wait.unwrap_or_else(|| self.backoff.after(tried))).await;
                }
                Err(trouble) => return Err(trouble.into_fault(&what(kind))),
            }
        }
        Ok(Vec::new())
    }

    /// Reads everything of one kind. A list that goes too old on the way is begun anew: going on with what the server offers instead would miss
    /// changes.
    pub(super) async fn listed(&self, kind: &Kind) -> Result<Listed, Trouble> {
        for _ in 1..BEGINNINGS {
            match self.pages(kind).await {
                Err(Trouble::Expired) => {}
                other => return other,
            }
        }
        self.pages(kind).await
    }

    async fn pages(&self, kind: &Kind) -> Result<Listed, Trouble> {
        let what = what(kind);
        let mut objects = Vec::new();
        let mut next = String::new();
        loop {
            let mut address = format!("{}limit={}", kind.address(), self.settings.page);
            if !next.is_empty() {
                address = format!("{address}&continue={}", coded(&next));
            }
            let body = self.whole(&what, ask(&what, &address)?).await?;
            let page: Page = serde_json::from_slice(&body).map_err(|error| {
                Trouble::garbled(&what, format!("no list ({} bytes): {}", body.len(), cut(&error.to_string())))
            })?;
            drop(body);
            let count = page.items.len();
            for json in page.items {
                objects.push(Object::of(json).map_err(|error| Trouble::garbled(&what, error))?);
            }
            if objects.len() > self.settings.most_objects {
                let most = self.settings.most_objects;
                return Err(Trouble::garbled(&what, format!("more than the {most} objects that are expected at most")));
            }
            let Metadata { version, next: after } = page.metadata;
            if version.is_empty() {
                return Err(Trouble::garbled(&what, "a list without resourceVersion"));
            }
            if after.is_empty() {
                return Ok(Listed { objects, version });
            }
            if after == next || count == 0 {
                return Err(Trouble::garbled(&what, "a list that does not go on and does not end"));
            }
            next = after;
        }
    }
}

fn what(kind: &Kind) -> String {
    format!("list {kind}")
}
