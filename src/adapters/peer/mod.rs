//! Who is at the other end of a Unix socket, by the kernel's word and not by theirs.
//!
//! Operators who share the account of the daemon (`sudo -u stackhand stackhand`) are told apart by their login uid, which the kernel keeps
//! across `sudo` and `su`; where there is none, the account itself is named.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

/// The kernel's word for "nobody has logged in".
const NO_LOGIN: u32 = u32::MAX;
/// How long the directory of users may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest name that is believed.
const LONGEST: usize = 64;

/// The process at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    pid: Option<u32>,
}

impl Peer {
    /// Asks the kernel.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self { uid: credentials.uid(), pid: credentials.pid().and_then(|pid| u32::try_from(pid).ok()) })
    }

    /// Whether it may speak for this account: it runs under it, or is root, whom no check of ours could keep out.
    pub const fn is_trusted_by(&self, uid: u32) -> bool {
        self.uid == uid || self.uid == 0
    }

    /// The name of whoever sits there.
    pub async fn who(&self) -> Arc<str> {
        let login = self.pid.and_then(|pid| login(&std::fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?));
        let uid = login.unwrap_or(self.uid);
        name(uid).await.unwrap_or_else(|| format!("uid {uid}")).into()
    }
}

/// The uid of this process: that of a socket which it made.
pub fn own_uid() -> io::Result<u32> {
    let (ours, _theirs) = UnixStream::pair()?;
    Ok(ours.peer_cred()?.uid())
}

fn login(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != NO_LOGIN)
}

/// The name of an account: by the local file, else by whatever directory of users the system asks.
async fn name(uid: u32) -> Option<String> {
    let local = std::fs::read_to_string(Path::new("/etc/passwd")).ok().and_then(|table| named(&table, uid));
    if local.is_some() {
        return local;
    }
    let mut ask = Command::new("getent");
    ask.args(["passwd", &uid.to_string()]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let answer = timeout(PATIENCE, ask.output()).await.ok()?.ok()?;
    named(std::str::from_utf8(&answer.stdout).ok()?, uid)
}

/// The name of a uid in lines of `passwd`.
fn named(table: &str, uid: u32) -> Option<String> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        let is_plain = !name.is_empty() && name.len() <= LONGEST && name.chars().all(|c| c.is_ascii_graphic());
        (id.parse() == Ok(uid) && is_plain).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_has_a_name_in_the_table_or_none() {
        let table =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nevil\u{1b}[2J:x:7:7::/:\namy:x:1000:1000:Amy:/home/amy:/bin/sh\n";
        assert_eq!(named(table, 1000).as_deref(), Some("amy"));
        assert_eq!(named(table, 0).as_deref(), Some("root"));
        assert_eq!(named(table, 7), None, "a name that is no word names nobody");
        assert_eq!(named(table, 8), None);
    }

    #[test]
    fn whoever_has_not_logged_in_has_no_login() {
        assert_eq!(login("1000\n"), Some(1000));
        assert_eq!(login("4294967295"), None);
        assert_eq!(login("amy"), None);
    }

    #[tokio::test]
    async fn the_other_end_is_named_by_the_kernel() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = Peer::of(&ours).unwrap();
        assert_eq!(peer.uid, own_uid().unwrap());
        assert!(peer.is_trusted_by(peer.uid) && !Peer { uid: 4_242, pid: None }.is_trusted_by(4_243));
        assert!(Peer { uid: 0, pid: None }.is_trusted_by(4_243));
        assert!(!peer.who().await.is_empty());
        assert_eq!(&*Peer { uid: 4_000_000_001, pid: None }.who().await, "uid 4000000001");
    }
}
