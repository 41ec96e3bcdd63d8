use super::*;
use crate::sandbox::git::Trunk;
use crate::sandbox::world::{EPOCH, OPENING};

fn hub(pulls: usize) -> Hub {
    Hub::new(7, pulls, &Trunk::new(7, EPOCH), OPENING, "http://127.0.0.1:1")
}

#[test]
fn the_same_seed_gives_the_same_commits() {
    let (one, other) = (hub(40), hub(40));
    assert_eq!(one.refs(), other.refs());
    assert!(one.refs().len() > 80);
    let more = hub(60).refs();
    assert!(
        one.refs().iter().all(|(name, id)| more.get(name) == Some(id)),
        "more of them change nothing about the first"
    );
}

#[test]
fn the_opening_has_one_of_each_kind() {
    let hub = hub(24);
    let judged = |wanted: fn(&Judged) -> bool| hub.pulls().values().filter(|pull| wanted(&pull.judged)).count();
    assert_eq!(
        judged(|judged| *judged == Judged::Conflict),
        4,
        "two with develop, one with the release, one with everything"
    );
    assert_eq!(judged(|judged| *judged == Judged::Slow), 1);
    assert_eq!(hub.pulls().values().filter(|pull| pull.is_draft).count(), 2);
    assert_eq!(hub.pulls().values().filter(|pull| pull.told.is_some()).count(), 1);
    assert_eq!(hub.pulls().values().filter(|pull| pull.head_repo.is_none()).count(), 1);
    assert_eq!(hub.bridged().len(), 2);
    let is_old = |pull: &&Pull| OPENING.since(pull.updated_at).as_secs() > 48 * 3_600;
    assert!(hub.pulls().values().filter(is_old).count() >= 1);
}

#[test]
fn a_full_commit_takes_no_more_and_another_context_is_another() {
    let mut hub = hub(1);
    let sha = hub.tip("develop").unwrap().id;
    for _ in 0..1_000 {
        hub.post_status(sha, "a", "pending", None, None).unwrap();
    }
    assert!(hub.post_status(sha, "A", "pending", None, None).is_err());
    assert!(hub.post_status(sha, "b", "pending", None, None).is_ok());
    assert_eq!(hub.latest_statuses(sha).len(), 2);
}

#[test]
fn what_merges_makes_others_conflict() {
    let mut hub = hub(0);
    let (one, other) = (hub.open_pull("one", "hdf5").unwrap(), hub.open_pull("other", "hdf5").unwrap());
    hub.look(one);
    hub.look(other);
    assert!(matches!(hub.pull(other).unwrap().judged, Judged::Clean(_)));
    hub.act(one, Act::Merge).unwrap();
    assert_eq!(hub.pull(other).unwrap().judged, Judged::NotYet, "GitHub has to look again");
    hub.look(other);
    assert_eq!(hub.pull(other).unwrap().judged, Judged::Conflict);
    assert_eq!(hub.act(other, Act::Merge), Err(NoPull(other)));
}
