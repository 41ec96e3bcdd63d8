//! The reviewed file of a plan.

use std::io;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{PlanId, PrunePlan, Step, Totals, gates};
use crate::ci::Timestamp;
use crate::spack::buildcache::Part;

/// The form that is written and read.
const SCHEMA: &str = "stackhand.prune-plan/1";
/// What may be read: a plan for a million objects has some 300 MB.
pub const MAX_PLAN: usize = 1 << 30;

/// A file that is no plan, or no longer the plan that was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanFileError {
    #[error("the plan has {0} bytes, and no more than {MAX_PLAN} can be read")]
    TooLarge(usize),
    #[error("the file is no prune plan: {0}; make a new one")]
    Json(String),
    #[error("the file says that it is `{0}`, but only `{SCHEMA}` can be read; make a new one")]
    Schema(String),
    #[error("the plan was changed after it was made: it says {said}, and is {is}; make a new one, never edit one")]
    Id { said: Box<str>, is: PlanId },
    #[error(
        "the plan was changed after it was made: its totals or its steps are not those of what it would delete; make a new one"
    )]
    Derived,
    /// The id is no secret, so that the paths are looked at as well.
    #[error("the plan would delete `{0}`, which no plan may; do not use it, and ask where it came from")]
    Outside(String),
    #[error("the plan names something twice, or not in order, near `{0}`; make a new one")]
    Order(String),
}

/// The file: everything that follows from the plan stands before it, for those who read it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<P> {
    schema: String,
    id: String,
    made_at: Timestamp,
    totals: Totals,
    steps: Vec<Step>,
    plan: P,
}

impl PrunePlan {
    /// Writes the file, for people as well.
    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        let (schema, id) = (SCHEMA.to_owned(), self.id().to_string());
        let file = File { schema, id, made_at: self.made_at, totals: self.totals(), steps: self.steps(), plan: self };
        serde_json::to_writer_pretty(&mut out, &file)?;
        out.write_all(b"\n")
    }

    /// Reads a file, and refuses one that was changed or that would delete what no plan may.
    pub fn read(bytes: &[u8]) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: String,
        }
        if bytes.len() > MAX_PLAN {
            return Err(PlanFileError::TooLarge(bytes.len()));
        }
        let no_plan = |error: serde_json::Error| PlanFileError::Json(cut(&error.to_string()));
        let Probe { schema } = serde_json::from_slice(bytes).map_err(no_plan)?;
        if schema != SCHEMA {
            return Err(PlanFileError::Schema(cut(&schema)));
        }
        let file: File<Self> = serde_json::from_slice(bytes).map_err(no_plan)?;
        let plan = Self { made_at: file.made_at, ..file.plan };
        let is = plan.id();
        if file.id != is.to_string() {
            return Err(PlanFileError::Id { said: cut(&file.id).into(), is });
        }
        if (file.totals, file.steps) != (plan.totals(), plan.steps()) {
            return Err(PlanFileError::Derived);
        }
        plan.check()?;
        Ok(plan)
    }

    /// Nothing outside, nothing twice, nothing after the cutoff.
    fn check(&self) -> Result<(), PlanFileError> {
        for manifest in &self.manifests {
            let is_inside = matches!(Part::of(&manifest.path), Part::Spec { package, hash }
                if gates::is_plain(package) && hash == Some(manifest.hash));
            if !is_inside || manifest.modified > self.cutoff.at {
                return Err(PlanFileError::Outside(cut(&manifest.path)));
            }
        }
        if let Some(blob) = self.blobs.iter().find(|blob| blob.modified > self.cutoff.at) {
            return Err(PlanFileError::Outside(blob.sum.path()));
        }
        let manifests = self.manifests.windows(2).find(|pair| matches!(pair, [a, b] if a.path >= b.path));
        let blobs = self.blobs.windows(2).find(|pair| matches!(pair, [a, b] if a.sum >= b.sum));
        let hashes = self.leave_out.windows(2).find(|pair| matches!(pair, [a, b] if a >= b));
        let places = [
            manifests.and_then(<[_]>::first).map(|one| cut(&one.path)),
            blobs.and_then(<[_]>::first).map(|one| one.sum.path()),
            hashes.and_then(<[_]>::first).map(ToString::to_string),
        ];
        places.into_iter().flatten().next().map_or(Ok(()), |place| Err(PlanFileError::Order(place)))
    }
}

/// Makes a text fit for an error.
fn cut(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
