//! The Loops screen over an invented night: what runs by itself, in every state.

use std::sync::Arc;
use std::time::Duration;

use super::night::Night;
use crate::console::attach::Attachment;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::console::loops::{Controller, LoopState, Role, Round};
use crate::tui::glyphs::Glyphs;
use crate::tui::testing::snapshot;
use crate::tui::theme::{Depth, Theme};

fn controller(night: &Night, role: Role) -> Event {
    let since = night.now.shifted(-9 * 86_400_000);
    Event::ControllerTold(Arc::new(Controller { host: "bastion-2".into(), pid: 4_711, since, role }))
}

/// A loop with these rounds, the last of which ended a while ago: `Ok` with a summary, or a fault.
fn told(night: &Night, name: &str, ago: i64, rounds: &[Result<&str, &str>]) -> LoopState {
    let period = Duration::from_secs(30);
    let mut state = LoopState::new(name, Some(period), false, night.now.shifted(-600_000));
    for (nth, result) in rounds.iter().rev().enumerate() {
        let at = night.now.shifted(-(ago + 30 * (rounds.len() - 1 - nth) as i64) * 1_000 - 2_200);
        let result = result.map(Into::into).map_err(|why| Fault::new(FaultKind::Forbidden, "push", why));
        let round =
            Round { at, took: Duration::from_millis(2_200), result, counts: vec![("pushed".into(), nth as u64)] };
        let next = at.plus(period);
        state.began(at);
        state.ended(round, Some(next));
    }
    state
}

fn busy() -> Night {
    let mut night = Night::busy();
    let events = [controller(&night, Role::Leader)]
        .into_iter()
        .chain(
            [
                told(&night, "bridge", 18, &[Ok("3 heads pushed, 2 statuses posted"), Ok("nothing new")]),
                told(&night, "index", 70, &[Err("403 \u{1b}[2J forbidden"), Err("403 forbidden"), Ok("1 index")]),
                {
                    let mut state = told(&night, "prune", 90, &[Ok("12 roots would go")]);
                    state.is_dry_run = true;
                    state
                },
            ]
            .map(|state| Event::LoopTold(Arc::new(state))),
        )
        .collect::<Vec<_>>();
    for event in events {
        night.tell(event);
    }
    night
}

#[test]
fn the_loops_in_every_state() {
    let mut standing_by = Night::empty();
    let behind = "pid 7 on bastion-1 since 2026-03-14T03:00:00.000Z".into();
    standing_by.tell(controller(&standing_by, Role::StandingBy { behind }));
    let mut state = told(&standing_by, "bridge", 18, &[Ok("nothing new")]);
    state.stands_by(standing_by.now);
    standing_by.tell(Event::LoopTold(Arc::new(state)));
    let mut died = busy();
    let mut state = told(&died, "bridge", 400, &[Ok("nothing new")]);
    state.died("its driver broke: index out of bounds; report this as a bug", died.now);
    died.tell(Event::LoopTold(Arc::new(state)));
    let cases = vec![
        ("normal", busy()),
        ("console", Night::busy()),
        ("standing-by", standing_by),
        ("died", died),
        ("unknown", Night::unknown()),
    ];
    for (case, mut night) in cases {
        night.press("0");
        snapshot(&format!("loops-{case}-100x30"), &night.draw(100, 30));
        snapshot(&format!("loops-{case}-80x24"), &night.draw(80, 24));
        if case == "normal" {
            night.app.set_theme(Theme::distinct(Depth::Mono));
            snapshot("loops-normal-100x30-mono", &night.draw(100, 30));
            night.app.setup.glyphs = Glyphs::ASCII;
            night.draw(90, 30);
            snapshot("loops-normal-100x30-mono-ascii", &night.draw(100, 30));
        }
    }
}

#[test]
fn the_rounds_of_a_loop_are_one_key_away() {
    let mut night = busy();
    night.press("0 ⏎");
    snapshot("loops-rounds-100x30", &night.draw(100, 30));
    night.press("j");
    snapshot("loops-rounds-next-80x24", &night.draw(80, 24));
    night.press("Esc");
    snapshot("loops-rounds-closed-80x24", &night.draw(80, 24));
}

#[test]
fn a_loop_is_started_and_stopped_by_a_command_that_is_written_out() {
    let mut night = busy();
    night.press("0");
    // What runs is stopped, and what does not is started; Enter is the person's.
    let line = |night: &mut Night| night.text(100, 30);
    night.press("X");
    assert!(line(&mut night).contains(":loops run index"), "{}", line(&mut night));
    night.press("Esc o");
    assert!(line(&mut night).contains(":loops stop index"));
    assert!(night.press("⏎").iter().any(|wish| format!("{wish:?}").contains("Stop")));
    let mut idle = Night::busy();
    idle.app.world.loops.left_out.insert("bridge".into(), "not started here".into());
    idle.press("0 g g o");
    assert!(line(&mut idle).contains(":loops start bridge"), "{}", line(&mut idle));
    idle.press("Esc C");
    assert!(line(&mut idle).contains(":loops start all"));
    assert_eq!(idle.press("⏎").iter().filter(|wish| format!("{wish:?}").contains("Start")).count(), 1);
    idle.press("G o");
    assert!(line(&mut idle).contains("nothing starts or stops it"), "{}", line(&mut idle));
}

#[test]
fn the_loops_of_a_daemon_are_only_told_to_begin_a_round() {
    let mut night = busy();
    night.app.world.attachment = Some(Arc::new(Attachment { pid: 4_711, who: "amy@bastion-2".into(), lost: None }));
    night.press("0");
    let bottom = |night: &mut Night| night.text(100, 30);
    assert!(bottom(&mut night).contains("X run now…") && !bottom(&mut night).contains("start / stop"));
    for keys in ["o", "C"] {
        assert!(night.press(keys).is_empty());
        assert!(bottom(&mut night).contains("a daemon runs the loops that"), "{}", bottom(&mut night));
    }
    night.press("X");
    assert!(night.press("⏎").iter().any(|wish| format!("{wish:?}").contains("Now")));
}
