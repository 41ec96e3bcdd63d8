//! Budgets of the bridge in a daemon, in wall time over a practice world with webhooks: from a push on GitHub to its pipeline on GitLab within 30 s,
//! and from the end of that pipeline to its status on GitHub within 10 s, both at the 95th percentile.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stackhand::ci::Status;
use stackhand::sandbox::{HookTarget, Options, Running, Sandbox};

use timing::{Sheet, measure, of};

/// The name under which the bridge posts.
const CONTEXT: &str = "ci/gitlab-ci";
/// Pushes, one a second.
const PUSHES: usize = 20;
const LOOK: Duration = Duration::from_millis(25);
/// What has not come by then never comes.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() {
    let folder = std::env::temp_dir().join(format!("stackhand-bench-bridge-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let target = |address: &str| Some(HookTarget::below(&format!("http://{address}/hooks")));
    let options = Options { jobs: 200, prs: 40, speed: 120.0, hooks: target("127.0.0.1:9"), ..Options::default() };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.block_on(Sandbox::start(options)).expect("a world");
    let (mut daemon, address) = daemon(&running, &folder);
    running.aim_hooks(target(&address));
    // The first pass has a lot to tell; what is measured begins when that is over.
    let first = measure(1, |_| settled(&running));
    let seen = watch(&running);
    daemon.kill().expect("it runs");
    daemon.wait().expect("it ended");
    drop(running);
    let mut sheet = Sheet::open("the bridge in a daemon, woken by webhooks, wall time");
    sheet.row("the first pass, until GitHub knows all", None, &first);
    let all = |pick: fn(&Seen) -> Option<Duration>| -> Vec<Duration> { seen.values().filter_map(pick).collect() };
    for (what, most, taken) in [
        ("from a push to its pipeline", 30, all(|one| Some(one.pipeline? - one.pushed))),
        ("from the end of a pipeline to its status", 10, all(|one| Some(one.told? - one.ended?))),
    ] {
        let held = p95(taken.clone());
        sheet.compare(&format!("{what}: {}", taken.len()), Duration::from_secs(most), &of(taken), held);
        sheet.print("  95 of 100 within", &format!("{held:>9.1?}"), &format!("{most}s"), held.as_secs() < most);
    }
    let untold = seen.values().filter(|one| one.ended.is_some() && one.told.is_none()).count();
    sheet.print("pipelines that ended untold", &untold.to_string(), "0", untold == 0);
    sheet.close();
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

/// The time within which 95 of 100 are through.
fn p95(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    let rank = (taken.len() * 95).div_ceil(100);
    taken.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn daemon(running: &Running, folder: &Path) -> (Child, String) {
    let endpoints = folder.join("world.json");
    std::fs::write(&endpoints, running.endpoints().to_string()).expect("room");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackhand"));
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"] {
        command.env(name, folder.join(name));
    }
    command.env_remove("XDG_RUNTIME_DIR").env("STACKHAND_BUDGET_PER_SECOND", "100").arg("--endpoints").arg(&endpoints);
    command.args(["daemon", "--loops", "bridge", "--listen", "127.0.0.1:0", "--log", "json"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary");
    let mut lines = BufReader::new(child.stderr.take().expect("its errors")).lines().map_while(Result::ok);
    let text =
        |line: &serde_json::Value, key: &str| line.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let address = lines
        .find_map(|line| {
            let line = serde_json::from_str(&line).ok()?;
            text(&line, "message").filter(|message| message == "listening")?;
            text(&line, "address")
        })
        .expect("it listens");
    // Whoever stops reading stops the writer.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// Waits until GitHub has not been told anything for a while, or what there was to tell at first must be over.
fn settled(running: &Running) {
    let told = || {
        running
            .hub(|hub| hub.pulls().values().map(|one| hub.statuses_of(&one.head.id.to_string()).len()).sum::<usize>())
    };
    let (mut last, mut since, begun) = (told(), Instant::now(), Instant::now());
    while last == 0 || since.elapsed() < Duration::from_secs(8) && begun.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_millis(200));
        let now = told();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// When what was first seen of one pull request.
struct Seen {
    head: String,
    pushed: Instant,
    pipeline: Option<Instant>,
    ended: Option<Instant>,
    told: Option<Instant>,
    /// Somebody pushed another head, or closed it: nothing more is to come of this one.
    is_over: bool,
}

fn watch(running: &Running) -> BTreeMap<u64, Seen> {
    let mut seen: BTreeMap<u64, Seen> = BTreeMap::new();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE
        && (seen.len() < PUSHES || seen.values().any(|one| one.told.is_none() && !one.is_over))
    {
        if seen.len() < PUSHES && begun.elapsed() >= Duration::from_secs(seen.len() as u64) {
            let number = running.hub(|hub| hub.open_ready(&format!("measured-{}", seen.len()))).expect("it opens");
            let head = running.hub(|hub| hub.pull(number).expect("it is open").head.id.to_string());
            seen.insert(
                number,
                Seen { head, pushed: Instant::now(), pipeline: None, ended: None, told: None, is_over: false },
            );
        }
        let now = Instant::now();
        running.world(|world| {
            for pipeline in world.pipelines().filter(|one| one.parent.is_none()) {
                let number = pipeline.git_ref.strip_prefix("pr").and_then(|rest| rest.split('_').next()?.parse().ok());
                let Some(one) = number.and_then(|number: u64| seen.get_mut(&number)) else { continue };
                // People push again: then it is about another head, and the pipeline of this one was canceled.
                if !pipeline.commit.parents.iter().any(|parent| **parent == *one.head) {
                    continue;
                }
                one.pipeline.get_or_insert(now);
                if matches!(pipeline.status, Status::Success | Status::Failed) {
                    one.ended.get_or_insert(now);
                }
            }
        });
        running.hub(|hub| {
            for (number, one) in &mut seen {
                let is_head = |id: String| id == one.head;
                one.is_over =
                    !hub.pull(*number).is_some_and(|pull| pull.is_open() && is_head(pull.head.id.to_string()));
                if one.ended.is_none() {
                    continue;
                }
                let is_final = |state: &str| matches!(state, "success" | "failure" | "error");
                if hub
                    .statuses_of(&one.head)
                    .iter()
                    .any(|status| &*status.context == CONTEXT && is_final(&status.state))
                {
                    one.told.get_or_insert(now);
                }
            }
        });
        std::thread::sleep(LOOK);
    }
    seen
}
