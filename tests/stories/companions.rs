//! What looks after the bridge, between the practice GitHub and the practice GitLab, over real sockets and real git.

mod stuck;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::github::{self, Access, GitHub};
use stackhand::adapters::gitlab::{self, GitLab};
use stackhand::adapters::store::{Store, Swap};
use stackhand::bridge::Trouble;
use stackhand::bridge::companions::skipped::SkippedRules;
use stackhand::bridge::companions::stale::{StalePlan, StaleRules};
use stackhand::ci::{JobId, PipelineId, Status};
use stackhand::console::actions::{Guard, GuardRule, Outcome};
use stackhand::console::audit::{AuditRow, AuditState};
use stackhand::console::filter::Filter;
use stackhand::controller::loops::companions::{DryNotes, Duty, Item, Outside, Report, Rules, Stale, StaleError};
use stackhand::forge::Sha;
use stackhand::sandbox::{Act, Fault, FaultKind, OPENING, Options, Running, Sandbox};

use super::watch::Watch;

const HOUR: i64 = 3_600_000;
/// What is asked of GitLab when a pipeline is created, and nothing else.
const START: &str = "POST /api/v4/projects/spack%2Fspack-packages/pipeline";

/// A practice world, and a folder for what is remembered.
struct Night {
    running: Running,
    folder: PathBuf,
}

impl Night {
    async fn begin(name: &str) -> Self {
        let running = Sandbox::start(Options { speed: 0.0, jobs: 200, ..Options::default() }).await.unwrap();
        // People do nothing that no test tells them to.
        running.hub(stackhand::sandbox::Hub::pause);
        let folder = std::env::temp_dir().join(format!("stackhand-companions-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self { running, folder }
    }

    /// Opens everything as a new process would.
    async fn outside(&self, change: impl FnOnce(&mut Outside)) -> Arc<Outside> {
        // Of another year than the world: only what servers say of the time counts.
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = || {
            let clock = Arc::clone(&clock);
            Arc::new(move || clock.now())
        };
        let running = &self.running;
        let (owner, repository) = running.github.repo.split_once('/').unwrap();
        let access = Access::Token(SecretString::from(running.github.token.clone()));
        let settings = github::Settings {
            backoff: Duration::from_millis(5),
            ..github::Settings::new(&running.github.url, owner, repository, access, now())
        };
        let gitlab = GitLab::new(gitlab::Settings {
            token: Some(SecretString::from(running.token.clone())),
            per_second: 10_000.0,
            backoff: Duration::from_millis(5),
            ..gitlab::Settings::new(running.url.clone(), running.project, now())
        });
        let mut outside = Outside {
            name: "practice/spack".into(),
            gitlab: gitlab.unwrap(),
            github: GitHub::new(settings, 7).unwrap(),
            store: Store::open(&self.folder.join("store.db"), clock.now()).await.unwrap(),
            rules: Rules::default(),
            guards: stackhand::console::actions::Rules::default(),
            clock,
            dry: DryNotes::default(),
        };
        change(&mut outside);
        Arc::new(outside)
    }

    async fn pass(&self, duty: Duty, dry_run: bool) -> Report {
        duty.pass(&self.outside(|_| ()).await, dry_run, &|| false).await.unwrap()
    }

    /// Lets the world get older.
    fn wait(&self, millis: i64) {
        self.running.world(|world| world.advance_to(world.now().shifted(millis)));
    }

    /// Pushes the heads of pull requests to the GitLab by hand, all at once; tells the branches in the order in which git sends them.
    fn push(&self, head_refs: &[&str]) -> Vec<String> {
        let mut refs: Vec<(String, u64)> = head_refs
            .iter()
            .map(|name| {
                let find = |pull: &&stackhand::sandbox::Pull| &*pull.head_ref == *name;
                let number = self.running.hub(|hub| hub.pulls().values().find(find).unwrap().number);
                (format!("pr{number}_{name}"), number)
            })
            .collect();
        refs.sort();
        let git = |arguments: &[String]| {
            let output = Command::new("git").arg("-C").arg(&self.folder).args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        git(&words(&["init", "-q", "--bare", "hand"]));
        let at = |mut rest: Vec<String>| {
            let mut all = words(&["--git-dir", "hand"]);
            all.append(&mut rest);
            git(&all);
        };
        let with_token = |url: &str, token: &str| url.replacen("://", &format!("://git:{token}@"), 1);
        let github = with_token(&self.running.github.git_url, &self.running.github.token);
        let mut fetch = words(&["fetch", "-q", &github]);
        fetch.extend(refs.iter().map(|(name, number)| format!("refs/pull/{number}/head:refs/heads/{name}")));
        at(fetch);
        let mut push = words(&["push", "-q", &with_token(&self.running.git_url(), &self.running.token)]);
        push.extend(refs.iter().map(|(name, _)| format!("refs/heads/{name}:refs/heads/{name}")));
        at(push);
        refs.into_iter().map(|(name, _)| name).collect()
    }

    /// Pipelines of a branch's commit.
    fn pipelines(&self, branch: &str) -> usize {
        self.running.world(|world| {
            let head = world.refs().tip(branch).unwrap().sha.clone();
            world.pipelines().filter(|one| one.parent.is_none() && one.commit.sha == head).count()
        })
    }

    /// The newest rows of the audit, the oldest of them first.
    async fn audit(&self) -> Vec<AuditRow> {
        let store = Store::open(&self.folder.join("store.db"), SystemClock.now()).await.unwrap();
        let mut rows: Vec<AuditRow> = store.list(100, None).await.unwrap().into_iter().map(|(_, row)| row).collect();
        rows.reverse();
        rows
    }

    fn writes(&self) -> Vec<String> {
        self.running.writes()
    }

    /// Waits until GitLab was asked for this. From the first change on, the world ages by so much with each look.
    async fn until_written(&self, part: &str, ageing: i64) {
        let waiting = async {
            while !self.writes().iter().any(|one| one.contains(part)) {
                if ageing > 0 && !self.writes().is_empty() {
                    self.wait(ageing);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap_or_else(|_| panic!("{part} was never sent"));
    }
}

impl Drop for Night {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const FIVE: [&str; 5] = ["kokkos-static", "feature/a/b", "föö", "-f", "a+b"];

fn item<'a>(report: &'a Report, subject: &str) -> &'a Item {
    let found = report.items.iter().find(|one| one.subject.contains(subject));
    found.unwrap_or_else(|| panic!("{subject} is not in {:?}", report.items))
}

fn done(item: &Item) -> bool {
    matches!(item.outcome, Some(Outcome::Done { .. }))
}

/// Writes a note down as an earlier pass did.
async fn note(outside: &Outside, duty: Duty, subject: &str, note: Value) {
    let swap = Swap { subject: subject.to_owned(), before: None, after: Some(note) };
    outside.store.swap_companion_notes(&format!("{} {duty}", outside.name), vec![swap], OPENING).await.unwrap();
}

fn states(rows: &[AuditRow]) -> Vec<(&str, &str, AuditState)> {
    rows.iter().map(|row| (&*row.who, &*row.action, row.state)).collect()
}

/// GitLab starts four pipelines for a push of five, and tells nobody of the fifth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fifth_branch_of_a_push_gets_its_pipeline_after_an_hour_and_only_one() {
    let night = Night::begin("fifth").await;
    let branches = night.push(&FIVE);
    let without: Vec<&String> = branches.iter().filter(|name| night.pipelines(name) == 0).collect();
    let [fifth] = without[..] else { panic!("{without:?}") };
    // Nobody knows when it was pushed: it gets an hour.
    let young = night.pass(Duty::Skipped, false).await;
    assert!(young.items.is_empty() && young.verdicts["young"] >= 1 && young.troubles.is_empty(), "{young:?}");
    night.wait(HOUR + 1_000);
    let dry = night.pass(Duty::Skipped, true).await;
    assert_eq!((item(&dry, fifth).verdict, &item(&dry, fifth).outcome), ("start", &None));
    assert_eq!(night.writes().iter().filter(|one| one.starts_with(START)).count(), 0);
    let report = night.pass(Duty::Skipped, false).await;
    assert!(done(item(&report, fifth)) && report.is_clean(), "{report:?}");
    assert_eq!((report.acted(), night.pipelines(fifth)), (1, 1));
    for _ in 0..3 {
        night.wait(2 * HOUR);
        let again = night.pass(Duty::Skipped, false).await;
        assert_eq!((again.acted(), night.pipelines(fifth)), (0, 1), "{again:?}");
    }
    let rows = night.audit().await;
    let expected = [AuditState::Sent, AuditState::Done].map(|state| ("bridge.skipped", "pipelines.start", state));
    assert_eq!(states(&rows), expected);
    assert!(rows[0].summary.contains(fifth.as_str()) && rows[0].at.millis() > OPENING.millis(), "{:?}", rows[0]);
}

/// A process that only looks remembers from pass to pass what it has seen, in the place of the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_passes_of_one_process_say_after_an_hour_what_they_would_start() {
    let night = Night::begin("watcher").await;
    let branches = night.push(&FIVE);
    let fifth = branches.iter().find(|name| night.pipelines(name) == 0).unwrap();
    let watcher = night.outside(|_| ()).await;
    for (waits, verdict) in [(0, "young"), (HOUR + 1_000, "start"), (HOUR, "start")] {
        night.wait(waits);
        // The first answer after a jump of the world's clock tells the client of it.
        Duty::Skipped.pass(&watcher, true, &|| false).await.unwrap();
        let dry = Duty::Skipped.pass(&watcher, true, &|| false).await.unwrap();
        assert!(dry.verdicts.get(verdict).is_some_and(|count| *count > 0), "{dry:?}");
        assert!(waits == 0 || item(&dry, fifth).verdict == "start");
    }
    assert_eq!(watcher.store.companion_notes::<Value>("practice/spack skipped").await.unwrap().len(), 0);
}

/// Killed after GitLab was asked and before that was written down; and another process at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_is_killed_while_it_asks_does_not_ask_twice() {
    let night = Night::begin("killed").await;
    let branches = night.push(&FIVE);
    let fifth = branches.iter().find(|name| night.pipelines(name) == 0).unwrap();
    night.pass(Duty::Skipped, false).await;
    night.wait(HOUR + 1_000);
    // GitLab does what it is asked, and its answer never ends.
    night.running.fault(Fault::new(FaultKind::Stall).on(START));
    let killed = {
        let outside = night.outside(|_| ()).await;
        tokio::spawn(async move { Duty::Skipped.pass(&outside, false, &|| false).await })
    };
    night.until_written(START, 0).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    night.running.heal();
    assert_eq!(states(&night.audit().await), [("bridge.skipped", "pipelines.start", AuditState::Sent)]);
    assert_eq!(night.pipelines(fifth), 1, "GitLab has done it");
    for _ in 0..3 {
        let next = night.pass(Duty::Skipped, false).await;
        assert_eq!((next.acted(), night.pipelines(fifth)), (0, 1), "{next:?}");
        night.wait(HOUR);
    }
    assert_eq!(night.writes().iter().filter(|one| one.starts_with(START)).count(), 1);
}

/// The request is lost on its way: what was not heard of is asked again, later, and no more than a few times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gitlab_refuses_is_asked_for_a_few_times_and_spoils_no_other() {
    let night = Night::begin("poisoned").await;
    let mut branches = night.push(&["kokkos-static", "feature/a/b", "föö", "-f", "a+b", "$(id)"]);
    branches.retain(|name| night.pipelines(name) == 0);
    assert_eq!(branches.len(), 2);
    let outside = night
        .outside(|outside| {
            outside.rules.skipped =
                SkippedRules { unknown_grace: Duration::ZERO, grace: Duration::ZERO, most_tries: 3 };
        })
        .await;
    let body = r#"{"message":{"base":["No stages / jobs for this pipeline."]}}"#;
    night.running.fault(
        Fault::new(FaultKind::Reply { status: 400, content_type: "application/json", body: body.to_owned() })
            .on(START)
            .times(1),
    );
    let first = Duty::Skipped.pass(&outside, false, &|| false).await.unwrap();
    let failed: Vec<&Item> =
        first.items.iter().filter(|one| matches!(one.outcome, Some(Outcome::Failed { .. }))).collect();
    let well = first.items.iter().filter(|one| done(one)).count();
    assert!(failed.len() == 1 && well >= 1 && !first.is_clean(), "{:?}", first.items);
    let poisoned = failed[0].subject.clone();
    assert!(branches.contains(&poisoned) && night.pipelines(&poisoned) == 0);
    // It is left alone for a minute, then asked for again.
    let soon = Duty::Skipped.pass(&outside, false, &|| false).await.unwrap();
    assert_eq!((item(&soon, &poisoned).verdict, soon.acted()), ("asked", 0));
    assert!(item(&soon, &poisoned).told.contains("No stages / jobs"), "{:?}", soon.items);
    night.running.fault(
        Fault::new(FaultKind::Reply { status: 400, content_type: "application/json", body: body.to_owned() }).on(START),
    );
    for _ in 0..6 {
        night.wait(HOUR);
        Duty::Skipped.pass(&outside, false, &|| false).await.unwrap();
    }
    let last = Duty::Skipped.pass(&outside, false, &|| false).await.unwrap();
    assert_eq!(item(&last, &poisoned).verdict, "gave_up");
    let asked = night.audit().await.iter().filter(|row| row.summary.contains(&poisoned)).count();
    assert_eq!(asked, 2 * 3, "three times, with two rows each");
}

/// A branch that moves, a pull request that closes, a side that does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_or_has_changed_starts_nothing() {
    let night = Night::begin("unknown").await;
    let branches = night.push(&FIVE);
    let fifth = branches.iter().find(|name| night.pipelines(name) == 0).unwrap().clone();
    night.pass(Duty::Skipped, false).await;
    night.wait(HOUR + 1_000);
    night.running.github_fault(Fault::new(FaultKind::ServerError));
    let blind = night.pass(Duty::Skipped, false).await;
    assert!(blind.acted() == 0 && !blind.troubles.is_empty() && blind.verdicts["unknown"] > 0, "{blind:?}");
    night.running.heal();
    night.running.fault(Fault::new(FaultKind::ServerError).on("/pipelines?"));
    let deaf = night.pass(Duty::Skipped, false).await;
    assert!(deaf.acted() == 0 && !deaf.is_clean(), "{deaf:?}");
    night.running.heal();
    // It is listed as open, and is closed when it is looked at once more.
    let number: u64 = fifth[2..fifth.find('_').unwrap()].parse().unwrap();
    night.running.hub(|hub| hub.act(number, Act::Close)).unwrap();
    let closed = night.pass(Duty::Skipped, false).await;
    assert!(closed.acted() == 0 && closed.verdicts.contains_key("closed"), "{closed:?}");
    assert_eq!(night.writes(), Vec::<String>::new());
}

/// No duty asks for a change in a dry run, whatever there is to do, and none writes in the place of whoever leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_asks_only_questions() {
    let night = Night::begin("dry").await;
    night.push(&FIVE);
    dead_trigger(&night);
    let outside = night
        .outside(|outside| {
            outside.rules.skipped.unknown_grace = Duration::ZERO;
            outside.rules.stuck_after = Duration::from_secs(3_600);
        })
        .await;
    // What would be forgotten: of a parent that is long gone, and of a pipeline that nobody has.
    let sha = Sha::parse(&"a".repeat(40)).unwrap();
    let tried = Trouble::again(None, &sha, "it was retried and died again", OPENING.shifted(-30 * HOUR));
    note(&outside, Duty::Triggers, "1 e4s-build", json!(tried)).await;
    note(&outside, Duty::Stuck, "1", json!({"pipeline": 1, "git_ref": "develop", "sha": sha})).await;
    let mut watch = Watch::on(&night.folder.join("store.db")).await;
    let before = watch.version().await;
    for (duty, verdict) in [(Duty::Skipped, "start"), (Duty::Triggers, "retry"), (Duty::Stuck, "restart")] {
        let report = duty.pass(&outside, true, &|| false).await.unwrap();
        assert!(report.dry_run && report.verdicts.get(verdict).is_some_and(|count| *count > 0), "{report:?}");
        assert!(report.requests.gitlab > 0 && report.acted() == 0);
    }
    Stale::new(Arc::clone(&outside)).plan(StaleRules::default()).await.unwrap();
    assert_eq!(night.writes(), Vec::<String>::new());
    assert_eq!(watch.version().await, before, "the store is as it was");
    assert_eq!(night.audit().await, []);
    Duty::Skipped.pass(&outside, false, &|| false).await.unwrap();
    assert_ne!(watch.version().await, before, "a pass that acts is seen");
}

/// Makes a trigger job of a pipeline that runs dead; tells its pipeline, itself, and its name.
fn dead_trigger(night: &Night) -> (PipelineId, JobId, String) {
    night.running.world(|world| {
        let candidates: Vec<(PipelineId, JobId, String)> = world
            .pipelines()
            .filter(|one| one.parent.is_none() && one.status == Status::Running)
            .flat_map(|one| one.latest.iter().map(move |job| (one.id, *job)))
            .filter_map(|(pipeline, job)| Some((pipeline, job, world.name_of(world.job(job)?).to_string())))
            .filter(|(.., name)| name.ends_with("-build"))
            .collect();
        candidates.into_iter().find(|(_, job, _)| world.inject_dead_trigger(*job).is_some()).unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_trigger_job_is_retried_once_by_the_guardrails() {
    let night = Night::begin("triggers").await;
    let (parent, job, name) = dead_trigger(&night);
    let subject = format!("{parent} {name}");
    let guard = Guard {
        rule: GuardRule::Deny,
        when: Filter::parse("").unwrap(),
        reason: "nothing before the release".to_owned(),
    };
    let guarded = night.outside(|outside| outside.guards.guards.push(guard)).await;
    let held = Duty::Triggers.pass(&guarded, false, &|| false).await.unwrap();
    assert_eq!(item(&held, &subject).verdict, "held");
    assert!(item(&held, &subject).told.contains("nothing before the release") && night.writes().is_empty());
    let report = night.pass(Duty::Triggers, false).await;
    let Some(Outcome::Done { new_job: Some(new) }) = item(&report, &subject).outcome else { panic!("{report:?}") };
    assert!(new > job && report.is_clean());
    assert_eq!(night.writes(), [format!("POST /api/v4/projects/spack%2Fspack-packages/jobs/{job}/retry")]);
    let again = night.pass(Duty::Triggers, false).await;
    assert_eq!(again.acted(), 0, "{again:?}");
    let rows = night.audit().await;
    let expected = [AuditState::Sent, AuditState::Done].map(|state| ("bridge.triggers", "jobs.retry", state));
    assert_eq!(states(&rows), expected);
    // It dies again and again: it is retried a few times and then left to people.
    let mut tries = 1;
    for _ in 0..12 {
        night.wait(60_000);
        let newest = night.running.world(|world| {
            let newest = *world
                .pipeline(parent)
                .unwrap()
                .latest
                .iter()
                .find(|one| **world.name_of(world.job(**one).unwrap()) == *name)
                .unwrap();
            // What it has started, if anything, is over.
            if let Some(child) = world.job(newest).unwrap().downstream {
                world.cancel_pipeline(child).unwrap();
            }
            newest
        });
        night.wait(HOUR / 2);
        let injected = night.running.world(|world| world.inject_dead_trigger(newest));
        if injected.is_some() {
            tries += night.pass(Duty::Triggers, false).await.acted();
        }
    }
    assert_eq!(tries, 5);
    let last = night.pass(Duty::Triggers, false).await;
    assert_eq!(item(&last, &subject).verdict, "gave_up", "{last:?}");
}

/// Old branches go by a plan; what was pushed, opened or protected since then stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_plan_spares_what_was_pushed_meanwhile() {
    let night = Night::begin("stale").await;
    let branches = night.push(&["kokkos-static", "feature/a/b", "föö", "-f"]);
    let stale = Stale::new(night.outside(|_| ()).await);
    let number = |branch: &str| branch[2..branch.find('_').unwrap()].parse::<u64>().unwrap();
    // Everything ends, and gets old; one pull request stays open.
    night.wait(30 * HOUR);
    for branch in &branches[..3] {
        night.running.hub(|hub| hub.act(number(branch), Act::Close)).unwrap();
    }
    let rules = StaleRules { older_than: Duration::from_secs(3_600), ..StaleRules::default() };
    let (plan, trouble) = stale.plan(rules).await.unwrap();
    assert_eq!(trouble, None);
    let planned: Vec<&str> = plan.old.iter().map(|old| old.name.as_str()).collect();
    for branch in &branches[..3] {
        assert!(planned.contains(&branch.as_str()), "{branch}: {plan:?}");
    }
    let open = plan.spared.iter().find(|one| *one.name == *branches[3]).unwrap();
    assert_eq!(open.why.word(), "open");
    assert!(!planned.iter().any(|name| !name.starts_with("pr")) && night.writes().is_empty());
    // One is pushed to, one is opened again.
    let mut file = Vec::new();
    plan.write(&mut file).unwrap();
    let plan = StalePlan::read(&file).unwrap();
    let (moved, reopened, going) = (&branches[0], &branches[1], &branches[2]);
    night.running.hub(|hub| hub.act(number(reopened), Act::Reopen)).unwrap();
    let git = Command::new("git")
        .current_dir(night.folder.join("hand"))
        .args(["push", "-q", "-f"])
        .arg(night.running.git_url().replacen("://", &format!("://git:{}@", night.running.token), 1))
        .arg(format!("refs/heads/{going}:refs/heads/{moved}"))
        .output()
        .unwrap();
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
    let report = stale.apply(&plan, "ada", 1_000, &|| false).await.unwrap();
    assert_eq!(item(&report, moved).verdict, "moved");
    assert_eq!(item(&report, reopened).verdict, "open");
    assert!(done(item(&report, going)), "{report:?}");
    let left: Vec<String> = night.running.world(|world| world.refs().branches().keys().cloned().collect());
    assert!(left.contains(moved) && left.contains(reopened) && left.contains(&branches[3]) && !left.contains(going));
    assert!(left.iter().any(|name| name == "develop"));
    let rows = night.audit().await;
    let row = rows.iter().find(|row| row.summary.contains(going.as_str())).unwrap();
    assert_eq!((&*row.who, &*row.action, row.state), ("bridge.stale", "branches.delete", AuditState::Sent));
    assert!(row.summary.contains("applied by ada") && *row.plan.0 == *plan.id(), "{row:?}");
    // The same plan again deletes nothing, and one of another project nothing at all.
    let writes = night.writes().len();
    let again = stale.apply(&plan, "ada", 1_000, &|| false).await.unwrap();
    assert!(again.acted() == 0 && item(&again, going).verdict == "gone" && night.writes().len() == writes, "{again:?}");
    let other = Stale::new(night.outside(|outside| outside.name = "practice/other".into()).await);
    assert!(matches!(other.apply(&plan, "ada", 1, &|| false).await, Err(StaleError::Refused(_))));
}

/// Between the listing and the delete, each branch is looked at once more; and no run deletes more than it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_plan_is_bounded_and_looks_at_each_branch_before_its_delete() {
    let night = Night::begin("bounded").await;
    let branches = night.push(&["kokkos-static", "feature/a/b", "föö"]);
    night.wait(30 * HOUR);
    for branch in &branches {
        let number = branch[2..branch.find('_').unwrap()].parse().unwrap();
        night.running.hub(|hub| hub.act(number, Act::Close)).unwrap();
    }
    let stale = Stale::new(night.outside(|_| ()).await);
    let rules = StaleRules { older_than: Duration::from_secs(3_600), ..StaleRules::default() };
    let (plan, _) = stale.plan(rules).await.unwrap();
    assert!(plan.old.len() >= 3);
    // One of them cannot be read any more: it stays, and the others go.
    let poisoned: String = branches[0].bytes().map(|byte| char::from(byte).to_string()).collect();
    night.running.fault(Fault::new(FaultKind::ServerError).on(&format!("/branches/{poisoned}")));
    let first = stale.apply(&plan, "ada", 1, &|| false).await.unwrap();
    assert_eq!((first.verdicts["later"], first.is_clean()), (plan.old.len() - 1, false), "{first:?}");
    let second = stale.apply(&plan, "ada", 1_000, &|| false).await.unwrap();
    assert!(matches!(item(&second, &branches[0]).outcome, Some(Outcome::Failed { .. })), "{second:?}");
    assert!(done(item(&second, &branches[1])) && done(item(&second, &branches[2])), "{second:?}");
    night.running.heal();
    let third = stale.apply(&plan, "ada", 1_000, &|| false).await.unwrap();
    assert!(done(item(&third, &branches[0])) && third.is_clean(), "{third:?}");
    let left: Value = night.running.world(|world| world.refs().branches().keys().cloned().collect::<Vec<_>>()).into();
    assert!(branches.iter().all(|branch| !left.as_array().unwrap().contains(&branch.as_str().into())), "{left}");
}
