//! A GitHub and a GitLab that are bare repositories.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::adapters::git::mirror::{Credentials, Fetched, Mirror, MirrorError, Remote, Settings, Wanted};
use crate::adapters::testing::Scratch;
use crate::bridge::{Expects, PushBatch, RefUpdate};
use crate::forge::{BranchName, PrNumber, Sha};

pub struct World {
    pub scratch: Scratch,
}

impl World {
    pub fn new() -> Self {
        let world = Self { scratch: Scratch::new() };
        for name in ["hub.git", "lab.git"] {
            world.git(world.scratch.path(), &["init", "-q", "--bare", "-b", "develop", name], "");
            world.git(&world.path(name), &["config", "http.receivepack", "true"], "");
            world.git(&world.path(name), &["config", "uploadpack.allowFilter", "true"], "");
        }
        world
    }

    /// GitHub with `develop` of two commits, the second not yet tested; pull request 1 from the first, 2 in conflict with it, 3 from the second, and 4
    /// from nowhere.
    pub fn with_prs() -> (Self, Story) {
        let world = Self::new();
        let first = world.commit("hub.git", &[], &[("a", "1\n"), ("b", "1\n")], 1);
        let tested = world.commit("hub.git", &[&first], &[("a", "2\n"), ("b", "1\n")], 2);
        let newest = world.commit("hub.git", &[&tested], &[("a", "3\n"), ("b", "1\n")], 3);
        let clean = world.commit("hub.git", &[&first], &[("a", "1\n"), ("b", "x\n")], 4);
        let conflict = world.commit("hub.git", &[&first], &[("a", "y\n"), ("b", "1\n")], 5);
        let young = world.commit("hub.git", &[&newest], &[("a", "3\n"), ("b", "z\n")], 6);
        let alien = world.commit("hub.git", &[], &[("c", "1\n")], 7);
        world.set("hub.git", "refs/heads/develop", &newest);
        for (number, head) in [(1, &clean), (2, &conflict), (3, &young), (4, &alien)] {
            world.set("hub.git", &format!("refs/pull/{number}/head"), head);
        }
        (world, Story { first, tested, newest, clean, conflict, young, alien })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub fn file_url(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    pub fn settings(&self) -> Settings {
        let remote = |name| Remote { url: self.file_url(name), credentials: Credentials::Nobody };
        let settings = Settings::new(self.path("mirror"), remote("hub.git"), remote("lab.git"));
        Settings { backoff: Duration::from_millis(1), ..settings }
    }

    pub async fn mirror(&self) -> Mirror {
        Mirror::open(self.settings()).await.unwrap()
    }

    #[expect(clippy::unused_self, reason = "it is asked of a world")]
    pub fn git(&self, at: &Path, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(at).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Writes a commit into a repository, with its own second.
    pub fn commit(&self, name: &str, parents: &[&Sha], files: &[(&str, &str)], second: u64) -> Sha {
        let at = self.path(name);
        let entry = |(file, text): &(&str, &str)| {
            let blob = self.git(&at, &["hash-object", "-w", "--stdin"], text);
            format!("100644 blob {blob}\t{file}\n")
        };
        let tree = self.git(&at, &["mktree"], &files.iter().map(entry).collect::<String>());
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect::<Vec<_>>().concat();
        let who = format!("Amy <amy@example.org> {} +0200", 1_790_000_000 + second);
        let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nwork {second}\n");
        sha(&self.git(&at, &["hash-object", "-t", "commit", "-w", "--stdin"], &text))
    }

    pub fn set(&self, name: &str, full: &str, to: &Sha) {
        self.git(&self.path(name), &["update-ref", full, to.as_str()], "");
    }

    /// Every ref of a repository with the commit that it names.
    pub fn refs(&self, name: &str) -> Vec<(String, Sha)> {
        let said = self.git(&self.path(name), &["for-each-ref", "--format=%(refname) %(objectname)"], "");
        let read = |line: &str| line.rsplit_once(' ').map(|(name, to)| (name.to_owned(), sha(to))).unwrap();
        said.lines().map(read).collect()
    }

    /// A hook of GitLab.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.scratch.write(&format!("lab.git/hooks/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A program of the test's own.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.scratch.write(name, format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

pub struct Story {
    pub first: Sha,
    pub tested: Sha,
    pub newest: Sha,
    pub clean: Sha,
    pub conflict: Sha,
    pub young: Sha,
    pub alien: Sha,
}

pub fn sha(text: &str) -> Sha {
    Sha::parse(text).unwrap()
}

pub fn branch(name: &str) -> BranchName {
    BranchName::parse(name).unwrap()
}

pub fn pr(number: u64) -> Wanted {
    Wanted::PrHead(PrNumber(number))
}

pub fn develop() -> Wanted {
    Wanted::Branch(branch("develop"))
}

pub fn batch(updates: &[(&str, &Sha, Expects)]) -> PushBatch {
    let update =
        |(name, to, expects): &(&str, &Sha, Expects)| RefUpdate::branch(&branch(name), (*to).clone(), expects.clone());
    PushBatch { refs: updates.iter().map(update).collect() }
}

/// What became of one of them.
pub fn of<'a>(fetched: &'a Fetched, wanted: &Wanted) -> Result<&'a Sha, &'a MirrorError> {
    fetched.iter().find(|(one, _)| one == wanted).unwrap().1.as_ref()
}

/// Waits for something that another process does.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} never happened");
}

/// Command lines of this machine that hold a text.
pub fn command_lines(with: &str) -> Vec<String> {
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let read = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let texts = lines.filter_map(read).map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    texts.filter(|line| line.contains(with)).collect()
}
