//! The terminal as the console owns it from start to end: entered once, left on every way out, drawn on through the frame writer, stopped and
//! brought back by the shell. `cli` opens one and lends it to the screen.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::EventStream;
use futures_util::StreamExt;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Size};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::frame::{Clock, FrameStats, FrameWriter};
use super::input::Assembler;
use super::modes::{Modes, Tty};
use super::osc::{self, Multiplexer};
use crate::console::input::InputEvent;

/// Keys that may wait while a frame is drawn; more wait in the kernel.
const INPUT_QUEUE: usize = 256;

/// What the configuration says about the terminal.
pub struct Options {
    pub mouse: bool,
    /// How long a lone Esc waits for the rest of a sequence.
    pub esc_timeout: Duration,
    /// Whether to ask for the background colour, if the terminal is one that answers.
    pub ask_background: bool,
    pub clock: Clock,
}

/// The controlling terminal, written to without a buffer in between.
#[derive(Clone)]
struct Device(Arc<File>);

impl Tty for Device {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self.0).write_all(bytes)
    }

    fn set_raw(&self, raw: bool) -> io::Result<()> {
        if raw { crossterm::terminal::enable_raw_mode() } else { crossterm::terminal::disable_raw_mode() }
    }
}

impl Write for Device {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An entered terminal. Dropping it leaves every mode.
pub struct Terminal {
    modes: Arc<Modes<Device>>,
    frames: FrameWriter<Device>,
    multiplexer: Multiplexer,
    clock: Clock,
    esc_timeout: Duration,
    asked_at: Option<Duration>,
}

impl Terminal {
    /// Enters the terminal on standard output, which `env` describes. On an error it is as it was before.
    pub fn open(options: Options, env: &dyn Fn(&str) -> Option<String>) -> io::Result<Self> {
        // The theme has already decided about colours, with `NO_COLOR` in mind; a second opinion below would garble attributes.
        crossterm::style::force_color_output(true);
        let device = Device(Arc::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)));
        let modes = Arc::new(Modes::new(device.clone(), options.mouse));
        modes.enter()?;
        let mut terminal = Self {
            modes,
            frames: FrameWriter::new(device, Arc::clone(&options.clock)),
            multiplexer: Multiplexer::detect(env),
            clock: options.clock,
            esc_timeout: options.esc_timeout,
            asked_at: None,
        };
        if options.ask_background && osc::may_ask(env) {
            terminal.frames.pass(osc::ASK_BACKGROUND)?;
            terminal.asked_at = Some((terminal.clock)());
        }
        Ok(terminal)
    }

    /// Makes a panic of the calling thread log itself, leave the terminal, and only then print its report. Panics of other threads are
    /// logged and do not touch the screen: whoever supervises those threads decides what becomes of them.
    pub fn restore_on_panic(&self) {
        let modes = Arc::downgrade(&self.modes);
        let drawing = std::thread::current().id();
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            tracing::error!(panic = %info, "a thread panicked");
            let is_drawing = std::thread::current().id() == drawing;
            match modes.upgrade() {
                Some(modes) if is_drawing => {
                    modes.leave();
                    report(info);
                }
                Some(_) => {}
                None => report(info),
            }
        }));
    }

    /// Starts to read keys. Must be called inside the runtime, once.
    pub fn listen(&self) -> Input {
        let mut assembler = Assembler::new(self.esc_timeout);
        if let Some(asked) = self.asked_at {
            assembler.asked(asked);
        }
        let (events_in, events) = mpsc::channel(INPUT_QUEUE);
        let (listening, is_listening) = watch::channel(true);
        tokio::spawn(read_input(assembler, Arc::clone(&self.clock), events_in, is_listening));
        Input { events, listening }
    }

    /// Columns and rows, as the terminal says now.
    pub fn size(&self) -> io::Result<Size> {
        let (width, height) = crossterm::terminal::size()?;
        Ok(Size { width, height })
    }

    /// Shows a frame; see [`FrameWriter::present`].
    pub fn present(&mut self, frame: &Buffer, cursor: Option<Position>) -> io::Result<usize> {
        self.frames.present(frame, cursor)
    }

    /// Makes the next frame paint the whole screen.
    pub fn redraw(&mut self) {
        self.frames.forget();
    }

    /// Makes the next frame paint over everything, without a clear that would flash.
    pub fn repaint(&mut self) {
        self.frames.distrust();
    }

    /// How long to wait between two frames that no key asked for.
    pub fn interval(&self) -> Duration {
        self.frames.interval()
    }

    pub fn stats(&self) -> FrameStats {
        self.frames.stats()
    }

    /// Asks the terminal to put text on its owner's clipboard. `false` when it is too long for terminals to take.
    pub fn copy(&mut self, text: &str) -> io::Result<bool> {
        match osc::copy(text, self.multiplexer) {
            None => Ok(false),
            Some(bytes) => self.frames.pass(&bytes).map(|()| true),
        }
    }

    /// Gives the terminal back for as long as `others` runs, as for a pager, then takes it again; the next frame is painted whole.
    pub fn lend<R>(&mut self, others: impl FnOnce() -> R) -> io::Result<R> {
        self.modes.leave();
        let result = others();
        self.modes.enter()?;
        self.frames.forget();
        Ok(result)
    }

    /// Stops this process group as the shell's job control expects, and returns when the shell has brought it back. Where no shell could
    /// bring it back, the kernel does not stop it and this returns at once.
    pub fn suspend(&mut self) -> io::Result<()> {
        // The helper belongs to the same group and stops with us, so it ends only after both were continued.
        let stopped = self.lend(|| std::process::Command::new("sh").args(["-c", "kill -TSTP 0"]).status())?;
        stopped.map(|_| ())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.modes.leave();
    }
}

/// What the terminal sends, in order.
pub struct Input {
    pub events: mpsc::Receiver<InputEvent>,
    listening: watch::Sender<bool>,
}

impl Input {
    /// Stops or goes on reading, so that a pager can have the keys.
    pub fn set_listening(&self, listening: bool) {
        self.listening.send_replace(listening);
    }
}

async fn read_input(
    mut assembler: Assembler,
    clock: Clock,
    events_in: mpsc::Sender<InputEvent>,
    mut is_listening: watch::Receiver<bool>,
) {
    let mut stream = Some(EventStream::new());
    let mut out = Vec::new();
    loop {
        let wait = assembler.deadline().map(|deadline| deadline.saturating_sub(clock()));
        let next = async {
            match &mut stream {
                Some(stream) => stream.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = next => match event {
                Some(Ok(event)) => assembler.take(event, clock(), &mut out),
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Err(error)) => {
                    tracing::error!(%error, "the terminal cannot be read");
                    out.push(InputEvent::Closed);
                }
                None => out.push(InputEvent::Closed),
            },
            () = sleep_for(wait) => assembler.tick(clock(), &mut out),
            changed = is_listening.changed() => {
                if changed.is_err() {
                    return;
                }
                stream = is_listening.borrow_and_update().then(EventStream::new);
            }
        }
        for event in out.drain(..) {
            let is_closed = event == InputEvent::Closed;
            if events_in.send(event).await.is_err() || is_closed {
                return;
            }
        }
    }
}

async fn sleep_for(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Why the operating system wants the session to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Terminated,
    /// The terminal is gone.
    HungUp,
    Interrupted,
}

/// Waits until the operating system wants the session to end. The caller drops its [`Terminal`] then, which leaves every mode.
pub async fn ending() -> io::Result<Ending> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => Ending::Terminated,
        _ = hangup.recv() => Ending::HungUp,
        _ = interrupt.recv() => Ending::Interrupted,
    })
}
