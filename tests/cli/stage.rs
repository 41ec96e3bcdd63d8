//! A practice world in this process and a way to run the binary against it, with nothing of the surroundings shining through.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use stackhand::sandbox::{Options, Running, Sandbox};

/// What a command left.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Its output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }

    /// Its output as JSON of this version, after success.
    pub fn document(&self, version: &str) -> Value {
        self.document_of("version", version)
    }

    /// The same, where another key tells the version.
    pub fn document_of(&self, key: &str, version: &str) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        let json = self.json();
        assert_eq!(json[key], version);
        json
    }

    /// Ended like this, and said that.
    pub fn failed(&self, code: i32, word: &str) {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert!(self.err.contains(word), "`{word}` is not in: {}", self.err);
    }
}

/// A folder of its own with an environment of its own, gone at the end.
pub struct Stage {
    pub folder: PathBuf,
    variables: Vec<(String, String)>,
    pub endpoints: Option<PathBuf>,
}

static STAGES: AtomicU32 = AtomicU32::new(0);

impl Stage {
    /// Without a server.
    pub fn bare() -> Self {
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("stackhand-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, variables: Vec::new(), endpoints: None }
    }

    /// Pointed at a practice world.
    pub fn facing(running: &Running) -> Self {
        let mut stage = Self::bare();
        stage.endpoints = Some(stage.write("endpoints.json", &running.endpoints().to_string()));
        stage.with("STACKHAND_BUDGET_PER_SECOND", "100").with("STACKHAND_ACTIONS_HOLD", "0s")
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackhand"));
        command.env_clear().current_dir(&self.folder).env("HOME", &self.folder).env("LANG", "C.UTF-8");
        // The practice world's git is found there.
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, self.folder.join(folder));
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(endpoints) = &self.endpoints {
            command.arg("--endpoints").arg(endpoints);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left behind lies in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A practice world whose time stands still.
pub fn world() -> Running {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Sandbox::start(Options { speed: 0.0, ..Options::default() })).unwrap()
}

/// One that is only looked at.
pub static SHARED: LazyLock<Running> = LazyLock::new(world);

/// Ids of jobs that failed for good, the first ones.
pub fn failed_jobs(stage: &Stage, n: usize) -> Vec<u64> {
    let jobs = stage.run(&["jobs", "--filter", "state:failed", "--json"]).document("stackhand.jobs/1");
    let ids: Vec<u64> = jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap()).collect();
    assert!(ids.len() >= n, "a busy night has failures");
    ids[..n].to_vec()
}

pub fn send_signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap().success());
}

pub fn exists(path: &Path) -> bool {
    path.try_exists().unwrap()
}
