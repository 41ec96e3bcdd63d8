//! Trouble: whatever GitLab, its proxy or the network do, the console stays, says what it knows and how old it is, and recovers.

use std::time::Duration;

use stackhand::sandbox::{Fault, FaultKind};

use crate::night::{Night, Plot, Who, story};

/// Old, or failed, and what to do.
fn tells(text: &str, remedy: &str) -> bool {
    (text.contains("STALE") || text.contains("ERROR") || text.contains("age ")) && text.contains(remedy)
}

/// Fresh, and without a word of trouble in the panel; the toast stays until somebody presses a key.
fn is_well(text: &str, remedy: &str) -> bool {
    let rows: Vec<&str> = text.lines().collect();
    let panel = rows.get(..rows.len().saturating_sub(2)).unwrap_or_default();
    !panel.iter().any(|row| row.contains("STALE") || row.contains("ERROR") || row.contains(remedy))
}

/// Breaks the server in one way and repairs it again.
async fn breaks_and_recovers(night: &Night, kind: FaultKind, remedy: &str) {
    let counts = night.counts();
    night.forget_counts();
    night.server().fault(Fault::new(kind.clone()));
    night.refresh().await;
    night.until(&format!("{kind:?} is told"), |text| tells(text, remedy)).await;
    night.until(&format!("{kind:?} makes it stale"), |text| text.contains("gl STALE ")).await;
    // Keys are still answered, and what was known is still there.
    night.press("4").await;
    night.until("the jobs", |text| text.contains("Jobs  all")).await;
    night.press("1").await;
    night.until("the overview", |text| text.contains("Overview") && text.contains("QUEUE")).await;
    night.server().heal();
    night.refresh().await;
    night.until(&format!("{kind:?} is over"), |text| is_well(text, remedy)).await;
    assert_eq!(night.shown_counts(), [counts], "{kind:?}: time stood still, so the counts may not move");
}

#[test]
fn every_wrong_answer_is_told_and_survived() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        for (kind, remedy) in [
            (FaultKind::Unauthorized, "give a token"),
            (FaultKind::Forbidden, "the token lacks the right"),
            (FaultKind::NotFound, "check the project path"),
            (FaultKind::RetryLater(4), "rate limit"),
            (FaultKind::TooManyRequests(4), "rate limit"),
            (FaultKind::ServerError, "the server has trouble"),
        ] {
            breaks_and_recovers(&night, kind, remedy).await;
        }
        night.end().await;
    });
}

#[test]
fn every_broken_answer_is_told_and_survived() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        let login = "<html><title>Sign in</title><body>".to_owned();
        for (kind, remedy) in [
            (FaultKind::BadGateway, "the server has trouble"),
            (FaultKind::Truncated, "the answer was damaged"),
            (FaultKind::Drop, "trying again by itself"),
            (FaultKind::Firewall, "the site's firewall"),
            (FaultKind::Reply { status: 200, content_type: "text/html", body: login }, "the site's firewall"),
            (FaultKind::Hang(Duration::from_secs(60)), "check the network"),
        ] {
            breaks_and_recovers(&night, kind, remedy).await;
        }
        night.end().await;
    });
}

#[test]
fn without_a_token_it_is_the_same() {
    story(async {
        let night = Plot::default().by(Who::Nobody).begin().await;
        night.loaded().await;
        for (kind, remedy) in
            [(FaultKind::BadGateway, "the server has trouble"), (FaultKind::Firewall, "the site's firewall")]
        {
            breaks_and_recovers(&night, kind, remedy).await;
        }
        night.end().await;
    });
}

#[test]
fn a_server_that_dies_and_comes_back_is_found_again_without_help() {
    story(async {
        let mut night = Plot::default().begin().await;
        night.loaded().await;
        let counts = night.counts();
        night.forget_counts();
        let port = night.kill();
        night.until("it is gone", |text| text.contains("STALE") && text.contains("check the network")).await;
        night.revive(port).await;
        night.until("it is back", |text| is_well(text, "check the network")).await;
        assert_eq!(night.shown_counts(), [counts]);
        night.end().await;
    });
}

#[test]
fn trouble_from_the_first_moment_leaves_everything_unknown() {
    story(async {
        let broken = |server: &stackhand::sandbox::Running| server.fault(Fault::new(FaultKind::BadGateway));
        let night = Plot { prelude: Some(std::rc::Rc::new(broken)), ..Plot::default() }.begin().await;
        night.until("it says what is wrong", |text| text.contains("gl ERROR") && text.contains("502")).await;
        night.until("and that nothing is known", |text| text.contains("nothing is known yet")).await;
        for keys in ["2", "4", "g z", "1"] {
            night.press(keys).await;
        }
        night.until("the overview again", |text| text.contains("Overview")).await;
        assert_eq!(night.shown_counts(), ["✗? ▸? ⋯? ✓?"]);
        night.server().heal();
        night.loaded().await;
        night.until("all is known", |text| !text.contains("ERROR") && text.contains("script_failure")).await;
        night.end().await;
    });
}

#[test]
fn while_it_loads_no_count_claims_to_be_whole() {
    story(async {
        let slow = FaultKind::Slow { bytes: 200_000, pause: Duration::from_millis(15) };
        let begin = move |server: &stackhand::sandbox::Running| server.fault(Fault::new(slow.clone()));
        let night = Plot { prelude: Some(std::rc::Rc::new(begin)), ..Plot::default() }.begin().await;
        night.loaded().await;
        night.until("the last frame is whole", |text| !counts_row(text).contains('≥')).await;
        let whole = night.counts();
        for counts in night.shown_counts() {
            let is_honest = counts == whole || counts.contains('?') || counts.starts_with('≥');
            assert!(is_honest, "`{counts}` was shown while loading; in the end it was `{whole}`");
        }
        night.end().await;
    });
}

fn counts_row(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[test]
fn an_action_that_meets_trouble_is_never_sent_twice() {
    story(async {
        let night = Plot::default().begin().await;
        night.loaded().await;
        let lead = night.lead();
        let jobs = night.jobs();
        night.list_job(lead).await;
        // GitLab does it, and the answer is lost on the way.
        night.server().fault(Fault::new(FaultKind::Drop).on("/retry").times(1));
        night.press("r").await;
        night.confirm().await;
        night.wait("it is over", || night.world.borrow().actions.done().next().is_some()).await;
        assert_eq!(night.jobs(), jobs + 1, "once, and once only");
        let [done, ..] = night.world.borrow().actions.done().next().unwrap().tally();
        assert_eq!(done, 1, "what happened was found out");
        night.end().await;
    });
}
