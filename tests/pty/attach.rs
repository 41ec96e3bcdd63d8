//! A console on a terminal, attached to a daemon that lives, dies and comes back.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use stackhand::sandbox::{Options, Running, Sandbox};

use crate::terminal::Launch;

const PROGRAM: &str = env!("CARGO_BIN_EXE_stackhand");

/// What daemon and console share.
struct Site {
    _server: Running,
    folder: PathBuf,
}

impl Site {
    fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = Options { seed: 7, speed: 0.0, jobs: 300, ..Options::default() };
        let server = runtime.block_on(Sandbox::start(options)).unwrap();
        let folder = std::env::temp_dir().join(format!("stackhand-site-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("endpoints.json"), server.endpoints().to_string()).unwrap();
        Self { _server: server, folder }
    }

    fn endpoints(&self) -> String {
        self.folder.join("endpoints.json").display().to_string()
    }

    /// Starts a daemon and waits until consoles may attach.
    fn daemon(&self) -> Daemon {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("HOME", &self.folder).env("XDG_STATE_HOME", &self.folder);
        command.args(["--endpoints", &self.endpoints(), "daemon", "--listen", "none", "--log", "json"]);
        command.args(["--loops", "caches"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("consoles may attach") {
            said.push_str(&lines.next().unwrap_or_else(|| panic!("it ended: {said}")).unwrap());
        }
        // Whatever else it says has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Daemon(child)
    }

    fn console(&self, arguments: &[&str]) -> Launch {
        let state = self.folder.display().to_string();
        let endpoints = self.endpoints();
        let all = [&["--endpoints", &endpoints], arguments].concat();
        Launch::program(PROGRAM).args(&all).env("XDG_STATE_HOME", &state).size(120, 30)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The server ends with it; what is left behind lies in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Daemon(Child);

impl Daemon {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The counts in the first row.
fn has_counts(text: &str) -> bool {
    let row = text.lines().next().unwrap_or_default();
    let count = row.split_whitespace().find_map(|word| word.strip_prefix('✗'));
    count.and_then(|count| count.parse::<u32>().ok()).is_some_and(|failed| failed > 0)
}

#[test]
fn a_console_attaches_says_so_misses_the_daemon_and_goes_on_with_the_next() {
    let site = Site::new("whole");
    let daemon = site.daemon();
    let attached = format!("attached to pid {}", daemon.0.id());
    let mut terminal = site.console(&[]).start();
    terminal.until("whose world it is", |text| text.lines().next().unwrap_or_default().contains(&attached));
    // That daemon follows no pipelines while nobody looks.
    terminal.until("pipelines", |text| has_counts(text) && text.contains("develop"));
    let lost = format!("lost pid {}, as of ", daemon.0.id());
    daemon.kill();
    terminal.until("that it is missed, and what was known", |text| {
        text.lines().next().unwrap_or_default().contains(&lost) && has_counts(text) && text.contains("develop")
    });
    let next = site.daemon();
    let attached = format!("attached to pid {}", next.0.id());
    terminal.until("the next one", |text| text.lines().next().unwrap_or_default().contains(&attached));
    terminal.until("pipelines again", |text| has_counts(text) && text.contains("develop"));
    terminal.keys("q");
    assert!(terminal.ended().success());
    drop(next);
}

#[test]
fn a_console_that_was_told_to_or_cannot_attach_runs_alone_and_says_why() {
    let site = Site::new("alone");
    let daemon = site.daemon();
    let mut terminal = site.console(&["--no-attach"]).start();
    terminal.until("its own world", |text| text.starts_with("stackhand gitlab") && has_counts(text));
    terminal.keys("q");
    assert!(terminal.ended().success());
    // Somebody removed the socket; the daemon leads all the same.
    for entry in std::fs::read_dir(site.folder.join("stackhand/attach")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let mut terminal = site.console(&[]).start();
    let why = format!("not attached to the daemon (pid {} on ", daemon.0.id());
    terminal.until("why", |text| text.contains(&why));
    terminal.until("its own world", |text| text.starts_with("stackhand gitlab") && has_counts(text));
    terminal.keys("q");
    assert!(terminal.ended().success());
}
