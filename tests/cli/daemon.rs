//! The daemon as a service manager, a probe and a second daemon see it: real processes, real sockets, real signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stage::{SHARED, Stage, send_signal};

/// What is waited for at most, where nothing else is promised.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with its log lines.
pub struct Daemon {
    pub child: Child,
    lines: Receiver<String>,
    heard: Vec<Value>,
    raw: String,
    pub address: String,
}

impl Daemon {
    pub fn start(stage: &Stage, arguments: &[&str]) -> Self {
        let mut daemon = Self::begin(stage, arguments);
        let listening = daemon.until("listening");
        listening["address"].as_str().unwrap().clone_into(&mut daemon.address);
        daemon
    }

    /// One that may not get as far as listening.
    pub fn begin(stage: &Stage, arguments: &[&str]) -> Self {
        let all = [&["daemon", "--listen", "127.0.0.1:0", "--log", "json"], arguments].concat();
        let mut child = stage.command(&all).spawn().unwrap();
        let (tell, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                // Whoever listened has ended.
                let _ = tell.send(line);
            }
        });
        Self { child, lines, heard: Vec::new(), raw: String::new(), address: String::new() }
    }

    /// The next log line with this message.
    pub fn until(&mut self, message: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(rest).unwrap_or_else(|_| panic!("no `{message}` in: {}", self.raw));
            self.raw.push_str(&line);
            self.raw.push('\n');
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            self.heard.push(line.clone());
            if line["message"] == message {
                return line;
            }
        }
    }

    /// Status, headers and body of an answer.
    pub fn get(&self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn readiness(&self) -> (u16, Value) {
        let (status, _, body) = self.get("/readyz");
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Asks until what is told passes.
    pub fn ready_when(&self, what: &str, passes: impl Fn(u16, &Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let (status, told) = self.readiness();
            if passes(status, &told) {
                return told;
            }
            assert!(Instant::now() < end, "{what} does not come: {status} {told}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it by a signal; its code and everything that it wrote.
    pub fn end(mut self, signal: &str) -> (Option<i32>, String) {
        send_signal(self.child.id(), signal);
        let code = self.child.wait().unwrap().code();
        for line in &self.lines {
            self.raw.push_str(&line);
            self.raw.push('\n');
        }
        (code, std::mem::take(&mut self.raw))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// That world is only looked at.
const LOOKING: &str = "taxonomy,caches,fleet";

fn stage() -> Stage {
    Stage::facing(&SHARED).with("STACKHAND_PIPELINES_LIMIT", "2").with("STACKHAND_DAEMON_LOOPS", LOOKING)
}

#[test]
fn loops_that_nobody_knows_are_refused_with_the_list() {
    let stage = Stage::bare();
    stage
        .run(&["daemon", "--loops", "bridge-of-sighs"])
        .failed(2, "there are taxonomy, caches, fleet, generation, bridge, companions");
    stage.run(&["daemon", "--loops", ""]).failed(2, "at least one of taxonomy");
    stage.run(&["daemon", "--listen", "everywhere"]).failed(6, "127.0.0.1:9797");
    stage.run(&["daemon", "--json"]).failed(2, "--once");
}

#[test]
fn once_runs_a_round_of_each_loop_and_says_how_it_went() {
    let stage = Stage::facing(&SHARED).with("STACKHAND_DAEMON_LOOPS", LOOKING);
    let told = stage.run(&["daemon", "--once", "--json"]).document("stackhand.daemon/1");
    assert_eq!((&told["ok"], &told["dry_run"]), (&Value::Bool(true), &Value::Bool(false)));
    let loops = told["loops"].as_array().unwrap();
    let names: Vec<_> = loops.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["taxonomy", "caches", "fleet"]);
    assert!(loops[0]["ticks"].as_u64().unwrap() > 0, "logs were judged: {told}");
    assert_eq!(loops[1]["ticks"], 1, "{told}");
    let text = stage.run(&["daemon", "--once", "--loops", "fleet", "--dry-run"]);
    assert!(text.code == 0 && text.out.contains("fleet") && !text.out.contains("caches"), "{}{}", text.out, text.err);
}

#[test]
fn once_fails_where_a_loop_fails() {
    let stage = Stage::bare().with("STACKHAND_GITLAB_URL", "http://127.0.0.1:9").with("STACKHAND_CACHE_MIRRORS", ",");
    let ended = stage.run(&["daemon", "--once", "--loops", "taxonomy,caches", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let told = ended.json();
    assert_eq!((&told["ok"], &told["loops"][0]["ok"]), (&Value::Bool(false), &Value::Bool(false)));
    assert!(told["loops"][0]["fault"].as_str().unwrap().contains("pipelines"), "{told}");
    assert!(told["loops"][1]["why_stopped"].as_str().unwrap().contains("cache.mirrors"), "{told}");
}

#[test]
fn it_lives_is_ready_counts_and_ends_well() {
    let stage = stage();
    let path = stage.folder.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let stage = stage.with("NOTIFY_SOCKET", path.to_str().unwrap()).with("WATCHDOG_USEC", "400000");
    let daemon = Daemon::start(&stage, &["--loops", "taxonomy,fleet"]);
    assert_eq!((daemon.get("/healthz").0, daemon.get("/elsewhere").0), (200, 404));
    let told = daemon.ready_when("readiness", |status, told| status == 200 && told["ready"] == true);
    assert_eq!((&told["role"], told["loops"].as_array().unwrap().len()), (&Value::from("leader"), 2));
    let (_, head, text) = daemon.get("/metrics");
    assert!(head.contains("text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for family in
        ["stackhand_build_info{", "stackhand_source_up{source=\"gitlab\"} 1", "process_resident_memory_bytes "]
    {
        assert!(text.contains(family), "{family} is not in: {text}");
    }
    checked_by_promtool(&text);
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    while !(heard.iter().any(|said| said == "READY=1") && heard.iter().filter(|said| *said == "WATCHDOG=1").count() > 1)
    {
        let size = manager.recv(&mut buffer).unwrap();
        heard.push(String::from_utf8(buffer[..size].to_vec()).unwrap());
    }
    assert!(heard.iter().any(|said| said.starts_with("STATUS=leads; taxonomy ")), "{heard:?}");
    let asked = Instant::now();
    let (code, raw) = daemon.end("TERM");
    assert_eq!(code, Some(0), "{raw}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{raw}");
    loop {
        let size = manager.recv(&mut buffer).unwrap();
        if &buffer[..size] == b"STOPPING=1" {
            break;
        }
    }
    let token = SHARED.endpoints()["gitlab"]["token"].as_str().unwrap().to_owned();
    assert!(!raw.contains(&token) && raw.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{raw}");
}

fn checked_by_promtool(text: &str) {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        assert!(std::env::var_os("CI").is_none(), "promtool is missing");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

#[test]
fn it_is_not_ready_while_something_is_missing() {
    let stage = Stage::bare()
        .with("STACKHAND_GITLAB_URL", "http://127.0.0.1:9")
        .with("STACKHAND_STORE_PATH", "/proc/stackhand/nowhere.db");
    let daemon = Daemon::start(&stage, &["--loops", "taxonomy"]);
    let has = |told: &Value, word: &str| told["reasons"].to_string().contains(word);
    let told = daemon.ready_when("a reason", |_, told| has(told, "gitlab has not answered yet: "));
    assert!(has(&told, "the store is not open"), "{told}");
    assert_eq!((daemon.readiness().0, daemon.get("/healthz").0), (503, 200));
    assert!(daemon.get("/metrics").2.contains("stackhand_source_up{source=\"gitlab\"} 0"));
    assert_eq!(daemon.end("INT").0, Some(0));
}

#[test]
fn a_second_daemon_stands_by_and_takes_over_when_the_first_is_killed() {
    let stage = stage();
    let mut first = Daemon::start(&stage, &["--loops", "taxonomy"]);
    first.until("leading");
    let pid = first.child.id();
    let mut second = Daemon::start(&stage, &["--loops", "taxonomy"]);
    let line = second.until("standing by");
    assert!(line["behind"].as_str().unwrap().starts_with(&format!("pid {pid} on ")), "{line}");
    let told = second.ready_when("standing by", |status, told| status == 200 && told["role"] == "standing_by");
    assert_eq!(told["loops"][0]["phase"], "standing_by");
    stage.run(&["daemon", "--once", "--loops", "taxonomy"]).failed(3, &format!("another daemon leads: pid {pid} on "));
    send_signal(pid, "KILL");
    let killed = Instant::now();
    second.until("leading");
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    second.ready_when("the lead", |_, told| told["role"] == "leader");
    assert_eq!(second.end("TERM").0, Some(0));
    // Nobody leads any more.
    let again = stage.run(&["daemon", "--once", "--loops", "caches"]);
    assert_ne!(again.code, 3, "{}", again.err);
}

#[test]
fn whoever_loses_the_lock_file_acts_no_longer() {
    let stage = stage();
    let mut daemon = Daemon::start(&stage, &["--loops", "taxonomy"]);
    let lock = daemon.until("leading")["lock"].as_str().unwrap().to_owned();
    std::fs::remove_file(&lock).unwrap();
    daemon.until("the lock file was removed: the lead is lost");
    daemon.until("leading");
    assert_eq!(daemon.end("TERM").0, Some(0));
}
