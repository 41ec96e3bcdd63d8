//! A clone to ask, made with the real git.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::adapters::git::error::GitError;
use crate::adapters::git::read::{Wanted, change_set_of};
use crate::adapters::git::run::Git;
use crate::generation::ChangeSet;

pub const ZLIB: &str = "repos/spack_repo/builtin/packages/zlib_ng/package.py";
pub const HDF5: &str = "repos/spack_repo/builtin/packages/hdf5/package.py";

/// Nothing of the machine's own configuration.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_AUTHOR_DATE", "1780000000 +0000"),
    ("GIT_COMMITTER_DATE", "1780000000 +0000"),
];

/// A clone in a folder of its own, gone at the end.
pub struct Clone {
    pub folder: PathBuf,
    commits: AtomicU32,
}

impl Clone {
    /// A repository without a commit.
    pub fn empty(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stackhand-git-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let folder = folder.canonicalize().unwrap();
        let clone = Self { folder, commits: AtomicU32::new(0) };
        clone.git(&["init", "-q", "-b", "develop"]);
        clone
    }

    /// One commit on `develop`, with two packages and two stacks.
    pub fn first(name: &str) -> Self {
        let clone = Self::empty(name);
        clone.commit(&[
            ("repos/spack_repo/builtin/repo.yaml", "repo:\n  namespace: builtin\n  api: v2.2\n"),
            (ZLIB, "1"),
            (HDF5, "1"),
            ("stacks/e4s/spack.yaml", "spack: {}"),
            ("stacks/hep/spack.yaml", "spack: {}"),
        ]);
        clone
    }

    /// A branch `pr` of three commits (zlib-ng, README, hdf5), checked out; `develop` has moved on meanwhile.
    pub fn branch(name: &str) -> Self {
        let clone = Self::first(name);
        clone.git(&["checkout", "-q", "-b", "pr"]);
        clone.commit(&[(ZLIB, "2")]);
        clone.commit(&[("README.md", "x")]);
        clone.commit(&[(HDF5, "2")]);
        clone.git(&["checkout", "-q", "develop"]);
        clone.commit(&[
            ("repos/spack_repo/builtin/packages/curl/package.py", "1"),
            ("stacks/hep/spack.yaml", "spack: {a: b}"),
        ]);
        clone.git(&["checkout", "-q", "pr"]);
        clone
    }

    /// `develop` with a pull request merged into it, as Spack's CI does: zlib-ng by one commit, hdf5 by the next.
    pub fn merged(name: &str) -> Self {
        let clone = Self::first(name);
        clone.git(&["checkout", "-q", "-b", "pr"]);
        clone.commit(&[(ZLIB, "2")]);
        clone.commit(&[(HDF5, "2")]);
        clone.git(&["checkout", "-q", "develop"]);
        clone.commit(&[("repos/spack_repo/builtin/packages/curl/package.py", "1")]);
        clone.git(&["merge", "-q", "--no-ff", "pr", "-m", "merge"]);
        clone
    }

    /// A clone of the current branch with so many commits.
    pub fn of(origin: &Self, name: &str, depth: u32) -> Self {
        let clone = Self::empty(name);
        clone.git(&["remote", "add", "origin", &format!("file://{}", origin.folder.display())]);
        clone.git(&["fetch", "-q", &format!("--depth={depth}"), "origin", "HEAD"]);
        clone.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
        clone
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        self.git_raw(&arguments)
    }

    pub fn git_raw(&self, arguments: &[&OsStr]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=amy", "-c", "user.email=amy@example.org", "-c", "protocol.file.allow=always"]);
        command.args(arguments).current_dir(&self.folder).envs(ENVIRONMENT).stdin(Stdio::null());
        // Every commit has its own second, so that "newest" means something.
        let second = 1_780_000_000 + self.commits.fetch_add(1, Ordering::SeqCst);
        command.env("GIT_COMMITTER_DATE", format!("{second} +0000"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", revision])
    }

    pub fn write(&self, path: impl AsRef<[u8]>, text: impl AsRef<[u8]>) {
        let path = self.folder.join(OsStr::from_bytes(path.as_ref()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn commit<P: AsRef<[u8]>>(&self, files: &[(P, &str)]) {
        for (path, text) in files {
            self.write(path, text);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "change"]);
    }

    /// A program. Written by another process: a file that this one holds open for writing in another thread could not be started.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        let write = "cat > \"$1\" && chmod +x \"$1\"";
        let mut shell = Command::new("sh").args(["-c", write, "sh"]).arg(&path).stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        path
    }

    pub fn asker(&self) -> Git {
        Self::asker_at(&self.folder)
    }

    fn asker_at(folder: &Path) -> Git {
        let mut git = Git::at(folder);
        git.environment = ENVIRONMENT.map(|(name, value)| (name.into(), value.into())).to_vec();
        git
    }

    pub fn wanted(&self, target: Option<&str>) -> Wanted {
        Wanted {
            repo: self.folder.clone(),
            target: target.map(ToOwned::to_owned),
            manifest: "stacks/e4s/spack.yaml".into(),
            configuration: Vec::new(),
        }
    }

    pub async fn ask(&self, wanted: &Wanted) -> Result<(ChangeSet, Vec<String>), GitError> {
        change_set_of(&Self::asker_at(&wanted.repo), wanted).await
    }

    pub async fn changes(&self, target: Option<&str>) -> Result<(ChangeSet, Vec<String>), GitError> {
        self.ask(&self.wanted(target)).await
    }

    #[expect(clippy::unused_self, reason = "reads as a question about the clone")]
    pub fn names<'a>(&self, set: &'a ChangeSet) -> Vec<&'a str> {
        set.packages.keys().map(|name| &**name).collect()
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
