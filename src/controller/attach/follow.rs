//! The console's side: finds the daemon, follows it, and finds it again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::frame;
use super::words::{FromConsole, FromDaemon, PROTOCOL, VERSION, Welcome, encode};
use crate::adapters::clock::Clock;
use crate::ci::JobId;
use crate::console::actions::Rules;
use crate::console::attach::{Attachment, Ground, Retelling};
use crate::console::effect::Focus;
use crate::console::event::{Event, Intent, Stamped};
use crate::console::text::clean;
use crate::controller::Link;

/// Room for bursts between the socket and the face.
const CHANNEL: usize = 256;
/// How long a daemon may take to greet, and to send each frame of its retelling.
const GREETING: Duration = Duration::from_secs(10);
/// The core ticks five times a second: a daemon that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(15);
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MOST: Duration = Duration::from_secs(5);

/// Why a daemon cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no socket, or nobody listens on it.
    #[error("nobody listens")]
    Absent,
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Broken(#[from] io::Error),
}

/// What this console forbids itself, whatever the daemon may do.
#[derive(Debug, Clone, Default)]
pub struct Own {
    pub read_only: Option<String>,
    pub dry_run: bool,
}

/// A console that is attached.
pub struct Attached {
    pub link: Link,
    /// As whom it acts.
    pub who: Arc<str>,
    pub pid: u32,
    task: JoinHandle<()>,
}

impl Attached {
    /// The two channels, and what ends with them.
    pub fn split(self) -> (Link, Leave) {
        (self.link, Leave(self.task))
    }
}

/// Leaves the daemon when it is dropped.
pub struct Leave(JoinHandle<()>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Attaches to the first of these sockets behind which a daemon listens.
pub async fn attach(sockets: &[PathBuf], own: Own, clock: Arc<dyn Clock>) -> Result<Attached, AttachError> {
    let mut wire = find(sockets).await?;
    let told = wire.retelling().await?;
    let (pid, who) = (wire.welcome.pid, Arc::clone(&wire.welcome.who));
    let (events, for_face) = mpsc::channel(CHANNEL);
    let (intents, intended) = mpsc::channel(CHANNEL);
    let console = Console { sockets: sockets.to_vec(), own, clock, events, intents: intended, focus: None, log: None };
    let task = tokio::spawn(console.run(wire, told));
    Ok(Attached { link: Link { events: for_face, intents }, who, pid, task })
}

/// A greeted daemon.
struct Wire {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    welcome: Welcome,
}

async fn find(sockets: &[PathBuf]) -> Result<Wire, AttachError> {
    let mut worst = AttachError::Absent;
    for socket in sockets {
        match greet(socket).await {
            Ok(wire) => return Ok(wire),
            Err(AttachError::Absent) => {}
            Err(error) => worst = error,
        }
    }
    Err(worst)
}

async fn greet(socket: &Path) -> Result<Wire, AttachError> {
    let stream = match timeout(GREETING, UnixStream::connect(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(AttachError::Absent);
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    };
    let (mut from, mut to) = stream.into_split();
    let hello = FromConsole::Hello { protocol: PROTOCOL.to_owned(), version: VERSION.to_owned() };
    // A daemon that refuses may have closed already; what it said is read all the same.
    let said = frame::write(&mut to, &encode(&hello).map_err(io::Error::from)?).await;
    match read(&mut from, GREETING).await {
        Ok(FromDaemon::Welcome(welcome)) => {
            said?;
            Ok(Wire { from, to, welcome })
        }
        Ok(FromDaemon::Refused { why }) => Err(AttachError::Refused(clean(&why).into_owned())),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the daemon does not greet").into()),
        Err(error) => Err(error.into()),
    }
}

async fn read(from: &mut OwnedReadHalf, patience: Duration) -> io::Result<FromDaemon> {
    let frame = timeout(patience, frame::read(from, frame::FROM_DAEMON)).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("it says nothing for {} s", patience.as_secs()))
    })??;
    let Some(frame) = frame else { return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the socket")) };
    serde_json::from_slice(&frame).map_err(|error| {
        let message = format!("what it says cannot be read: {error}; start daemon and console from one program");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

impl Wire {
    async fn retelling(&mut self) -> io::Result<Retelling> {
        let mut ground: Option<Box<Ground>> = None;
        let mut told = Vec::new();
        loop {
            match read(&mut self.from, GREETING).await? {
                FromDaemon::Ground(new) => ground = Some(new),
                FromDaemon::Told(stamped) => told.push(*stamped),
                FromDaemon::Whole => break,
                FromDaemon::Refused { why } => return Err(io::Error::other(clean(&why).into_owned())),
                FromDaemon::Welcome(_) => {}
            }
        }
        let ground = ground.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it stands on nothing"))?;
        Ok(Retelling { ground: *ground, told })
    }
}

/// Why following ended.
enum End {
    Lost(io::Error),
    /// The face left.
    Left,
}

struct Console {
    sockets: Vec<PathBuf>,
    own: Own,
    clock: Arc<dyn Clock>,
    events: mpsc::Sender<Stamped>,
    intents: mpsc::Receiver<Intent>,
    /// What is looked at, to be said again to the next daemon.
    focus: Option<Focus>,
    /// The log that is open.
    log: Option<JobId>,
}

impl Console {
    async fn run(mut self, mut wire: Wire, mut told: Retelling) {
        loop {
            let heard = Attachment { pid: wire.welcome.pid, who: Arc::clone(&wire.welcome.who), lost: None };
            let lost = match self.follow(&mut wire, told, &heard).await {
                End::Left => return,
                End::Lost(error) => error,
            };
            let since = self.clock.now();
            let mut why = lost.to_string();
            let mut wait = BACKOFF_FIRST;
            (wire, told) = loop {
                let lost = Some((since, clean(&why).as_ref().into()));
                if !self.tell(Event::Attached(Arc::new(Attachment { lost, ..heard.clone() }))).await {
                    return;
                }
                if !self.idle(wait).await {
                    return;
                }
                match self.again().await {
                    Ok(found) => break found,
                    Err(AttachError::Absent) => {}
                    Err(error) => why = error.to_string(),
                }
                wait = (wait * 2).min(BACKOFF_MOST);
            };
        }
    }

    async fn again(&self) -> Result<(Wire, Retelling), AttachError> {
        let mut wire = find(&self.sockets).await?;
        let told = wire.retelling().await?;
        Ok((wire, told))
    }

    /// Tells the face; false when it left.
    async fn tell(&self, event: Event) -> bool {
        self.events.send(Stamped { event, now: self.clock.now() }).await.is_ok()
    }

    async fn follow(&mut self, wire: &mut Wire, mut told: Retelling, heard: &Attachment) -> End {
        told.ground.rules = self.bounded(&told.ground.rules);
        // The world first, so that being heard again is said about the new one.
        if !self.tell(Event::Retold(Arc::new(told))).await || !self.tell(Event::Attached(Arc::new(heard.clone()))).await
        {
            return End::Left;
        }
        let again = self.focus.map(Intent::Focus).into_iter().chain(self.log.map(Intent::OpenLog));
        for intent in again {
            if let Err(error) = say(&mut wire.to, intent).await {
                return End::Lost(error);
            }
        }
        // A frame is read by a task of its own: to give up reading one in the middle would lose its beginning.
        let Wire { from, to, .. } = wire;
        let (frames, mut read_ahead) = mpsc::channel(1);
        let reading = async {
            loop {
                let words = read(from, SILENCE).await;
                let is_over = words.is_err();
                if frames.send(words).await.is_err() || is_over {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::pin!(reading);
        loop {
            tokio::select! {
                biased;
                intent = self.intents.recv() => {
                    let Some(intent) = intent else { return End::Left };
                    match self.take(intent).await {
                        Some(intent) => if let Err(error) = say(to, intent).await { return End::Lost(error) },
                        None if self.events.is_closed() => return End::Left,
                        None => {}
                    }
                }
                Some(words) = read_ahead.recv() => match words {
                    Ok(FromDaemon::Told(stamped)) => if self.events.send(*stamped).await.is_err() { return End::Left },
                    Ok(FromDaemon::Refused { why }) => return End::Lost(io::Error::other(clean(&why).into_owned())),
                    Ok(_) => return End::Lost(io::Error::new(io::ErrorKind::InvalidData, "it greets twice")),
                    Err(error) => return End::Lost(error),
                },
                () = &mut reading => {}
            }
        }
    }

    /// The daemon's rules, and what this console forbids itself.
    fn bounded(&self, rules: &Rules) -> Arc<Rules> {
        Arc::new(Rules {
            read_only: self.own.read_only.clone().or_else(|| rules.read_only.clone()),
            dry_run: self.own.dry_run || rules.dry_run,
            ..rules.clone()
        })
    }

    /// Keeps what is this console's own; the rest is for the daemon.
    async fn take(&mut self, intent: Intent) -> Option<Intent> {
        match intent {
            Intent::Focus(focus) => self.focus = Some(focus),
            Intent::OpenLog(job) => self.log = Some(job),
            Intent::ChangeRules(rules) => {
                self.own = Own { read_only: rules.read_only.clone(), dry_run: rules.dry_run };
                self.tell(Event::Intended(Intent::ChangeRules(rules))).await;
                return None;
            }
            Intent::Confirm { plan, .. } if self.own.dry_run || self.own.read_only.is_some() => {
                let reason = self.own.read_only.clone().unwrap_or_else(|| "dry run: nothing was sent".to_owned());
                let text = format!("not sent: {}: {reason}", plan.summary()).into();
                self.tell(Event::NotTaken { plan: plan.id.clone(), text }).await;
                return None;
            }
            _ => {}
        }
        Some(intent)
    }

    /// Waits, and answers meanwhile what only a daemon could do; false when the face left.
    async fn idle(&mut self, length: Duration) -> bool {
        let until = Instant::now() + length;
        loop {
            tokio::select! {
                () = sleep_until(until) => return !self.events.is_closed(),
                intent = self.intents.recv() => {
                    let Some(intent) = intent else { return false };
                    let Some(intent) = self.take(intent).await else { continue };
                    if !self.tell(unheard(intent)).await {
                        return false;
                    }
                }
            }
        }
    }
}

/// What comes of an intent that nobody hears.
fn unheard(intent: Intent) -> Event {
    match intent {
        Intent::Confirm { plan, .. } => {
            let text = format!("not sent: {}: the daemon is not heard", plan.summary()).into();
            Event::NotTaken { plan: plan.id.clone(), text }
        }
        // Said again to the next daemon.
        intent @ (Intent::Focus(_) | Intent::OpenLog(_)) => Event::Intended(intent),
        _ => Event::Said { error: true, text: "not done: the daemon is not heard".into() },
    }
}

async fn say(to: &mut OwnedWriteHalf, intent: Intent) -> io::Result<()> {
    let frame = encode(&FromConsole::Intend(intent))?;
    timeout(GREETING, frame::write(to, &frame)).await?
}
