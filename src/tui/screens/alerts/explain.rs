//! What an alert rests on, and what keeps it quiet.

use crate::ci::{precise, short};
use crate::console::fleet::{Alarm, AlarmState};
use crate::tui::screen::Cx;
use crate::tui::screens::told::{BOX, Lines, line, title, wrapped};

/// One alert.
pub fn alarm(cx: Cx<'_>, alarm: &Alarm<'_>) -> Lines {
    let now = cx.server_now();
    let mut lines = vec![title(format!("{} {}", alarm.name(), alarm.subject()))];
    lines.push(line(alarm.words()));
    let since = short(now.since(alarm.since()));
    let hold = alarm.hold().map_or(String::new(), |hold| {
        if hold.is_zero() {
            "; it fires at once".to_owned()
        } else {
            format!("; it fires when it has held for {}", precise(hold))
        }
    });
    lines.push(line(format!("{}, {} for {since}{hold}", alarm.loudness().word(), alarm.state().word())));
    match alarm {
        Alarm::Own { finding, resolved } => {
            lines.push(line("raised by this console, from what it reads itself"));
            if !finding.is_fresh {
                let seen = short(now.since(finding.seen));
                lines.push(line(format!("what it is judged by does not answer; it was seen to hold {seen} ago")));
            }
            if let Some(at) = resolved {
                lines.push(line(format!("it ceased {} ago", short(now.since(*at)))));
            }
        }
        Alarm::Told(told) => {
            lines.push(line("held by Alertmanager"));
            for (name, value) in &told.labels {
                lines.push(line(format!("  {name} = {value}")));
            }
            for id in &told.silenced_by {
                lines.push(line(match cx.world.fleet.silence(id) {
                    Some(silence) => format!(
                        "silenced by {} for {} more: {} ({})",
                        silence.author,
                        short(silence.ends.since(now)),
                        silence.comment,
                        silence.matches,
                    ),
                    None => format!("silenced by {id}, which is not in the list of silences"),
                }));
            }
            for id in &told.inhibited_by {
                let other = cx.world.fleet.told.iter().find(|other| other.fingerprint == *id);
                lines.push(line(format!("kept quiet by {}", other.map_or(&**id, |other| &other.name))));
            }
        }
    }
    if alarm.state() == AlarmState::Firing {
        lines.push(line("RET opens the screen that explains it"));
    }
    wrapped(lines, BOX)
}
