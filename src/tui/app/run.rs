//! The loop: keys before events, everything queued before one frame, a frame only when something moved.

use std::io;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::sync::mpsc;

use super::{App, Wish};
use crate::ci::Timestamp;
use crate::console::event::{Intent, Stamped};
use crate::console::input::InputEvent;
use crate::tui::keys::Keymap;
use crate::tui::surface::Surface;
use crate::tui::theme::Theme;

/// Something that reaches the face from its own side of the wall.
#[derive(Debug)]
pub enum Nudge {
    Input(InputEvent),
    /// A file of the user changed and is good.
    Theme(Box<Theme>),
    Keymap(Box<Keymap>),
    Say {
        error: bool,
        text: String,
    },
    /// The session must end: the terminal is gone, or a signal said so.
    End,
}

/// How often the clock is looked at when nothing happens.
const IDLE: Duration = Duration::from_millis(250);
/// Events taken before a frame; the rest waits for the next turn, so that a flood cannot starve the keys.
const MOST: usize = 256;

/// Runs the face until the person leaves or the terminal does.
pub async fn run(
    mut app: App,
    surface: &mut dyn Surface,
    mut nudges: mpsc::Receiver<Nudge>,
    mut events: mpsc::Receiver<Stamped>,
    intents: mpsc::Sender<Intent>,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> io::Result<App> {
    let mut last_frame: Option<tokio::time::Instant> = None;
    let mut core_gone = false;
    loop {
        let mut urgent = false;
        let mut wishes = Vec::new();
        tokio::select! {
            biased;
            nudge = nudges.recv() => {
                let Some(nudge) = nudge else { return Ok(app) };
                urgent = true;
                if take(&mut app, nudge, now(), &mut wishes) {
                    return Ok(app);
                }
            }
            stamped = events.recv(), if !core_gone => match stamped {
                Some(Stamped { event, now }) => app.follow(event, now),
                None => {
                    core_gone = true;
                    app.say(true, "the core has stopped; what is shown will not change any more, quit and start again", now());
                }
            },
            () = tokio::time::sleep(IDLE) => {}
        }
        while let Ok(nudge) = nudges.try_recv() {
            urgent = true;
            if take(&mut app, nudge, now(), &mut wishes) {
                return Ok(app);
            }
        }
        for _ in 0..MOST {
            let Ok(Stamped { event, now }) = events.try_recv() else { break };
            app.follow(event, now);
        }
        for wish in wishes {
            if fulfil(&mut app, wish, surface, &intents, now()).await? {
                return Ok(app);
            }
        }
        let due = last_frame.is_none_or(|at| at.elapsed() >= surface.interval());
        if app.wants_frame(now()) && (urgent || due) {
            let size = surface.size()?;
            let mut frame = Buffer::empty(Rect::new(0, 0, size.width, size.height));
            let cursor = app.draw(now(), &mut frame);
            surface.present(&frame, cursor)?;
            last_frame = Some(tokio::time::Instant::now());
            for wish in app.needs(now()) {
                fulfil(&mut app, wish, surface, &intents, now()).await?;
            }
        }
    }
}

/// True when the session ends.
fn take(app: &mut App, nudge: Nudge, now: Timestamp, wishes: &mut Vec<Wish>) -> bool {
    match nudge {
        Nudge::Input(event) => wishes.extend(app.input(event, now)),
        Nudge::Theme(theme) => app.set_theme(*theme),
        Nudge::Keymap(keymap) => app.set_keymap(*keymap),
        Nudge::Say { error, text } => app.say(error, text, now),
        Nudge::End => return true,
    }
    false
}

/// True when the person leaves.
async fn fulfil(
    app: &mut App,
    wish: Wish,
    surface: &mut dyn Surface,
    intents: &mpsc::Sender<Intent>,
    now: Timestamp,
) -> io::Result<bool> {
    match wish {
        Wish::Intend(intent) => {
            // The core gone is said once, by the event channel; its intents have nobody to go to.
            let _ = intents.send(intent).await;
        }
        Wish::Copy { text, what } => {
            if surface.copy(&text)? {
                app.say(false, format!("copied {what}"), now);
            } else {
                app.say(true, format!("the {what} is too long for the terminal's clipboard; nothing was copied"), now);
            }
        }
        Wish::Plain(text) => {
            surface.plain(&text)?;
            surface.redraw();
        }
        Wish::Redraw => surface.redraw(),
        Wish::Repaint => surface.repaint(),
        Wish::Suspend => {
            surface.suspend()?;
            surface.redraw();
        }
        Wish::Quit => return Ok(true),
    }
    Ok(false)
}
