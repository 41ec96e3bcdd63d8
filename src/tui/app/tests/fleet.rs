//! Fleet and alerts over an invented cluster: pictures in every state, and what keys lead to.

mod made;

use made::*;

use super::night::Night;
use super::{SIZES, Wish, over};
use crate::ci::{Job, JobId, PipelineId, Status};
use crate::console::event::{Event, Intent};
use crate::console::fleet::{News, Phase, Source, SourceState};
use crate::fleet::{Kind, Uid};
use crate::tui::glyphs::Glyphs;
use crate::tui::screen::Place;
use crate::tui::testing::snapshot;
use crate::tui::theme::{Depth, Theme};

fn opened(mut night: Night, keys: &str) -> Night {
    night.press(keys);
    night
}

/// Everything unfolded: every group, runner and node.
const ALL: &str = "5 G l l l k k k k";

fn stale() -> Night {
    let mut night = whole();
    let heard = night.now;
    night.now = night.now.shifted(190_000);
    cluster_fares(&mut night, &Phase::Stale, Some(heard));
    night
}

fn denied() -> Night {
    let mut night = configured(&Source::ALL);
    let now = night.now;
    tell(&mut night, vec![News::Runners(runners(now))]);
    listed(&mut night, Source::Nodes, &nodes(now));
    let right = "list and watch pods in the namespace pipeline".to_owned();
    fares(&mut night, Source::Pods, Phase::Denied { right }, None);
    later(&mut night, 20);
    night
}

#[test]
fn the_fleet_in_every_state() {
    let mut failed = configured(&Source::ALL);
    cluster_fares(&mut failed, &Phase::Starting, None);
    let mut empty = configured(&[Source::Pods, Source::Nodes]);
    for source in [Source::Pods, Source::Nodes] {
        listed(&mut empty, source, &[]);
    }
    let mut partial = configured(&Source::ALL);
    let now = partial.now;
    listed(&mut partial, Source::Pods, &pods(now));
    later(&mut partial, 20);
    let cases = vec![
        ("normal", whole()),
        ("stale", stale()),
        ("denied", denied()),
        ("failed", failed),
        ("empty", empty),
        ("loading", configured(&Source::ALL)),
        ("partial", partial),
        ("huge", huge()),
        ("unconfigured", Night::busy()),
    ];
    for (case, mut night) in cases {
        night.press("5");
        snapshot(&format!("fleet-{case}-100x30"), &night.draw(100, 30));
        snapshot(&format!("fleet-{case}-80x24"), &night.draw(80, 24));
        if case == "normal" {
            snapshot("fleet-normal-60x20", &night.draw(60, 20));
            snapshot("fleet-normal-180x40", &night.draw(180, 40));
            night.app.set_theme(Theme::distinct(Depth::Mono));
            night.app.setup.glyphs = Glyphs::ASCII;
            snapshot("fleet-normal-100x30-mono-ascii", &night.draw(100, 30));
        }
    }
}

#[test]
fn every_level_opens() {
    let mut filtered = opened(whole(), "5 /");
    filtered.write("state:run,wait,warn,fail");
    over("fleet-filtered", filtered, &[(120, 30), (80, 24)]);
    let mut nothing = opened(whole(), "5 /");
    nothing.write("node:nowhere");
    over("fleet-filter-nothing", nothing, &[(80, 24)]);
}

#[test]
fn explanations_name_every_gap() {
    let explain = |filter: &str, keys: &str| {
        let mut night = opened(whole(), "5 /");
        night.write(filter);
        night.press("⏎");
        night.press(keys);
        night
    };
    over("fleet-explain-pending", explain("rust", "G e"), &[(100, 30)]);
    over("fleet-explain-running", explain("kokkos", "G e"), &[(100, 30)]);
    over("fleet-explain-node", explain("node:ip-10-0-2-9 state:failed", "j j e"), &[(100, 30)]);
    over("fleet-explain-runner", explain("runner:7x2lp", "j e"), &[(100, 30)]);
    over("fleet-explain-group", opened(whole(), "5 e"), &[(100, 30)]);
    over("fleet-explain-idle", opened(whole(), "5 G e"), &[(100, 30)]);
}

#[test]
fn a_pod_leads_to_its_job_and_a_job_to_its_pod() {
    let mut night = opened(whole(), "5 /");
    night.write("kokkos");
    night.press("⏎ G ⏎");
    assert_eq!(night.app.screen.place(), Place::Job(JobId(KOKKOS)));
    night.press("g n");
    let here = night.text(100, 30);
    let cursor = here.lines().find(|line| line.contains('▌')).unwrap();
    assert!(cursor.contains("kokkos") && cursor.contains(&KOKKOS.to_string()), "{here}");
    // From the list of jobs as well.
    night.press("4 /");
    night.write("pkg:py-numpy");
    night.press("⏎ g n");
    let here = night.text(100, 30);
    assert!(here.lines().find(|line| line.contains('▌')).unwrap().contains("py-numpy"), "{here}");
    // A job without a pod says why.
    night.press("4 /");
    night.write("pkg=petsc");
    night.press("⏎ g n");
    assert!(night.text(100, 30).contains("has no pod here: no runner took the job yet"), "{}", night.text(100, 30));
    // A pod whose job nobody follows says so.
    let mut night = opened(whole(), "5 /");
    night.write("rust");
    night.press("⏎ G ⏎");
    assert!(night.text(100, 30).contains("is in no pipeline that is followed"), "{}", night.text(100, 30));
}

#[test]
fn without_a_cluster_a_job_says_what_is_missing() {
    let mut night = opened(Night::busy(), "4 g n");
    let here = night.text(100, 30);
    assert!(here.contains("kubernetes.kubeconfig"), "{here}");
}

#[test]
fn what_is_not_known_is_never_zero() {
    // Pods may not be read: no number of jobs is told, of the cluster's runners.
    let mut night = opened(denied(), "5");
    let here = night.text(140, 30);
    let row = here.lines().find(|line| line.contains("x86-v3")).unwrap();
    assert!(row.contains("?/4"), "{here}");
    assert!(here.contains("missing right: list and watch pods"), "{here}");
    assert_eq!(kinds_known(&night), [Kind::Node]);
    let overview = opened(night, "1").text(120, 30);
    let line = overview.lines().find(|line| line.contains("FLEET")).unwrap();
    assert!(line.contains("busy ?") && line.contains("pending ?"), "{overview}");
}

#[test]
fn the_last_pod_that_goes_is_counted_and_a_list_takes_the_rest_away() {
    let mut night = whole();
    assert_eq!((night.core.fleet.counts.busy, night.core.fleet.counts.pending), (3, 1));
    let gone = crate::console::fleet::Change::Gone(Kind::Pod, Uid(format!("pod-{KOKKOS}").into()));
    tell(&mut night, vec![News::Changed { source: Source::Pods, changes: vec![gone] }]);
    assert_eq!(night.core.fleet.counts.busy, 2);
    listed(&mut night, Source::Pods, &[]);
    let counts = &night.core.fleet.counts;
    assert_eq!((counts.busy, counts.pending, counts.running.len()), (0, 0, 0));
    // Managers are in another namespace, and say nothing of the pods of jobs.
    let mut fresh = configured(&[Source::Pods, Source::Managers]);
    listed(&mut fresh, Source::Managers, &[]);
    assert_eq!(kinds_known(&fresh), []);
}

#[test]
fn ends_of_jobs_are_counted_where_they_were_seen_running() {
    let mut night = whole();
    let home = PipelineId(1_082_344);
    let ended = |night: &Night, id: u64, status: Status| {
        let job = night.core.job(JobId(id)).unwrap();
        Job { status, finished_at: Some(night.now), runner: None, ..job.clone() }
    };
    let jobs = vec![ended(&night, KOKKOS, Status::Failed), ended(&night, NUMPY, Status::Success)];
    let at = night.now;
    night.tell(Event::JobsFetched { pipeline: home, jobs, at });
    let ends: Vec<(u64, bool, Option<String>)> = night
        .core
        .fleet
        .outcomes
        .newest()
        .map(|end| (end.job.0, end.is_good, end.seat.node.as_ref().map(ToString::to_string)))
        .collect();
    let node = Some("ip-10-0-1-7".to_owned());
    assert_eq!(ends, [(NUMPY, true, node.clone()), (KOKKOS, false, node)]);
    // hdf5 failed before anybody saw it run.
    assert!(night.core.fleet.outcomes.newest().all(|end| end.job != super::HDF5));
    night.press("5 /");
    night.write("runner:7x2lp");
    night.press("⏎");
    let here = night.text(180, 30);
    assert!(here.contains("last ✗✓") && here.contains("50.0"), "{here}");
}

#[test]
fn a_failure_stands_where_its_job_was_seen() {
    let mut night = whole();
    let home = night.core.home(JobId(KOKKOS)).unwrap().pipeline.clone();
    let job = night.core.job(JobId(KOKKOS)).unwrap().clone();
    let (at, failed) = (night.now, Job { status: Status::Failed, finished_at: Some(night.now), runner: None, ..job });
    let failure = crate::taxonomy::Failure::of(&failed, &home, at);
    assert_eq!((failure.runner.clone(), failure.host.clone()), (None, None), "neither GitLab nor the log says where");
    let running = |job| {
        let state = serde_json::json!({"running": {"startedAt": at.to_string()}});
        let (runner, node) = ("runner-x86-v3-pub-gitlab-runner-6c9d7b8f5-7x2lp", Some("ip-10-0-1-7"));
        pod(at, &Made { job, runner, node, package: "kokkos", state, phase: "Running", age: 60 })
    };
    let sick: Vec<_> = (1..=12).map(running).collect();
    listed(&mut night, Source::Pods, &sick);
    for job in 1..=12 {
        night.tell(Event::Judged(
            crate::taxonomy::Failure { job: JobId(job), package: None, hash: None, stack: None, ..failure.clone() }
                .into(),
        ));
    }
    let rows = crate::console::failures::rows(&night.core, at, at.shifted(-60_000), at);
    let place = rows.iter().find_map(|row| row.sum.place.as_ref()).map(|place| place.value.to_string());
    assert_eq!(place.as_deref(), Some("ip-10-0-1-7"));
}

#[test]
fn the_alerts_in_every_state() {
    let cases = vec![
        ("normal", whole()),
        ("empty", {
            let mut night = configured(&[Source::Alerts]);
            let state = live(&night);
            tell(
                &mut night,
                vec![
                    News::Alerts { alerts: Vec::new(), silences: Vec::new() },
                    News::Seen { source: Source::Alerts, state },
                ],
            );
            later(&mut night, 20);
            night
        }),
        ("loading", configured(&Source::ALL)),
        ("stale", {
            let mut night = whole();
            let heard = night.now;
            later(&mut night, 200);
            fares(&mut night, Source::Alerts, Phase::Stale, Some(heard));
            night
        }),
        ("unconfigured", Night::busy()),
    ];
    for (case, mut night) in cases {
        night.press("g a");
        snapshot(&format!("alerts-{case}-100x30"), &night.draw(100, 30));
        snapshot(&format!("alerts-{case}-80x24"), &night.draw(80, 24));
    }
    over("alerts-explain", opened(whole(), "g a G e"), &[(100, 30)]);
    over("overview-fleet", opened(whole(), "1"), &[(100, 30), (80, 24)]);
}

#[test]
fn an_alert_opens_the_screen_that_explains_it() {
    let mut night = opened(whole(), "g a /");
    night.write("SpotReclaimBurst");
    night.press("⏎ ⏎");
    assert_eq!(night.app.screen.place(), Place::Fleet { job: None, filter: String::new() });
    let mut night = opened(whole(), "g a /");
    night.write("JobOOMKilled");
    night.press("⏎ ⏎");
    assert!(matches!(night.app.screen.place(), Place::Fleet { filter, .. } if filter == "pkg=\"llvm\""));
    assert!(night.text(100, 30).contains("OOMKilled"), "{}", night.text(100, 30));
    let mut night = opened(whole(), "g a /");
    night.write("NodePoolNearLimit");
    night.press("⏎ ⏎");
    assert!(matches!(night.app.screen.place(), Place::Fleet { filter, .. } if filter == "class=\"glr-x86-64-v3\""));
}

#[test]
fn a_finding_that_ceases_is_shown_for_a_while_and_one_that_cannot_be_judged_stays() {
    let mut night = whole();
    let near = |night: &Night| {
        let alarms = night.core.fleet.alarms();
        alarms
            .iter()
            .find(|alarm| alarm.name() == "SpotReclaimBurst")
            .map(|alarm| (alarm.state().word(), alarm.is_fresh()))
    };
    assert_eq!(near(&night), Some(("firing", true)));
    // Prometheus lost its series: nothing is known, so nothing ceases.
    tell(&mut night, vec![News::Metrics(crate::console::fleet::Metrics::default())]);
    later(&mut night, 20);
    assert_eq!(near(&night), Some(("firing", false)));
    let calm = crate::console::fleet::Metrics { synced: Some(1.0), reclaims: Some(0.0), ..Default::default() };
    tell(&mut night, vec![News::Metrics(calm)]);
    later(&mut night, 20);
    assert_eq!(near(&night), Some(("resolved", true)));
    later(&mut night, 3_600);
    assert_eq!(near(&night), None);
}

#[test]
fn a_source_that_falls_silent_is_an_alert_of_its_own_within_three_periods() {
    for source in Source::ALL {
        let mut night = configured(&[source]);
        let state = SourceState { phase: Phase::Live, heard: Some(night.now), ..SourceState::default() };
        tell(&mut night, vec![News::Seen { source, state }]);
        later(&mut night, 1);
        night.now = night.now.shifted(i64::try_from(source.period().as_millis()).unwrap() * 3);
        night.tell(Event::Ticked);
        let alarms = night.core.fleet.alarms();
        let told = alarms.iter().find(|alarm| alarm.name() == "SourceStale").map(|alarm| alarm.subject().to_owned());
        assert_eq!(told.as_deref(), Some(source.word()));
        let fresh = night.core.fleet.sources[&source].freshness(source, night.now.shifted(1_000));
        assert!(matches!(fresh, crate::console::fresh::Freshness::Stale(age) if age > MINUTE), "{source:?} {fresh:?}");
    }
}

#[test]
fn keys_of_every_level_never_panic() {
    let begins: [fn() -> Night; 5] = [whole, denied, stale, || configured(&Source::ALL), Night::busy];
    for begin in begins {
        let mut night = begin();
        night.press(ALL);
        for keys in ["j l e Esc", "G ⏎ Esc", "s S s s s s", "] e [ e", "y i", "h h h h", "g a j e Esc ⏎", "g n"] {
            night.press(keys);
        }
        for (width, height) in SIZES.into_iter().chain([(1, 1), (40, 6), (41, 7), (300, 90)]) {
            night.draw(width, height);
        }
    }
}

/// The title line of the preview that lies over the screen.
fn preview(night: &mut Night) -> String {
    let text = night.text(100, 30);
    text.lines().find(|line| line.contains(" preview ")).unwrap_or_else(|| panic!("no preview: {text}")).to_owned()
}

#[test]
fn keys_plan_what_may_be_done_to_the_fleet() {
    let mut night = opened(whole(), "5 /");
    night.write("runner:7x2lp");
    night.press("⏎ j p");
    assert!(preview(&mut night).contains("Pause preview  1 target"));
    assert!(
        night.text(100, 30).contains("this is off; turn it on with actions.runners = true"),
        "{}",
        night.text(100, 30)
    );
    over("fleet-pause", night, &[(100, 30), (80, 24)]);

    let mut night = opened(whole(), "5 /");
    night.write("node:ip-10-0-2-9 state:failed");
    night.press("⏎ j j D");
    assert!(preview(&mut night).contains("Cordon preview"));

    let mut night = opened(whole(), "5 /");
    night.write("kokkos");
    night.press("⏎ G x");
    assert!(
        night.text(100, 30).contains("whether it hangs is not known; cancel it instead"),
        "{}",
        night.text(100, 30)
    );

    let mut night = opened(whole(), "5 p");
    assert!(night.text(100, 30).contains("no runner of GitLab's list is under the cursor"), "a group is no runner");
}

#[test]
fn alerts_are_acknowledged_and_silenced_with_a_note() {
    let mut night = opened(whole(), "g a a");
    night.write("2h asked uo");
    let wishes = night.press("⏎");
    let Some(Wish::Intend(Intent::Acknowledge(ack))) = wishes.into_iter().next() else { panic!("nothing was said") };
    assert_eq!((&*ack.note, ack.until.unwrap().since(ack.created).as_secs()), ("asked uo", 7_200));
    assert!(ack.fingerprint.is_some(), "one subject, not all of its kind");

    let mut night = opened(whole(), "g a /");
    night.write("ContainerOOMKilled");
    night.press("⏎ X");
    assert!(night.press("⏎").is_empty(), "a note is needed");
    night.write("known since yesterday");
    night.press("⏎");
    assert!(preview(&mut night).contains("Silence preview"));
    over("alerts-silence", night, &[(100, 30)]);
}
