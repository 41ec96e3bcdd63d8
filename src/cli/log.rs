//! `stackhand log`: a job's log as plain lines, each made harmless by the log's own row model; `--raw` gives the bytes as GitLab has them.

use super::args::job_id;
use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::find::Finder;
use super::out::{self, Out};
use super::session::{Replica, Session, Turn};
use crate::ci::JobId;
use crate::console::effect::{Fetch, Focus};
use crate::console::event::{Event, Intent};
use crate::console::fault::FaultKind;
use crate::console::log::{LogState, PageNo};

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The job's id, or the address of its page.
    #[arg(value_parser = job_id)]
    job: JobId,
    /// Goes on until the job ends; without a token nobody can ask whether it has, and it goes on until it is interrupted.
    #[arg(long, short = 'f')]
    follow: bool,
    /// Writes the bytes as they are, with escapes, sections and stamps.
    #[arg(long)]
    raw: bool,
}

/// Prints a log.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<(), Failure> {
    let job = ask.job;
    // Only when following does it matter whether the job still runs, and only a token may ask.
    let seeds = if ask.follow && setup.outside.gitlab.has_token() {
        let finder = Finder { gitlab: &setup.outside.gitlab, clock: &*setup.clock };
        finder.jobs(&[job]).await.map_err(|fault| Failure::remote(&fault, setup.clock.now()))?
    } else {
        Vec::new()
    };
    let mut session = Session::open_on(setup, &seeds)?;
    let pipeline = session.replica.world.job(job).map(|job| job.pipeline);
    session.tell(Intent::OpenLog(job)).await?;
    session.focus(Focus { pipeline, log: Some(job), ..Focus::default() }).await?;
    let mut stream = Stream { job, out: setup.out, raw: ask.raw, printed: 0, written: 0 };
    let ended = follow(&mut session, &mut stream, ask.follow).await;
    session.close().await;
    ended
}

async fn follow(session: &mut Session, stream: &mut Stream, forever: bool) -> Result<(), Failure> {
    let mut is_read = false;
    let mut asked_again = false;
    let mut own_resets = 1_u32;
    loop {
        let stamped = match session.next(None).await? {
            Turn::Event(stamped) => *stamped,
            Turn::Stopped if forever => return Ok(()),
            Turn::Stopped | Turn::Late => return Err(Failure::interrupted()),
        };
        match &stamped.event {
            Event::LogFed { job, offset, bytes } if *job == stream.job => stream.write_raw(*offset, bytes)?,
            Event::LogReset { job } if *job == stream.job => {
                // Opening a log begins it anew; any other time its text changed under us.
                match own_resets.checked_sub(1) {
                    Some(left) => own_resets = left,
                    None => stream.out.note("the log changed on the server; what was printed may differ from it"),
                }
            }
            Event::Fetched { fetch: Fetch::Log(job), result, .. } if *job == stream.job => match result {
                Ok(()) => is_read = true,
                Err(fault) if fault.is_transient() && forever && is_read => {
                    stream.out.note(&format!("{fault}; trying again"));
                }
                Err(fault) if fault.kind == FaultKind::NotFound && is_read => return Ok(()),
                Err(fault) => return Err(Failure::remote(fault, stamped.now)),
            },
            _ => {}
        }
        session.replica.take(stamped);
        let job_is_over = session.replica.world.job(stream.job).is_some_and(|job| job.status.is_terminal());
        if is_read && job_is_over && !asked_again {
            // What it wrote between the last read and its end.
            asked_again = true;
            own_resets += 1;
            session.tell(Intent::OpenLog(stream.job)).await?;
        }
        let has_ended = is_read && (!forever || is_over(&session.replica, stream.job));
        let pages = stream.print(&session.replica, has_ended)?;
        for page in &pages {
            session.tell(Intent::ReadLogPage { job: stream.job, page: *page }).await?;
        }
        if has_ended && pages.is_empty() {
            return stream.finish(&session.replica);
        }
    }
}

/// Whether nothing more will come: the whole log of a job that is over has been read.
fn is_over(replica: &Replica, job: JobId) -> bool {
    replica.world.log(job).is_some_and(|log| matches!(log.doc.state(), LogState::Complete))
}

/// The log, as far as it was printed.
struct Stream {
    job: JobId,
    out: Out,
    raw: bool,
    /// The first line that was not printed.
    printed: u64,
    /// The first byte that was not written.
    written: u64,
}

impl Stream {
    /// Writes what is new of some bytes.
    fn write_raw(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let known = usize::try_from(self.written.saturating_sub(offset)).unwrap_or(usize::MAX);
        match bytes.get(known..) {
            Some(new) if self.raw => {
                self.written = offset + bytes.len() as u64;
                out::raw(new)
            }
            _ => Ok(()),
        }
    }

    /// Prints whole lines, and the unfinished last one at the end. Returns the pages that must be read back first.
    fn print(&mut self, replica: &Replica, at_end: bool) -> Result<Vec<PageNo>, Failure> {
        let Some(log) = replica.world.log(self.job).filter(|_| !self.raw) else { return Ok(Vec::new()) };
        let end = if at_end { log.doc.lines() } else { log.doc.lines().saturating_sub(1) };
        while self.printed < end {
            let rows = log.doc.rows(self.printed..end.min(self.printed + AT_ONCE));
            let mut text = String::new();
            for row in rows.rows.iter().take_while(|row| !row.loading) {
                text.push_str(&row.text());
                text.push('\n');
                self.printed = row.line + 1;
            }
            self.out.text(&text)?;
            if !rows.missing.is_empty() {
                return Ok(rows.missing);
            }
        }
        Ok(Vec::new())
    }

    fn finish(&self, replica: &Replica) -> Result<(), Failure> {
        let log = replica.world.log(self.job);
        if log.is_some_and(|log| log.doc.total() > 0) {
            return Ok(());
        }
        Err(Failure::new(Exit::Refused, format!("job {} has no log yet; wait for it with --follow", self.job)))
    }
}

/// Lines that are drawn at once.
const AT_ONCE: u64 = 1_000;
