//! `stackhand daemon`: the controller without a screen. It leads or stands by, runs the chosen loops, and says over HTTP and to the service manager
//! how it fares.

mod loops;

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use loops::Chosen;
pub use loops::{idle, maker};
use serde_json::{Value, json};

use super::args::Globals;
use super::assemble::{Setup, Wanted, attach_sockets, daemon_lock, host};
use super::exit::{Exit, Failure};
use super::journal::Lines;
use super::out;
use super::stop::Stop;
use crate::adapters::service::Service;
use crate::ci::short;
use crate::console::loops::{LoopState, Phase};
use crate::console::text::plural;
use crate::controller::daemon::{DaemonError, DaemonSetup, Door, Passed};
use crate::controller::leadership::{Bid, Holder, Leadership, Source};
use crate::controller::loops::{bridge, companions};
use crate::controller::supervisor::{Limits, stop_sign};
use crate::controller::webhooks::Hooks;

/// What the daemon prints and serves.
pub const SHAPE: &str = "\
One daemon of a project acts; others stand by and take over when it ends, however it ends. Where `store.url` names a PostgreSQL, the lead is a lock of \
it, and daemons may run anywhere. Otherwise it is the lock of a file in the state folder, which reaches as far as that file. Loops: `taxonomy` reads the logs of failed jobs and remembers why they \
failed, `caches` lists the mirrors of binary caches, `fleet` follows runners, the cluster, metrics and alerts, `generation` holds generated pipelines against locks and caches, `bridge` copies from GitHub to GitLab, `companions` look after what it copied. Automatic retries of the \
configuration happen while `taxonomy` runs. A round that breaks is made again after a wait that grows; SIGTERM and SIGINT end the daemon within 10 s.

While it leads, consoles of the same account on this machine attach: `stackhand` shows its world and acts through it. Its log says where.

HTTP on --listen: /healthz (the process lives), /readyz (200, or 503 with `reasons`; JSON {`ready`, `reasons`, `role`, `behind`, `host`, `pid`, \
`since`, `at`, `loops`}), /metrics (Prometheus), and where `hooks` has secrets, POST /hooks/github and /hooks/gitlab: a delivery wakes the bridge, and \
pipelines that it is about are read again. Each loop: {`name`, `phase`, `dry_run`, `ticks`, `failures`, `last_ok`, `last_seconds`, \
`last_summary`, `last_fault`, `next`, `queue`, `why_stopped`}. Log lines go to standard error; STACKHAND_LOG says which. Under systemd it says \
READY, STATUS, WATCHDOG and STOPPING.

--once runs one round of each loop and ends: code 0 when all went well, 1 when one failed, 3 when another daemon leads. JSON \
`stackhand.daemon/1`: `version`, `ok`, `dry_run`, `loops`.

Examples:
  stackhand daemon
  stackhand daemon --once --loops taxonomy --json
  stackhand daemon --loops taxonomy,fleet --listen 127.0.0.1:9100 --log json";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Runs one round of each loop, tells how it went, and ends.
    #[arg(long)]
    once: bool,
    /// Changes nothing outside: loops say what they would do. What was read and judged is remembered all the same.
    #[arg(long)]
    dry_run: bool,
    /// The loops to run, with commas between them.
    #[arg(long, value_name = "LOOPS")]
    loops: Option<String>,
    /// The address of health, metrics and webhooks; `none` opens no door.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// How log lines are written to standard error.
    #[arg(long, value_enum, default_value_t = Log::Text)]
    log: Log,
    /// Prints JSON.
    #[arg(long, requires = "once")]
    json: bool,
}

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    Text,
    Json,
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

/// Runs the daemon until a signal comes, or one round of it.
pub async fn run(globals: &Globals, ask: &Ask) -> Result<Exit, Failure> {
    let lines = if ask.log == Log::Json { Lines::Json } else { Lines::Text };
    let mut wanted = Wanted::new(globals)?.telling(lines);
    for (flag, key, value) in [("--loops", "daemon.loops", &ask.loops), ("--listen", "daemon.listen", &ask.listen)] {
        if let Some(value) = value {
            wanted = wanted.with(flag, key, value);
        }
    }
    // Before anything is opened.
    let loaded = wanted.load()?;
    let chosen = Chosen::of(loaded.config.daemon.loops.iter(), loaded.origin("daemon.loops"))?;
    let mut signals = Stop::listen()?;
    let (switch, stop) = stop_sign();
    tokio::spawn(async move {
        signals.asked().await;
        tracing::info!("a signal asks for the end");
        // Everybody who listened has ended already.
        let _ = switch.send(true);
    });
    if !ask.once {
        wanted = wanted.waiting(stop.clone());
    }
    let mut door = match loaded.config.daemon.listen.address().filter(|_| !ask.once) {
        Some(address) => Some(Door::open(address).await?),
        None => None,
    };
    // A store that is waited for must not look like a daemon that has died.
    let assembled = match &mut door {
        Some(door) => door.meanwhile(wanted.assemble(), stop.clone()).await?,
        None => wanted.assemble().await?,
    };
    let setup = Arc::new(assembled);
    if stop.is_asked() {
        setup.close().await;
        return Ok(if ask.once { Exit::Interrupted } else { Exit::Ok });
    }
    // One that nobody named stays away where it is not configured.
    if ask.loops.is_some() && (chosen.has(bridge::NAME) || chosen.has(companions::NAME)) && !setup.has_bridge() {
        return Err(Setup::no_bridge());
    }
    for warning in &setup.loaded.warnings {
        tracing::warn!("{warning}");
    }
    let hooks = if ask.once { None } else { hooks(&setup, &chosen, ask.dry_run)? };
    let daemon = daemon(&setup, &chosen, hooks, ask.dry_run)?;
    let ended = if ask.once {
        match daemon.pass(stop.clone()).await {
            Ok(Passed::Ended(loops)) if stop.is_asked() => tell(&setup, ask, &loops).map(|_| Exit::Interrupted),
            Ok(Passed::Ended(loops)) => tell(&setup, ask, &loops),
            Ok(Passed::StandsBy(holder)) => Err(led_by(holder.as_ref())),
            Err(error) => Err(error.into()),
        }
    } else {
        daemon.run(door, stop).await.map(|()| Exit::Ok).map_err(Into::into)
    };
    setup.close().await;
    ended
}

/// The door for webhooks, where anybody is let in.
fn hooks(setup: &Setup, chosen: &Chosen, is_dry_run: bool) -> Result<Option<Arc<Hooks>>, Failure> {
    if setup.hooks.is_closed() {
        return Ok(None);
    }
    let wrong = |message: String| Failure::new(Exit::Config, message);
    if setup.loaded.config.daemon.listen.address().is_none() {
        let message = "webhooks have secrets, and `daemon.listen` opens no door for them; give it an address, or take the secrets away";
        return Err(wrong(message.to_owned()));
    }
    // Whoever delivers is told that it was taken only when it is on the disk.
    let store = setup.outside.store.clone().map_err(|fault| wrong(format!("webhooks need the store: {fault}")))?;
    // Deliveries for which nobody acts do not wait, or they would fill the inbox.
    let may_act = !is_dry_run && setup.rules.read_only.is_none();
    let has_bridge = chosen.has(bridge::NAME) && setup.has_bridge() && may_act;
    let open = if has_bridge { Hooks::open } else { Hooks::open_without_bridge };
    let opened = open(store, Arc::clone(&setup.clock), setup.hooks.clone());
    opened.map(|hooks| Some(Arc::new(hooks))).map_err(|error| wrong(error.to_string()))
}

fn daemon(
    setup: &Arc<Setup>,
    chosen: &Chosen,
    hooks: Option<Arc<Hooks>>,
    is_dry_run: bool,
) -> Result<DaemonSetup, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let pid = std::process::id();
    let service = Service::of(&variable, pid).map_err(|error| {
        Failure::new(Exit::Config, format!("NOTIFY_SOCKET: {error}; unset it, or start by systemd"))
    })?;
    let lead = lead(setup)?;
    let me = me(setup);
    let (worlds, makers) = (Arc::clone(setup), Arc::clone(setup));
    let (for_worlds, for_makers) = (chosen.clone(), chosen.clone());
    Ok(DaemonSetup {
        outside: setup.outside.clone(),
        clock: Arc::clone(&setup.clock),
        world: Box::new(move || for_worlds.world(&worlds, is_dry_run)),
        chosen: chosen.of_the_core(),
        makers: {
            let hooks = hooks.clone();
            Box::new(move || for_makers.makers(&makers, hooks.as_ref()))
        },
        hooks,
        limits: limits(setup),
        is_dry_run,
        lead,
        socket: attach_sockets(&setup.paths, &setup.project).into_iter().next(),
        me,
        service,
    })
}

/// This process, as others are told of it.
pub fn me(setup: &Setup) -> Holder {
    Holder { pid: std::process::id(), host: host(), since: setup.clock.now() }
}

/// The bounds of every round.
pub fn limits(setup: &Setup) -> Limits {
    let config = &setup.loaded.config.daemon;
    Limits { deadline: config.deadline, backoff_most: config.backoff, ..Limits::default() }
}

/// Where the lead comes from: the store that daemons share, or the lock of a file.
pub fn lead(setup: &Setup) -> Result<Source, Failure> {
    if setup.loaded.config.store.url.is_some() {
        let store = setup.outside.store.as_ref().map_err(|fault| Failure::new(Exit::Failed, fault.to_string()))?;
        if let Some(lender) = store.lender() {
            return Ok(Source::Store(lender));
        }
    }
    daemon_lock(&setup.paths, &setup.project)
        .map(Source::File)
        .ok_or_else(|| Failure::new(Exit::Config, "there is no state folder for the lock; set XDG_STATE_HOME"))
}

/// Takes the lead, for a command that does what only one at a time may do.
pub async fn take_lead(setup: &Setup) -> Result<Leadership, Failure> {
    match lead(setup)?.bid(&me(setup), setup.clock.now()).await {
        Ok(Bid::Leads(leadership)) => Ok(leadership),
        Ok(Bid::Follows(holder)) => Err(led_by(holder.as_ref())),
        Ok(Bid::Unanswered(why)) => Err(Failure::new(Exit::Failed, format!("who leads is not known: {why}"))),
        Err(error) => {
            Err(Failure::new(Exit::Failed, format!("who leads is not known: {error}; check the state folder")))
        }
    }
}

fn led_by(holder: Option<&Holder>) -> Failure {
    let who = holder.map_or_else(|| "somebody".to_owned(), ToString::to_string);
    Failure::refused(format!("another daemon leads: {who}; ask it, or end it first"))
}

/// How a single round of each loop went.
fn tell(setup: &Setup, ask: &Ask, loops: &[LoopState]) -> Result<Exit, Failure> {
    let now = setup.clock.now();
    let is_good = |state: &LoopState| match state.phase {
        Phase::Waiting | Phase::Stopped => state.in_a_row == 0,
        // The fleet is followed, not read round by round.
        Phase::Running => state.period.is_some() && state.last_ok.is_some(),
        _ => false,
    };
    let ok = loops.iter().all(is_good);
    if ask.json {
        let loops: Vec<Value> = loops.iter().map(|state| json_of(state, is_good(state))).collect();
        out::json(&json!({ "version": "stackhand.daemon/1", "ok": ok, "dry_run": ask.dry_run, "loops": loops }))?;
    } else {
        let rows: Vec<Vec<String>> = loops.iter().map(|state| row(state, is_good(state), now)).collect();
        setup.out.table(&["LOOP", "STATE", "LAST OK", "TOOK", "NOTE"], &rows)?;
    }
    Ok(if ok { Exit::Ok } else { Exit::Failed })
}

fn row(state: &LoopState, is_good: bool, now: crate::ci::Timestamp) -> Vec<String> {
    let word = match (is_good, state.phase) {
        (_, Phase::Stopped) => "off",
        (true, _) => "ok",
        (false, Phase::Starting | Phase::Running) => "late",
        (false, _) => "failed",
    };
    vec![
        state.name.to_string(),
        word.to_owned(),
        state.last_ok.map_or_else(|| "never".to_owned(), |at| format!("{} ago", short(now.since(at)))),
        state.last().map_or_else(|| "-".to_owned(), |round| format!("{:.1}s", round.took.as_secs_f64())),
        note(state),
    ]
}

fn note(state: &LoopState) -> String {
    if let Some(why) = state.why_stopped.as_ref().filter(|_| state.phase == Phase::Stopped) {
        return why.to_string();
    }
    match state.last().map(|round| &round.result) {
        Some(Err(fault)) => fault.to_string(),
        Some(Ok(summary)) if state.ticks > 1 => format!("{}, the last: {summary}", plural(state.ticks, "round")),
        Some(Ok(summary)) => summary.to_string(),
        None => String::new(),
    }
}

fn json_of(state: &LoopState, is_good: bool) -> Value {
    let last = state.last();
    json!({
        "name": state.name,
        "ok": is_good,
        "phase": state.phase,
        "ticks": state.ticks,
        "failures": state.failures,
        "last_ok": state.last_ok,
        "seconds": last.map(|round| round.took).map(|took: Duration| took.as_secs_f64()),
        "summary": last.and_then(|round| round.result.as_ref().ok()),
        "fault": state.fault().map(ToString::to_string),
        "counts": last.map(|round| round.counts.iter().map(|(name, n)| (name.to_string(), json!(n))).collect::<serde_json::Map<_, _>>()),
        "why_stopped": state.why_stopped,
    })
}
