//! Who acts, where there are several daemons of one project: whoever holds the lead; the others stand by.
//!
//! Where the store is PostgreSQL, it lends out the lead, to whichever machine. Otherwise the lead is the lock of a file: the kernel lets go of it
//! when its holder dies, however that dies; what is written in the file is for people. It reaches as far as its file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::store::{Bidding, Lease, Lender};
use crate::ci::Timestamp;
use crate::console::text::clean;

/// Of a lock file, at most so much is read.
const MOST: u64 = 4 << 10;
/// A file that vanished between opening and locking is opened again so often.
const TRIES: usize = 8;

/// Who leads, as the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    pub since: Timestamp,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pid {} on {} since {}", self.pid, clean(&self.host), self.since)
    }
}

/// Who leads, as whoever does not ask for the lead sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leader {
    Nobody,
    /// It may not be named.
    Somebody(Option<Holder>),
}

/// Where the lead comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The lock of this file.
    File(PathBuf),
    Store(Lender),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Store(lender) => f.write_str(lender.place()),
        }
    }
}

/// Proof that this process leads. Dropping it gives the lead away.
#[derive(Debug)]
pub enum Leadership {
    File(Lock),
    Store(Lease),
}

/// The lock of a file.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// What came of asking for the lead.
#[derive(Debug)]
pub enum Bid {
    Leads(Leadership),
    /// Somebody else does; `None`: the file does not say who.
    Follows(Option<Holder>),
    /// Nobody knows: the store does not answer, for this reason.
    Unanswered(String),
}

impl Source {
    /// Asks for the lead once.
    pub async fn bid(&self, me: &Holder, now: Timestamp) -> io::Result<Bid> {
        let lender = match self {
            Self::File(path) => return bid(path, me),
            Self::Store(lender) => lender,
        };
        Ok(match Box::pin(lender.bid(&serde_json::to_string(me)?, now)).await {
            Ok(Bidding::Leads(lease)) => Bid::Leads(Leadership::Store(lease)),
            Ok(Bidding::Follows(signature)) => Bid::Follows(serde_json::from_str(&signature).ok()),
            Err(error) => Bid::Unanswered(error.to_string()),
        })
    }

    /// Who leads, without asking for the lead.
    pub async fn leader(&self) -> io::Result<Leader> {
        let lender = match self {
            Self::File(path) => return leader(path),
            Self::Store(lender) => lender,
        };
        let signature = lender.holder().await.map_err(io::Error::other)?;
        Ok(signature.map_or(Leader::Nobody, |signature| Leader::Somebody(serde_json::from_str(&signature).ok())))
    }
}

/// Asks for the lock of a file once.
fn bid(path: &Path, me: &Holder) -> io::Result<Bid> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    for _ in 0..TRIES {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Bid::Follows(read(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Lock { file, path: path.to_owned() };
        // Somebody may have removed the file meanwhile: a lock on what has no name keeps nobody out.
        if lock.holds() {
            lock.sign(me)?;
            return Ok(Bid::Leads(Leadership::File(lock)));
        }
    }
    Err(io::Error::other("the file is removed again and again"))
}

fn leader(path: &Path) -> io::Result<Leader> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Leader::Nobody),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        // It goes with the file, in a moment.
        Ok(()) => Ok(Leader::Nobody),
        Err(TryLockError::WouldBlock) => Ok(Leader::Somebody(read(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Leadership {
    /// Whether it still keeps others out.
    pub fn holds(&self) -> bool {
        match self {
            Self::File(lock) => lock.holds(),
            Self::Store(lease) => lease.holds(),
        }
    }

    /// Returns when the lead is lost, where somebody tells; the loss of a file has to be looked for.
    pub async fn lost(&self) {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Store(lease) => lease.lost().await,
        }
    }

    /// Gives the lead away where nothing that needed it runs any more: this process goes on as if it had never asked for it.
    pub fn give_back(self) {
        if let Self::Store(lease) = self {
            lease.give_back();
        }
    }

    /// What it means that it no longer holds.
    pub const fn how_lost(&self) -> &'static str {
        match self {
            Self::File(_) => "the lock file was removed: the lead is lost",
            Self::Store(_) => "the session at the database ended: the lead is lost",
        }
    }
}

impl Lock {
    /// Whether the file that is locked is the one that others find.
    fn holds(&self) -> bool {
        let ours = self.file.metadata().map(|file| (file.dev(), file.ino()));
        let theirs = std::fs::metadata(&self.path).map(|file| (file.dev(), file.ino()));
        matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    fn sign(&self, me: &Holder) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(format!("{}\n", serde_json::to_string(me)?).as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nobody leads: nobody is named. The lock goes with the file's last handle, whatever becomes of this.
        let _ = self.file.set_len(0);
    }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("stackhand-lead-{name}-{}", std::process::id()));
        folder.join("daemon.lock")
    }

    fn me(pid: u32) -> Holder {
        Holder { pid, host: "bastion-2".to_owned(), since: Timestamp::from_millis(1_773_457_927_000) }
    }

    fn gone(path: &Path) {
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn one_leads_and_the_others_know_who() {
        let path = lock("one");
        let Bid::Leads(leadership) = bid(&path, &me(7)).unwrap() else { panic!("nobody leads") };
        assert!(leadership.holds());
        assert_eq!(leader(&path).unwrap(), Leader::Somebody(Some(me(7))));
        let Bid::Follows(Some(holder)) = bid(&path, &me(8)).unwrap() else { panic!("7 leads") };
        assert_eq!(holder.to_string(), "pid 7 on bastion-2 since 2026-03-14T03:12:07.000Z");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(leadership);
        assert_eq!(leader(&path).unwrap(), Leader::Nobody);
        assert_eq!(leader(Path::new("/nowhere/daemon.lock")).unwrap(), Leader::Nobody);
        assert!(matches!(bid(&path, &me(8)).unwrap(), Bid::Leads(_)));
        gone(&path);
    }

    #[test]
    fn what_is_left_of_a_dead_holder_keeps_nobody_out() {
        let path = lock("dead");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for left in [serde_json::to_string(&me(1)).unwrap(), "\u{1b}[2J garbage".to_owned(), "x".repeat(1 << 16)] {
            std::fs::write(&path, left).unwrap();
            assert!(matches!(bid(&path, &me(8)).unwrap(), Bid::Leads(_)));
        }
        gone(&path);
    }

    #[test]
    fn whoever_lost_the_file_lost_the_lead() {
        let path = lock("lost");
        let Bid::Leads(first) = bid(&path, &me(7)).unwrap() else { panic!("nobody leads") };
        std::fs::remove_file(&path).unwrap();
        assert!(!first.holds());
        let Bid::Leads(second) = bid(&path, &me(8)).unwrap() else { panic!("the name is free") };
        assert!(second.holds() && !first.holds());
        gone(&path);
    }

    #[test]
    fn a_file_that_says_nothing_names_nobody() {
        let path = lock("silent");
        let Bid::Leads(Leadership::File(first)) = bid(&path, &me(7)).unwrap() else { panic!("nobody leads") };
        first.file.set_len(0).unwrap();
        assert!(matches!(bid(&path, &me(8)).unwrap(), Bid::Follows(None)));
        gone(&path);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        assert!(bid(Path::new("/proc/stackhand/daemon.lock"), &me(7)).is_err());
    }
}
