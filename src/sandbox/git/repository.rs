//! One bare repository on disk. Only this world writes refs of the GitHub's; the GitLab's are written by pushes as well.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::object::{Object, Oid, pack};

/// A push to the GitLab is judged by this: what GitLab says no to, in its words.
const PRE_RECEIVE: &str = r#"#!/bin/sh
# Refuses to rewrite or to delete protected branches, as GitLab does: one such ref refuses the whole push.
zero=0000000000000000000000000000000000000000
while read -r old new ref; do
    grep -Fxq -- "$ref" "$GIT_DIR/practice-protected" || continue
    test "$old" = "$zero" && continue
    if test "$new" = "$zero"; then
        echo "GitLab: You can only delete protected branches using the web interface." >&2
        exit 1
    fi
    if ! git merge-base --is-ancestor "$old" "$new"; then
        echo "GitLab: You are not allowed to force push code to a protected branch on this project." >&2
        exit 1
    fi
done
"#;

/// What a test wants refused, one ref at a time.
const UPDATE: &str = r#"#!/bin/sh
if grep -Fxq -- "$1" "$GIT_DIR/practice-refused"; then
    echo "GitLab: You are not allowed to push code to this project." >&2
    exit 1
fi
"#;

const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n\
                      \tadvertisePushOptions = true\n\tfsckObjects = true\n[http]\n\treceivepack = true\n[uploadpack]\n\tallowFilter = true\n\
                      \tallowReachableSHA1InWant = true\n";

/// A bare repository.
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Makes one with these objects and refs. `default` is the branch that a clone checks out.
    pub fn create(path: &Path, default: &str, objects: &[Object], refs: &BTreeMap<String, Oid>) -> io::Result<Self> {
        let repository = Self::lay_out(path, default, refs)?;
        repository.unpack(objects)?;
        Ok(repository)
    }

    /// Makes one with all objects of another, and other refs.
    pub fn create_like(other: &Self, path: &Path, default: &str, refs: &BTreeMap<String, Oid>) -> io::Result<Self> {
        let repository = Self::lay_out(path, default, refs)?;
        let packs = |one: &Self| one.path.join("objects").join("pack");
        for entry in fs::read_dir(packs(other))? {
            let entry = entry?;
            fs::copy(entry.path(), packs(&repository).join(entry.file_name()))?;
        }
        Ok(repository)
    }

    fn lay_out(path: &Path, default: &str, refs: &BTreeMap<String, Oid>) -> io::Result<Self> {
        for folder in ["objects/pack", "objects/info", "refs/heads", "refs/tags", "hooks", "info"] {
            fs::create_dir_all(path.join(folder))?;
        }
        fs::write(path.join("HEAD"), format!("ref: refs/heads/{default}\n"))?;
        fs::write(path.join("config"), CONFIG)?;
        let packed: Vec<String> = refs.iter().map(|(name, id)| format!("{id} {name}\n")).collect();
        fs::write(path.join("packed-refs"), format!("# pack-refs with: sorted \n{}", packed.concat()))?;
        Ok(Self { path: path.to_owned() })
    }

    fn unpack(&self, objects: &[Object]) -> io::Result<()> {
        let mut git = self.git(&["index-pack", "--stdin"]);
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let whole = pack(objects)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&whole)?;
        }
        let ended = child.wait_with_output()?;
        if !ended.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&ended.stderr).trim().to_owned()));
        }
        Ok(())
    }

    /// Makes pushes to it obey rules.
    pub fn guard(&self, protected: &[&str]) -> io::Result<()> {
        for (name, text) in [("pre-receive", PRE_RECEIVE), ("update", UPDATE)] {
            let path = self.path.join("hooks").join(name);
            fs::write(&path, text)?;
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        }
        let lines: Vec<String> = protected.iter().map(|name| format!("refs/heads/{name}\n")).collect();
        fs::write(self.path.join("practice-protected"), lines.concat())?;
        self.refuse(&[])
    }

    /// Refuses pushes to these refs, and to no others.
    pub fn refuse(&self, refs: &[&str]) -> io::Result<()> {
        let lines: Vec<String> = refs.iter().map(|name| format!("{name}\n")).collect();
        fs::write(self.path.join("practice-refused"), lines.concat())
    }

    /// Adds objects and moves refs; the objects come first, so nobody sees a ref without what it names. `None` takes a ref away.
    pub fn add(&self, objects: &[Object], refs: &[(String, Option<Oid>)]) -> io::Result<()> {
        for object in objects {
            let name = object.id.to_string();
            let (folder, file) = name.split_at(2);
            let folder = self.path.join("objects").join(folder);
            fs::create_dir_all(&folder)?;
            put(&folder.join(file), &object.loose()?)?;
        }
        for (name, id) in refs {
            match id {
                Some(id) => {
                    let path = self.path.join(name);
                    fs::create_dir_all(path.parent().unwrap_or(&self.path))?;
                    put(&path, format!("{id}\n").as_bytes())?;
                }
                None => self.run(&["update-ref", "-d", name])?,
            }
        }
        Ok(())
    }

    /// What the refs name now.
    pub fn refs(&self) -> io::Result<BTreeMap<String, Oid>> {
        let listed = self.tell(&["for-each-ref", "--format=%(objectname) %(refname)"])?;
        let read = |line: &str| {
            let (id, name) = line.split_once(' ')?;
            Some((name.to_owned(), Oid::parse(id)?))
        };
        Ok(listed.lines().filter_map(read).collect())
    }

    fn run(&self, args: &[&str]) -> io::Result<()> {
        self.tell(args).map(drop)
    }

    /// What a command of git says.
    pub fn tell(&self, args: &[&str]) -> io::Result<String> {
        let ended = self.git(args).stdin(Stdio::null()).output()?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        Err(io::Error::other(String::from_utf8_lossy(&ended.stderr).trim().to_owned()))
    }

    /// A command of git in this repository.
    pub fn git(&self, args: &[&str]) -> Command {
        let mut command = self.alone();
        command.arg("--git-dir").arg(&self.path).args(args);
        command
    }

    /// Git, which no configuration or environment of ours changes.
    pub fn alone(&self) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("HOME", &self.path)
            .env("XDG_CONFIG_HOME", &self.path)
            .env("LC_ALL", "C");
        command
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a file in one step. What is there is the same, or is to be replaced.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let half = path.with_file_name(format!(".practice-{}", path.file_name().unwrap_or_default().len()));
    fs::write(&half, bytes)?;
    fs::rename(&half, path)
}
