//! The folder of a mirror: locked, made, mended, kept small.

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::address::Address;
use super::error::MirrorError;
use super::program::{Places, Program, Run};
use super::settings::{Settings, Side};

/// How long a lock that is held is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The repository between GitHub and GitLab, locked for us.
pub struct Mirror {
    pub(super) git: Program,
    /// Whether GitLab had no branch when it was listed last.
    pub(super) is_gitlab_empty: AtomicBool,
    notes: Vec<String>,
}

impl Mirror {
    /// Opens the mirror in its folder. Nobody else can while this one is open, nor while a git of an earlier one still runs.
    ///
    /// What is not there is made; what is damaged is made again, and [`Mirror::notes`] says so. Nothing is asked of the two sides.
    pub async fn open(settings: Settings) -> Result<Self, MirrorError> {
        let addresses = [Address::of(Side::GitHub, &settings.github)?, Address::of(Side::GitLab, &settings.gitlab)?];
        let folder = made(&settings.folder)?;
        // What was killed a moment ago may hold it for another one.
        let end = Instant::now() + PATIENCE;
        let lock = loop {
            match locked(&folder) {
                Err(MirrorError::InUse { .. }) if Instant::now() < end => sleep(Duration::from_millis(50)).await,
                taken => break taken?,
            }
        };
        let places = Places {
            repository: folder.join("repository.git"),
            subjects: folder.join("subjects.git"),
            keys: made(&folder.join("keys"))?,
            folder,
        };
        emptied(&places.keys)?;
        let git = Program::new(settings, places, addresses, lock);
        let mut mirror = Self { git, is_gitlab_empty: AtomicBool::default(), notes: Vec::new() };
        mirror.check_version().await?;
        let met = fs::read_to_string(mirror.git.places.damage()).ok();
        for in_subjects in [false, true] {
            mirror.mend(in_subjects, met.as_deref()).await?;
        }
        if met.is_some() {
            let path = mirror.git.places.damage();
            fs::remove_file(&path).map_err(unusable(&path))?;
        }
        mirror.drop_heads().await?;
        Ok(mirror)
    }

    /// What had to be made again when it was opened.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether damage was met since it was opened: it is mended when it is opened the next time.
    pub fn is_damaged(&self) -> bool {
        self.git.places.damage().exists()
    }

    /// How many processes of git were started so far.
    pub fn git_runs(&self) -> u64 {
        self.git.runs()
    }

    /// Packs what has piled up, if it is worth it; what nobody names goes after two weeks. Never runs by itself.
    pub async fn tidy(&self) -> Result<(), MirrorError> {
        let doing = "pack the mirror";
        let arguments = ["-c", "gc.auto=5000", "-c", "gc.autoPackLimit=30", "gc", "--auto", "--quiet"];
        for in_subjects in [false, true] {
            let deadline = self.git.settings.deadlines.tidy;
            let run = Run { doing, arguments: &arguments, environment: &[], input: None, deadline, in_subjects };
            let said = self.git.run(&run).await?;
            if said.code != Some(0) {
                return Err(said.failure(doing));
            }
        }
        Ok(())
    }

    async fn check_version(&self) -> Result<(), MirrorError> {
        let said = self.git.local("tell its version", &["version"], None).await?;
        let found = String::from_utf8_lossy(&said).trim().to_owned();
        let mut numbers = found.trim_start_matches("git version ").split('.').map(|part| part.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(2), Some(41..)) | (Some(3..), _) => Ok(()),
            _ => Err(MirrorError::OldGit { found: crate::adapters::git::error::harmless(found.as_bytes()) }),
        }
    }

    /// Makes a repository, or makes it again when it cannot be read, or when damage was met before: not all of it shows at a look.
    async fn mend(&mut self, in_subjects: bool, met: Option<&str>) -> Result<(), MirrorError> {
        let places = &self.git.places;
        let folder = if in_subjects { places.subjects.clone() } else { places.repository.clone() };
        if folder.exists() {
            // Nobody else is here: what is locked was left by a git that was killed.
            unlock(&folder);
            let looked = match met {
                Some(said) => Err(MirrorError::Damaged { said: super::error::one_line(said) }),
                None => self.look(&folder, in_subjects).await,
            };
            match looked {
                Ok(()) => return Ok(()),
                Err(
                    error @ (MirrorError::Damaged { .. } | MirrorError::Failed { .. } | MirrorError::Folder { .. }),
                ) => {
                    let note = format!("{} was damaged and is made again: {error}", folder.display());
                    tracing::warn!("{note}");
                    self.notes.push(note);
                    fs::remove_dir_all(&folder).or_else(|_| fs::remove_file(&folder)).map_err(unusable(&folder))?;
                }
                Err(error) => return Err(error),
            }
        }
        let path = folder
            .to_str()
            .ok_or_else(|| MirrorError::Folder { path: folder.clone(), why: "its path is not UTF-8".to_owned() })?;
        let arguments = ["init", "--quiet", "--bare", "--template=", "--initial-branch=none", path];
        self.git.local("make the mirror", &arguments, None).await?;
        self.configure(&folder)
    }

    /// Reads every ref and the object that it names.
    async fn look(&self, folder: &Path, in_subjects: bool) -> Result<(), MirrorError> {
        self.configure(folder)?;
        let doing = "read the refs of the mirror";
        let arguments = ["for-each-ref", "--format=%(objecttype)"];
        let deadline = self.git.settings.deadlines.local;
        let run = Run { doing, arguments: &arguments, environment: &[], input: None, deadline, in_subjects };
        let said = self.git.run(&run).await?;
        if said.code == Some(0) && said.complaint.trim().is_empty() { Ok(()) } else { Err(said.failure(doing)) }
    }

    /// Writes the configuration as it has to be, whatever is there.
    fn configure(&self, folder: &Path) -> Result<(), MirrorError> {
        let (path, new) = (folder.join("config"), self.configuration());
        if fs::read(&path).is_ok_and(|old| old == new.as_bytes()) {
            return Ok(());
        }
        let draft = folder.join("config.new");
        fs::write(&draft, new).and_then(|()| fs::rename(&draft, &path)).map_err(unusable(&path))
    }

    fn configuration(&self) -> String {
        let mut text = String::from(
            "# Written by stackhand each time; changes do not stay.\n\
             [core]\n\trepositoryformatversion = 0\n\tbare = true\n\thooksPath = /dev/null\n\tattributesFile = /dev/null\n\
             \tlogAllRefUpdates = false\n\tsshCommand = false\n\taskPass = false\n\
             [credential]\n\thelper =\n\
             [transfer]\n\tfsckObjects = true\n\
             [fetch]\n\tfsckObjects = true\n\trecurseSubmodules = false\n\twriteCommitGraph = false\n\
             [submodule]\n\trecurse = false\n\
             [push]\n\tfollowTags = false\n\tgpgSign = false\n\trecurseSubmodules = no\n\
             [commit]\n\tgpgSign = false\n[i18n]\n\tcommitEncoding = UTF-8\n\
             [gc]\n\tauto = 0\n\tautoDetach = false\n\tpruneExpire = 2.weeks.ago\n[maintenance]\n\tauto = false\n\
             [pack]\n\tthreads = 2\n\twindowMemory = 128m\n\
             [http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60\n\
             [protocol]\n\tallow = never\n",
        );
        let mut add = |line: String| text.push_str(&line);
        let protocols: std::collections::BTreeSet<&str> =
            self.git.addresses.iter().map(|address| address.protocol).chain(["https", "ssh"]).collect();
        for protocol in protocols {
            add(format!("[protocol \"{protocol}\"]\n\tallow = always\n"));
        }
        for side in [Side::GitHub, Side::GitLab] {
            let url = self.git.address(side).url.replace('\\', "\\\\").replace('"', "\\\"");
            add(format!("[remote \"{}\"]\n\turl = \"{url}\"\n\ttagOpt = --no-tags\n", side.remote()));
        }
        text
    }

    /// Local branches live for one push; these were left by one that did not end.
    async fn drop_heads(&self) -> Result<(), MirrorError> {
        let listed =
            self.git.local("list what was left", &["for-each-ref", "--format=%(refname)", "refs/heads/"], None);
        let listed = String::from_utf8_lossy(&listed.await?).into_owned();
        let names: Vec<&str> = listed.lines().collect();
        self.delete(&names).await
    }

    /// Deletes refs of our own.
    pub(super) async fn delete(&self, names: &[&str]) -> Result<(), MirrorError> {
        if names.is_empty() {
            return Ok(());
        }
        let orders: String = names.iter().map(|name| format!("delete {name}\n")).collect::<Vec<_>>().concat();
        self.git.local("delete old refs", &["update-ref", "--stdin"], Some(orders.as_bytes())).await.map(drop)
    }
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> MirrorError {
    let path = path.to_owned();
    move |error| MirrorError::Folder { path: path.clone(), why: error.to_string() }
}

/// A folder that only we can enter, as an absolute path.
fn made(folder: &Path) -> Result<PathBuf, MirrorError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).and_then(|()| fs::canonicalize(folder)).map_err(unusable(folder))
}

/// The lock on a folder. It holds until this file and its copies in running gits are closed, also when we are killed.
fn locked(folder: &Path) -> Result<fs::File, MirrorError> {
    let path = folder.join("lock");
    let failed = unusable(&path);
    let opened = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        Err(fs::TryLockError::WouldBlock) => {
            let mut said = String::new();
            let read = (&mut file).take(64).read_to_string(&mut said);
            let number = read.ok().and_then(|_| said.trim().parse::<u32>().ok());
            let by = number.map_or("another process".to_owned(), |number| {
                format!("process {number}, or by a git that it started")
            });
            return Err(MirrorError::InUse { folder: folder.to_owned(), by });
        }
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(failed)?;
    Ok(file)
}

/// Removes what a process that was killed has left.
fn emptied(folder: &Path) -> Result<(), MirrorError> {
    for entry in fs::read_dir(folder).map_err(unusable(folder))?.flatten() {
        fs::remove_file(entry.path()).map_err(unusable(folder))?;
    }
    Ok(())
}

/// Removes locks and half-written files. What stays is found by whatever it holds up.
fn unlock(repository: &Path) {
    let is_left = |name: &str, in_objects: bool| {
        let ends = |ending: &str| Path::new(name).extension().is_some_and(|found| found == ending);
        ends("lock") || name == "gc.pid" || (in_objects && (name.starts_with("tmp_") || ends("keep")))
    };
    let mut folders = vec![repository.to_owned()];
    while let Some(folder) = folders.pop() {
        let in_objects = folder.starts_with(repository.join("objects"));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                // The loose objects have 256 folders, in which nothing is locked.
                if !(in_objects && name.len() == 2) {
                    folders.push(path);
                }
            } else if is_left(&name, in_objects) {
                let _ = fs::remove_file(path);
            }
        }
    }
}
