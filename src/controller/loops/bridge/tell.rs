//! Tells GitHub what it does not know.

use super::report::Told;
use super::{Outside, local};
use crate::adapters::github::{PostAnswer, Quota};
use crate::bridge::{PassInput, PostRefusal, Posted, StatusSource, StatusToPost, Trouble};
use crate::console::fault::{Fault, FaultKind};

/// Posts statuses one after the other, and tells for what that did not succeed. When little is left of GitHub's limit, only ends are told.
pub(super) async fn tell(
    outside: &Outside,
    input: &PassInput,
    statuses: &[StatusToPost],
    told: &mut Told,
    troubles: &mut Vec<String>,
    is_asked_to_stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<StatusSource>, Fault> {
    let mut unposted = Vec::new();
    let begun = std::time::Instant::now();
    for (at, one) in statuses.iter().enumerate() {
        let [rest, _] = outside.github.quotas();
        let is_late = outside.telling.is_some_and(|most| begun.elapsed() > most);
        if is_late || is_asked_to_stop() || rest.is_some_and(Quota::is_low) && !one.status.state.is_end() {
            // Ends come first: when little is left, nothing that follows is one.
            unposted.extend(statuses.iter().skip(at).map(|one| one.source));
            told.left = statuses.len() - at;
            break;
        }
        let became = match told_before(outside, input, one).await? {
            Ok(true) => {
                told.unchanged += 1;
                continue;
            }
            Ok(false) => post(outside, before(input, one), one).await?,
            Err(why) => Err(why),
        };
        match became {
            Ok(()) => told.posted += 1,
            Err(why) => {
                told.failed += 1;
                troubles.push(why.to_string());
                if let FaultKind::RateLimited { .. } = why.kind {
                    unposted.extend(statuses.iter().skip(at).map(|one| one.source));
                    told.left = statuses.len() - at - 1;
                    break;
                }
                unposted.push(one.source);
            }
        }
    }
    Ok(unposted)
}

/// Whether GitHub was told so by somebody whose records are gone. Of heads that are open it was listed.
async fn told_before(
    outside: &Outside,
    input: &PassInput,
    wanted: &StatusToPost,
) -> Result<Result<bool, Fault>, Fault> {
    let context = &wanted.status.context;
    let is_known = input.prs.iter().any(|one| one.pr.head == wanted.sha)
        || input.posted.iter().any(|one| one.sha == wanted.sha && one.context.eq_ignore_ascii_case(context));
    if is_known {
        return Ok(Ok(false));
    }
    let shown = match outside.github.statuses(&wanted.sha).await {
        Ok(shown) => shown,
        // Whether there is such a commit, the post will tell.
        Err(fault) if matches!(fault.kind, FaultKind::NotFound | FaultKind::Refused { .. }) => return Ok(Ok(false)),
        Err(fault) => return Ok(Err(fault)),
    };
    let is_told = shown.listed.contains(&wanted.status);
    if is_told {
        let posted = Posted { status: Some(wanted.status.clone()), ..before(input, wanted) };
        outside.store.put_status(&outside.name, &posted, false, outside.now()).await.map_err(|error| local(&error))?;
    }
    Ok(Ok(is_told))
}

/// What GitHub showed before.
fn before(input: &PassInput, wanted: &StatusToPost) -> Posted {
    let context = &wanted.status.context;
    let same = |one: &&Posted| one.sha == wanted.sha && one.context.eq_ignore_ascii_case(context);
    let known = input.posted.iter().find(same).cloned();
    known.unwrap_or_else(|| Posted { sha: wanted.sha.clone(), context: context.clone(), status: None, refused: None })
}

/// Posts one, with a note in the store from before it is sent until it is known what became of it.
async fn post(outside: &Outside, before: Posted, wanted: &StatusToPost) -> Result<Result<(), Fault>, Fault> {
    let remember = async |posted: &Posted, is_uncertain: bool| {
        let written = outside.store.put_status(&outside.name, posted, is_uncertain, outside.now()).await;
        written.map_err(|error| local(&error))
    };
    remember(&before, true).await?;
    let became = match outside.github.post_status(&wanted.sha, &wanted.status).await {
        Ok(PostAnswer::Posted) => Posted { status: Some(wanted.status.clone()), refused: None, ..before },
        Ok(answer @ (PostAnswer::Full | PostAnswer::NoCommit)) => {
            let (refused, why) = match answer {
                PostAnswer::Full => (PostRefusal::Full, "GitHub takes no more of this context"),
                _ => (PostRefusal::NoCommit, "GitHub has no such commit"),
            };
            let what = format!("post a status on {}", wanted.sha.short());
            remember(&Posted { refused: Some(refused), ..before }, false).await?;
            return Ok(Err(Fault::new(FaultKind::Refused { status: 422 }, what, why)));
        }
        Err(fault) => {
            match fault.kind {
                // It stays uncertain, and the next pass reads before it sends again.
                _ if fault.is_uncertain() => {}
                // Nothing was sent.
                FaultKind::RateLimited { .. } => remember(&before, false).await?,
                _ => {
                    let earlier = match &before.refused {
                        Some(PostRefusal::Failed(trouble)) => Some(trouble),
                        _ => None,
                    };
                    let trouble = Trouble::again(earlier, &wanted.sha, &fault.to_string(), outside.now());
                    remember(&Posted { refused: Some(PostRefusal::Failed(trouble)), ..before }, false).await?;
                }
            }
            return Ok(Err(fault));
        }
    };
    remember(&became, false).await?;
    Ok(Ok(()))
}
