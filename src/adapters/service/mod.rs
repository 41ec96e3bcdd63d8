//! Tells the service manager how we fare: systemd's protocol, one datagram per message to the socket that it names.

mod usage;

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

pub use usage::Usage;

/// The service manager, if one listens.
#[derive(Debug, Default)]
pub struct Service {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that we live.
    watchdog: Option<Duration>,
}

impl Service {
    /// Reads what the manager put into our environment: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` if that is meant for this process.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>, pid: u32) -> io::Result<Self> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(Self::default()) };
        let to = match name.strip_prefix('@') {
            Some(name) => without_file(name)?,
            None if name.starts_with('/') => SocketAddr::from_pathname(&name)?,
            None => return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no socket's name"))),
        };
        let is_ours = variable("WATCHDOG_PID").is_none_or(|of| of.parse() == Ok(pid));
        let asked = variable("WATCHDOG_USEC").and_then(|micros| micros.parse().ok()).filter(|micros| *micros > 0);
        Ok(Self { to: Some((socket()?, to)), watchdog: asked.filter(|_| is_ours).map(Duration::from_micros) })
    }

    /// Whether somebody listens.
    pub const fn is_there(&self) -> bool {
        self.to.is_some()
    }

    /// How often to say that we live: twice as often as the manager wants to hear it.
    pub fn pulse(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 2)
    }

    /// Whether the manager will hear it; if not, say it again.
    pub fn ready(&self) -> bool {
        self.say("READY=1")
    }

    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// One line for `systemctl status`. Line breaks would begin other messages.
    pub fn status(&self, line: &str) {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.say(&format!("STATUS={line}"));
    }

    fn say(&self, message: &str) -> bool {
        let Some((socket, to)) = &self.to else { return true };
        let sent = socket.send_to_addr(message.as_bytes(), to);
        if let Err(error) = &sent {
            tracing::warn!(%error, "the service manager does not listen");
        }
        sent.is_ok()
    }
}

/// A manager that does not read must not hold us up.
fn socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The address of a socket that has a name and no file.
#[cfg(target_os = "linux")]
fn without_file(name: &str) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn without_file(_name: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let size = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..size].to_vec()).unwrap()
    }

    fn of(variables: &[(&str, &str)]) -> io::Result<Service> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Service::of(&find, 42)
    }

    #[test]
    fn messages_reach_sockets_with_and_without_a_file() {
        let path = std::env::temp_dir().join(format!("stackhand-notify-{}", std::process::id()));
        let named = UnixDatagram::bind(&path).unwrap();
        let abstract_name = format!("stackhand-notify-{}", std::process::id());
        let address = without_file(&abstract_name).unwrap();
        let unnamed = UnixDatagram::bind_addr(&address).unwrap();
        for (socket, name) in [(&named, path.display().to_string()), (&unnamed, format!("@{abstract_name}"))] {
            let service = of(&[("NOTIFY_SOCKET", &name)]).unwrap();
            assert!(service.ready());
            service.status("leads\nREADY=0 since 3m");
            service.alive();
            service.stopping();
            let told: Vec<String> = (0..4).map(|_| heard(socket)).collect();
            assert_eq!(told, ["READY=1", "STATUS=leads READY=0 since 3m", "WATCHDOG=1", "STOPPING=1"]);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn nobody_listens_where_nobody_is_named() {
        let nobody = of(&[("WATCHDOG_USEC", "1000000")]).unwrap();
        assert!(!nobody.is_there() && nobody.pulse().is_none());
        assert!(nobody.ready());
        assert!(of(&[("NOTIFY_SOCKET", "vsock:2:1234")]).is_err());
        // A manager that went away is no reason to end.
        assert!(!of(&[("NOTIFY_SOCKET", "/nonexistent/notify")]).unwrap().ready());
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nobody_up() {
        let path = std::env::temp_dir().join(format!("stackhand-deaf-{}", std::process::id()));
        let deaf = UnixDatagram::bind(&path).unwrap();
        let service = of(&[("NOTIFY_SOCKET", path.to_str().unwrap())]).unwrap();
        // More than any queue holds; that it ends is what is tested.
        let heard = (0..10_000).filter(|_| service.ready()).count();
        assert!(heard < 10_000);
        assert_eq!(self::heard(&deaf), "READY=1");
        assert!(service.ready(), "there is room again");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_ours() {
        let pulse = |variables: &[(&str, &str)]| {
            let all: Vec<_> = [("NOTIFY_SOCKET", "@x")].into_iter().chain(variables.iter().copied()).collect();
            of(&all).unwrap().pulse()
        };
        assert_eq!(pulse(&[("WATCHDOG_USEC", "30000000")]), Some(Duration::from_secs(15)));
        assert_eq!(pulse(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "42")]), Some(Duration::from_secs(15)));
        assert_eq!(pulse(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "43")]), None);
        assert_eq!(pulse(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(pulse(&[("WATCHDOG_USEC", "soon")]), None);
    }
}
