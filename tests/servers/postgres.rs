//! A real PostgreSQL for tests: one server on a Unix socket in a folder of its own, gone with the process that started it.
//!
//! The server's parent is a shell that reads from this process: when that ends, however it ends, the shell ends the server and removes the folder.
//! PostgreSQL does not run as root; then it is started as the user `postgres`, who comes with Debian's package.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What the shell does: `$1` is the folder of the programs, `$2` that of the server.
const SHELL: &str = r#"
set -eu
umask 077
mkdir "$2"
"$1/initdb" -D "$2/data" --username=ci --auth=trust --no-sync --encoding=UTF8 --locale=C >"$2/log" 2>&1
start() {
  "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200 >>"$2/log" 2>&1 &
  pid=$!
}
finish() {
  kill -QUIT "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}
start "$1" "$2"
while read -r word; do
  case $word in
    stop) finish ;;
    start) start "$1" "$2" ;;
  esac
  echo "$word"
done
finish
rm -rf "$2"
"#;

/// A server that runs, or was stopped.
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    shell: Child,
    said: BufReader<ChildStdout>,
}

static SERVERS: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Starts one. Without PostgreSQL on this machine there is none, which CI does not take for an answer.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is missing");
            // Told past the harness, which shows what a test prints only where it fails.
            let told = writeln!(std::io::stderr(), "SKIPPED: PostgreSQL not found (apt-get install postgresql)");
            told.unwrap();
            return None;
        };
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/tmp/stackhand-pg-{}-{number}", std::process::id()));
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", SHELL, "sh"]).arg(&programs).arg(&folder).current_dir("/");
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(shell.stdout.take().unwrap());
        let server = Self { folder, programs, shell, said };
        server.wait();
        Some(server)
    }

    /// The address of the database that every server has.
    pub fn url(&self) -> String {
        format!("postgres://ci@{}/postgres", self.folder.display().to_string().replace('/', "%2F"))
    }

    /// Runs a statement as an administrator would, and tells what it printed.
    pub fn psql(&self, statement: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "ci",
            "-d",
            "postgres",
            "-c",
            statement,
            "-h",
        ]);
        let output = psql.arg(&self.folder).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends the server as a crash does: sessions are cut off, nothing is brought to its end.
    #[allow(dead_code, reason = "one of those who include this stops none")]
    pub fn stop(&mut self) {
        self.tell("stop");
    }

    /// Starts it again after it was stopped.
    #[allow(dead_code, reason = "one of those who include this stops none")]
    pub fn restart(&mut self) {
        self.tell("start");
        self.wait();
    }

    /// From now on this user has to know a password.
    #[allow(dead_code, reason = "one of those who include this has no passwords")]
    pub fn ask_for_passwords(&self, user: &str) {
        let path = self.folder.join("data/pg_hba.conf");
        let rules = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("local all {user} scram-sha-256\n{rules}")).unwrap();
        self.psql("SELECT pg_reload_conf()");
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.shell.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word);
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        let is_ready = || {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["-q", "-h"]).arg(&self.folder).status().is_ok_and(|status| status.success())
        };
        while !is_ready() {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "PostgreSQL does not start: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It ends by itself; whoever looks finds no folder left.
        let _ = self.shell.wait();
    }
}

/// The folder of PostgreSQL's programs: Debian keeps them out of the way.
fn programs() -> Option<PathBuf> {
    let has_all =
        |folder: &Path| ["initdb", "postgres", "psql", "pg_isready"].iter().all(|name| folder.join(name).exists());
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(versions.into_iter().rev()).find(|folder| has_all(folder));
    found.filter(|_| !is_root() || runs("id", &["-u", "postgres"]) && runs("setpriv", &["--version"]))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
