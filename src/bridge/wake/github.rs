//! GitHub's deliveries.

use serde::Deserialize;

use super::{About, Name, NoObject, Told, commit, ref_name, told};
use crate::forge::{PrNumber, Sha};

#[derive(Deserialize)]
struct PullRequest {
    action: String,
    number: u64,
    #[serde(rename = "pull_request")]
    pull: Pull,
    repository: Option<Name>,
}

#[derive(Deserialize)]
struct Pull {
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

#[derive(Deserialize)]
struct Check {
    action: String,
    #[serde(rename = "check_run", alias = "check_suite")]
    checked: Checked,
    repository: Option<Name>,
}

#[derive(Deserialize)]
struct Checked {
    head_sha: String,
}

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    git_ref: String,
    after: String,
    repository: Option<Name>,
}

#[derive(Deserialize)]
struct Any {
    repository: Option<Name>,
}

pub(super) fn read(event: &str, body: &str) -> Result<Told, NoObject> {
    match event {
        "pull_request" => told(body, |wire: PullRequest| {
            (wire.repository, pull_request(&wire.action, wire.number, &wire.pull.head.sha))
        }),
        "check_run" | "check_suite" => told(body, |wire: Check| {
            let ended = || Sha::parse(&wire.checked.head_sha).ok().map(|head| About::CheckEnded { head });
            (wire.repository, if wire.action == "completed" { ended() } else { Some(About::Other) })
        }),
        "push" => told(body, |wire: Push| {
            let about = ref_name(&wire.git_ref).map(|name| About::Push { name, to: commit(&wire.after) });
            (wire.repository, about)
        }),
        _ => told(body, |wire: Any| (wire.repository, Some(About::Other))),
    }
}

fn pull_request(action: &str, number: u64, head: &str) -> Option<About> {
    let pr = PrNumber(number);
    let head = Sha::parse(head).ok()?;
    Some(if action == "synchronize" { About::Head { pr, head } } else { About::PullRequest { pr } })
}
