//! Tells GitHub what it does not know.

use super::report::Told;
use super::{Outside, local};
use crate::adapters::github::PostAnswer;
use crate::bridge::{PostRefusal, Posted, StatusToPost, Trouble};
use crate::console::fault::{Fault, FaultKind};
use crate::forge::Sha;

/// Posts statuses one after the other, and tells for which commits that did not succeed.
pub(super) async fn tell(
    outside: &Outside,
    statuses: &[StatusToPost],
    told: &mut Told,
    troubles: &mut Vec<String>,
    is_asked_to_stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Sha>, Fault> {
    let mut unposted = Vec::new();
    for (at, one) in statuses.iter().enumerate() {
        let rest = || statuses.iter().skip(at).map(|one| one.sha.clone());
        if is_asked_to_stop() {
            unposted.extend(rest());
            break;
        }
        let remember = async |posted: &Posted, is_uncertain: bool| {
            let now = outside.now();
            outside.store.put_status(&outside.name, posted, is_uncertain, now).await.map_err(|error| local(&error))
        };
        let (sha, context) = (one.sha.clone(), one.status.context.clone());
        let mut posted = Posted { sha, context, status: None, refused: None };
        remember(&posted, true).await?;
        match outside.github.post_status(&one.sha, &one.status).await {
            Ok(PostAnswer::Posted) => {
                posted.status = Some(one.status.clone());
                told.posted += 1;
            }
            Ok(PostAnswer::Full) => posted.refused = Some(PostRefusal::Full),
            Err(fault) => {
                told.failed += 1;
                unposted.push(one.sha.clone());
                if fault.is_uncertain() {
                    // It stays uncertain, and the next pass reads before it sends again.
                    troubles.push(fault.to_string());
                    continue;
                }
                let is_limit = matches!(fault.kind, FaultKind::RateLimited { .. });
                troubles.push(fault.to_string());
                if !is_limit {
                    let trouble = Trouble::again(None, &one.sha, &fault.to_string(), outside.now());
                    posted.refused = Some(PostRefusal::Failed(trouble));
                }
                remember(&posted, false).await?;
                if is_limit {
                    unposted.extend(rest());
                    break;
                }
                continue;
            }
        }
        remember(&posted, false).await?;
    }
    Ok(unposted)
}
