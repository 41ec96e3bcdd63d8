//! One attached console, from its hello to its end. Everything that it says is checked here; nothing that it says about itself is believed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::frame;
use super::hub::{Knock, Out, Parcel, Seat};
use super::words::{FromConsole, FromDaemon, PROTOCOL, VERSION, Welcome, encode};
use crate::adapters::clock::{Clock as _, SystemClock};
use crate::adapters::peer::Peer;
use crate::console::attach::Retelling;
use crate::console::effect::Focus;
use crate::console::event::{Event, Intent};
use crate::console::failures::Ack;
use crate::console::text::clean;

/// Consoles at once.
const MOST: usize = 64;
/// How long a hello, or the writing of one frame, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What sessions share.
pub struct Host {
    pub uid: u32,
    pub pid: u32,
    pub core: mpsc::Sender<Intent>,
    pub knocks: mpsc::Sender<Knock>,
    pub foci: watch::Sender<BTreeMap<u64, Focus>>,
}

/// Lets consoles in for as long as there is a hub.
pub async fn serve(listener: UnixListener, host: Host) {
    let (host, room) = (Arc::new(host), Arc::new(Semaphore::new(MOST)));
    let mut sessions = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a console could not be let in");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while sessions.try_join_next().is_some() {}
        let (host, place) = (Arc::clone(&host), Arc::clone(&room).try_acquire_owned());
        sessions.spawn(async move {
            let ended = match place {
                Ok(_place) => session(stream, &host).await,
                Err(_) => refuse(stream, format!("{MOST} consoles are attached already; close one")).await,
            };
            if let Err(error) = ended {
                tracing::info!(error = %clean(&error.to_string()), "an attached console ended");
            }
        });
    }
}

async fn refuse(mut stream: UnixStream, why: String) -> io::Result<()> {
    tracing::warn!(why = %clean(&why), "a console was refused");
    let frame = encode(&FromDaemon::Refused { why })?;
    timeout(PATIENCE, frame::write(&mut stream, &frame)).await?
}

async fn session(mut stream: UnixStream, host: &Arc<Host>) -> io::Result<()> {
    let peer = Peer::of(&stream)?;
    if !peer.is_trusted_by(host.uid) {
        return refuse(stream, format!("this daemon belongs to uid {}, and you are uid {}", host.uid, peer.uid)).await;
    }
    let hello = timeout(PATIENCE, frame::read(&mut stream, frame::FROM_CONSOLE)).await??;
    // Whoever only looks whether somebody listens says nothing.
    let Some(hello) = hello else { return Ok(()) };
    match serde_json::from_slice(&hello) {
        Ok(FromConsole::Hello { protocol, version }) if protocol == PROTOCOL && version == VERSION => {}
        Ok(FromConsole::Hello { protocol, version }) => {
            let why = format!(
                "the daemon speaks {PROTOCOL} of stackhand {VERSION}, this console {protocol} of {version}; restart the older of the two"
            );
            return refuse(stream, why).await;
        }
        _ => return refuse(stream, "a console says hello first".to_owned()).await,
    }
    let who = peer.who().await;
    let welcome = FromDaemon::Welcome(Welcome { pid: host.pid, who: Arc::clone(&who) });
    timeout(PATIENCE, frame::write(&mut stream, &encode(&welcome)?)).await??;
    let (out, parcels) = Out::new();
    let (seat, gone) = Seat::new(Arc::clone(&who), out.clone());
    if host.knocks.send(Knock::Enter(seat)).await.is_err() {
        return Ok(());
    }
    let (mut from, to) = stream.into_split();
    let mut look = Look::new(host);
    tokio::select! {
        ended = write(to, parcels, &out) => ended,
        ended = listen(&mut from, host, &who, &out, &mut look) => ended,
        _ = gone => Ok(()),
    }
}

/// What a console looks at, as long as it is there.
struct Look<'a> {
    host: &'a Host,
    id: u64,
}

impl<'a> Look<'a> {
    fn new(host: &'a Host) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let look = Self { host, id: NEXT.fetch_add(1, Ordering::Relaxed) };
        look.at(Focus::default());
        look
    }

    fn at(&self, focus: Focus) {
        self.host.foci.send_modify(|foci| {
            foci.insert(self.id, focus);
        });
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.host.foci.send_modify(|foci| {
            foci.remove(&self.id);
        });
    }
}

async fn write(mut to: OwnedWriteHalf, mut parcels: mpsc::Receiver<Parcel>, out: &Out) -> io::Result<()> {
    while let Some(parcel) = parcels.recv().await {
        match parcel {
            Parcel::Frame(frame) => {
                timeout(PATIENCE, frame::write(&mut to, &frame)).await??;
                out.written(frame.len());
            }
            Parcel::Retelling(retelling) => retell(&mut to, *retelling).await?,
        }
    }
    Ok(())
}

async fn retell(to: &mut OwnedWriteHalf, retelling: Retelling) -> io::Result<()> {
    let Retelling { ground, told } = retelling;
    let mut say = async |words: FromDaemon| -> io::Result<()> {
        // A frame may hold thousands of jobs: other sessions go on meanwhile.
        tokio::task::yield_now().await;
        timeout(PATIENCE, frame::write(to, &encode(&words)?)).await?
    };
    say(FromDaemon::Ground(Box::new(ground))).await?;
    for stamped in told {
        say(FromDaemon::Told(Box::new(stamped))).await?;
    }
    say(FromDaemon::Whole).await
}

async fn listen(
    from: &mut OwnedReadHalf,
    host: &Host,
    who: &Arc<str>,
    out: &Out,
    look: &mut Look<'_>,
) -> io::Result<()> {
    while let Some(frame) = frame::read(from, frame::FROM_CONSOLE).await? {
        let FromConsole::Intend(intent) = serde_json::from_slice(&frame)? else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a second hello"));
        };
        let now = SystemClock.now();
        let intent = match intent {
            Intent::Focus(focus) => {
                look.at(focus);
                out.tell(Event::Intended(Intent::Focus(focus)), now);
                continue;
            }
            Intent::OpenLog(job) => {
                // Its world makes room for the log before the first piece comes.
                out.tell(Event::Intended(Intent::OpenLog(job)), now);
                out.follow_log(job);
                Intent::OpenLog(job)
            }
            Intent::Confirm { plan, .. } => {
                let (answer, answered) = oneshot::channel();
                if host.knocks.send(Knock::Guard { plan: Arc::clone(&plan), answer }).await.is_err() {
                    return Ok(());
                }
                match answered.await {
                    Ok(Ok(())) => Intent::Confirm { plan, who: Arc::clone(who) },
                    Ok(Err(reason)) => {
                        let text = format!("not sent: {}: {reason}", plan.summary()).into();
                        out.tell(Event::NotTaken { plan: plan.id.clone(), text }, now);
                        continue;
                    }
                    Err(_) => return Ok(()),
                }
            }
            Intent::Undo { plan, .. } => Intent::Undo { plan, who: Arc::clone(who) },
            Intent::Acknowledge(ack) => Intent::Acknowledge(Ack { who: Arc::clone(who), ..ack }),
            // What bounds the daemon is its configuration; what a console forbids itself is its own business.
            Intent::ChangeRules(_) | Intent::Watch(_) | Intent::Hint(_) => continue,
            intent @ (Intent::ListCaches
            | Intent::Refresh(_)
            | Intent::SaveRule(_)
            | Intent::ReadRules
            | Intent::SwitchLoop(_)
            | Intent::ReadLogPage { .. }) => intent,
        };
        if host.core.send(intent).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
