//! The worst night: people, both forges, git and the bridge's own processes do what they want for thousands of events. Then everything must be as if
//! nothing had been: no head and no status lost, nothing done twice.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use stackhand::controller::loops::bridge::PassReport;
use stackhand::sandbox::{Act, Fault, FaultKind, HookTarget, Hub, Options, Running};

use super::bridge::{Night, reasons};

/// How long a night of the suite is.
const EVENTS: u32 = 10_000;
/// While nobody bridges. Today's bridge forgets what ended longer ago than an hour.
const DOWNTIME: Duration = Duration::from_hours(3);

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What goes wrong beside the bridge, whatever it does.
struct Fate {
    dice: Dice,
    /// Nobody touches this pull request: what becomes of it shall be due to its ref alone.
    spared: u64,
    /// The bridge's repository.
    repository: PathBuf,
    left: u32,
    killed: u32,
}

impl Fate {
    /// One event after the other, while there are any left.
    async fn goes_on(&mut self, world: &Running) {
        while self.left > 0 {
            self.left -= 1;
            match self.dice.below(40) {
                0..=2 => self.something_breaks(world),
                3 => self.git_is_killed(),
                4 if self.dice.below(8) == 0 => self.somebody_releases(world),
                _ => self.somebody_acts(world),
            }
            tokio::time::sleep(Duration::from_millis(self.dice.below(24))).await;
        }
        std::future::pending::<()>().await;
    }

    /// Something happens on GitHub.
    fn somebody_acts(&mut self, world: &Running) {
        let dice = &mut self.dice;
        let open: Vec<u64> = world.hub(|hub| {
            let pulls = hub.pulls().values().filter(|pull| pull.is_open()).map(|pull| pull.number);
            pulls.filter(|number| *number != self.spared).collect()
        });
        let number = open[dice.below(open.len() as u64) as usize];
        let act = match dice.below(12) {
            0..=3 => Act::Push,
            4 | 5 => Act::ForcePush,
            6 => Act::Label("pipelines:urgent".into()),
            7 => Act::Unlabel("pipelines:urgent".into()),
            8 => Act::Draft,
            9 => Act::Ready,
            10 if open.len() > 15 => Act::Close,
            _ => Act::Retarget(if dice.below(2) == 0 { "develop" } else { "releases/v1.0" }.into()),
        };
        // It may be in no state for that.
        let _ = world.hub(|hub| hub.act(number, act));
        let conclusion = if dice.below(5) == 0 { "failure" } else { "success" };
        let _ = world.hub(|hub| hub.act(number, Act::Check { name: "all-prechecks".into(), conclusion }));
        if open.len() < 24 && dice.below(8) == 0 {
            world.hub(|hub| hub.open_ready(&format!("late-{}", dice.below(1 << 40))));
        }
    }

    /// A tag, of a commit that no branch of GitLab has.
    fn somebody_releases(&mut self, world: &Running) {
        let name = format!("v0.{}", self.left);
        world.hub(|hub| {
            hub.branch("aside", "develop").unwrap();
            hub.unprotect("aside");
            hub.tag(&name, "aside").unwrap();
        });
    }

    /// The next few requests at a forge, git's too, go wrong.
    fn something_breaks(&mut self, world: &Running) {
        let kind = match self.dice.below(8) {
            0 => FaultKind::ServerError,
            1 => FaultKind::BadGateway,
            2 => FaultKind::Truncated,
            3 => FaultKind::Drop,
            4 => FaultKind::RetryLater(1),
            5 => FaultKind::TooManyRequests(1),
            6 => FaultKind::Forbidden,
            _ => FaultKind::Reply { status: 200, content_type: "text/html", body: "<html>".to_owned() },
        };
        let fault = Fault::new(kind).times(1 + self.dice.below(3) as u32);
        if self.dice.below(2) == 0 { world.fault(fault) } else { world.github_fault(fault) }
    }

    /// Whatever git does for the bridge in the next moments, it does not end.
    fn git_is_killed(&mut self) {
        let until = Instant::now() + Duration::from_millis(40);
        while Instant::now() < until && self.killed_now() == 0 {}
    }

    fn killed_now(&mut self) -> u32 {
        let before = self.killed;
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let is_ours =
                std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.repository));
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if is_ours && command.split(|byte| *byte == 0).next().is_some_and(|program| program.ends_with(b"git")) {
                let id = process.file_name().into_string().unwrap();
                // It may have ended meanwhile.
                let _ = Command::new("kill").args(["-KILL", &id]).stderr(Stdio::null()).status();
                self.killed += 1;
            }
        }
        self.killed - before
    }
}

/// The daemon, as another process in the same store and the same repository.
fn daemon(night: &Night, listen: &str) -> Child {
    let folder = &night.folder;
    std::fs::write(folder.join("endpoints.json"), night.running.endpoints().to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackhand"));
    command.env_clear().env("HOME", folder).env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder);
    for (name, place) in [("STACKHAND_STORE_PATH", "store.db"), ("STACKHAND_BRIDGE_FOLDER", "git")] {
        command.env(name, folder.join(place));
    }
    command.env("STACKHAND_BRIDGE_EVERY", "5s").env("STACKHAND_BUDGET_PER_SECOND", "100");
    command.args(["--endpoints", "endpoints.json", "daemon", "--listen", listen, "--loops", "bridge"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Passes until nothing is left to do; one pull request may be in trouble.
async fn come_to_rest(night: &Night, but: Option<u64>) -> PassReport {
    let begun = Instant::now();
    loop {
        // What was refused is tried again within the hour, and pipelines end.
        night.running.let_pass(Duration::from_mins(30));
        let report = night.pass().await;
        let is_of_others = |trouble: &&String| but.is_none_or(|number| !trouble.contains(&format!("/pr{number}_")));
        let mut troubles: Vec<String> = report.troubles.iter().filter(is_of_others).cloned().collect();
        let unwell = |reason: &str| ["back_off", "git_failed", "gitlab_unknown"].contains(&reason);
        let held = reasons(&report).into_iter().filter(|(number, reason)| but != Some(*number) && unwell(reason));
        troubles.extend(held.map(|(number, reason)| format!("{number}: {reason}")));
        let is_done = report.pushed.is_empty() && report.statuses.posted == 0 && troubles.is_empty();
        let owed = if is_done { night.owed(&report).await } else { Vec::new() };
        if is_done && owed.is_empty() {
            return report;
        }
        let is_late = begun.elapsed() > Duration::from_mins(4);
        assert!(!is_late, "it does not come to rest: {}, {troubles:?}, owed {owed:?}", report.summary());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Every head that shall be on GitLab is there.
async fn assert_no_lost_heads(night: &Night, report: &PassReport) {
    for one in report.decisions.iter().filter(|one| &*one.decided.verdict == "pushed") {
        let pull = night.running.hub(|hub| hub.pull(one.pr.0).unwrap().clone());
        let branch = format!("pr{}_{}", one.pr, pull.head_ref);
        let commit = night.on_gitlab(&branch).await.unwrap_or_else(|| panic!("{branch} is not on GitLab"));
        let title = night.gitlab(&format!("repository/commits/{commit}")).await["title"].to_string();
        assert!(title.contains(&format!("Merge {} into ", pull.head.id)), "{branch}: {title}, not {}", pull.head.id);
    }
}

/// Every tag is there, as it is on GitHub, and has its pipeline.
async fn assert_no_lost_tags(night: &Night) {
    let refs = night.running.hub(|hub| hub.refs());
    let made: Vec<_> = refs.iter().filter_map(|(name, id)| Some((name.strip_prefix("refs/tags/v0.")?, id))).collect();
    assert!(made.len() > 10, "{made:?}");
    for (name, id) in made {
        let pipelines = night.gitlab(&format!("pipelines?ref=v0.{name}")).await;
        assert_eq!((pipelines[1].is_null(), &pipelines[0]["sha"]), (true, &Value::from(id.to_string())), "v0.{name}");
    }
}

/// The repository that a daemon makes below this folder.
fn made_by_a_daemon(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.join("HEAD").is_file())
}

/// Lets everything do its worst, and then looks whether it is as if nothing had been.
async fn survive(name: &str, events: u32) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    // Deliveries are lost whenever no daemon listens.
    let hooks = Some(HookTarget::below(&format!("http://{address}/hooks")));
    let mut night = Night::begin(name, Options { speed: 60.0, jobs: 200, hooks, ..Options::default() }).await;
    night.running.github_budget(10_000_000);
    // Whoever acts here is fate.
    night.running.hub(Hub::pause);
    let spared = night.number("kokkos-static");
    let refused = format!("pr{spared}_kokkos-static");
    night.running.refuse_pushes(&[&format!("refs/heads/{refused}")]).unwrap();

    // From the first daemon on, most work in the repository that it made.
    let mut first = daemon(&night, &address);
    let made = loop {
        assert!(first.try_wait().unwrap().is_none(), "the first daemon ended by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(made) = made_by_a_daemon(&night.folder.join("git")) {
            break made;
        }
    };
    first.kill().unwrap();
    first.wait().unwrap();
    let made = made.canonicalize().unwrap();
    let elsewhere = night.folder.join("another machine");

    let dice = Dice(0x5eed_0000_0000_0001);
    let mut fate = Fate { dice, spared, repository: made.clone(), left: events, killed: 0 };
    let (mut cut, mut faulty, mut daemons, mut pauses) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut downtimes = [events * 3 / 4, events / 3].map(Some);
    while fate.left > 0 {
        if let Some(due) = downtimes.iter_mut().find(|due| due.is_some_and(|left| fate.left < left)) {
            *due = None;
            pauses += 1;
            night.running.let_pass(DOWNTIME);
        }
        if fate.dice.below(2) == 0 {
            daemons += 1;
            let mut daemon = daemon(&night, &address);
            let life = Duration::from_millis(500 + fate.dice.below(6_000));
            let ended = tokio::time::timeout(life, fate.goes_on(&night.running)).await;
            assert!(ended.is_err() && daemon.try_wait().unwrap().is_none(), "the daemon ended by itself");
            daemon.kill().unwrap();
            daemon.wait().unwrap();
            continue;
        }
        // A pass is dropped anywhere, as when its deadline is over; now and then it is made on a machine that knows the same, and has other objects.
        night.repository = if fate.dice.below(3) == 0 { elsewhere.clone() } else { made.clone() };
        night.open().await;
        let patience = if fate.dice.below(4) == 0 { 10 + fate.dice.below(2_000) } else { 60_000 };
        let pass = tokio::time::timeout(Duration::from_millis(patience), night.bridge().pass(false, &|| false));
        tokio::select! {
            ended = pass => match ended {
                Ok(Ok(pass)) => faulty += u32::from(!pass.report.troubles.is_empty()),
                // GitHub did not even say what the time is.
                Ok(Err(fault)) => {
                    assert!(fault.is_transient(), "a pass fell: {fault}");
                    faulty += 1;
                }
                Err(_) => cut += 1,
            },
            () = fate.goes_on(&night.running) => unreachable!("fate has no end"),
        }
        // Only one bridge works in one folder.
        night.bridge = None;
    }
    let killed = fate.killed;
    eprintln!(
        "{name}: {events} events, {daemons} daemons killed, {cut} passes cut off, {faulty} with troubles, {killed} processes of git \
         killed, {pauses} times {} h without a bridge",
        DOWNTIME.as_secs() / 3_600
    );
    assert!(daemons > 0 && cut > 0 && faulty > 0 && killed > 0 && pauses == 2, "it was too easy");

    // Nothing is in the way any more, but for one ref.
    night.running.heal();
    night.open().await;
    come_to_rest(&night, Some(spared)).await;
    assert_eq!(night.on_gitlab(&refused).await, None, "one poisoned ref holds up itself alone");
    night.running.refuse_pushes(&[]).unwrap();
    let last = come_to_rest(&night, None).await;
    assert_eq!(reasons(&last)[&spared], "already_pushed");
    assert_no_lost_heads(&night, &last).await;
    assert_no_lost_tags(&night).await;
    night.assert_no_echo();
    night.assert_no_twins().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_happens_twice_in_ten_thousand_events() {
    Box::pin(survive("chaos", EVENTS)).await;
}
