//! What a row of the Errors screen says.

use crate::ci::{Timestamp, short};
use crate::console::failures::{ClassRow, Retries, SignatureRow, Sum};
use crate::taxonomy::judge::{Dimension, Spread};
use crate::taxonomy::{Owner, Transient};
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub const COLUMNS: &[Column] = &[
    Column::new("CLASS / SIGNATURE", Width::Grow { least: 26, weight: 3 }),
    Column::new("JOBS", Width::Fixed(5)).right(),
    Column::new("NEW", Width::Fixed(5)).right().sacrifice(3),
    Column::new("BLOCKS", Width::Fixed(6)).right(),
    Column::new("RETRY", Width::Fixed(5)).right().sacrifice(2),
    Column::new("SINCE", Width::Fixed(5)).right().sacrifice(4),
    Column::new("WHERE", Width::Grow { least: 13, weight: 1 }).cut_middle().sacrifice(1),
    Column::new("OWNER", Width::Fixed(8)).sacrifice(5),
];

/// What an empty list means.
pub fn calm(cx: Cx<'_>) -> (String, Option<(&'static str, &'static str)>) {
    match cx.world.failures.due_count() {
        0 if cx.world.pipelines.value.is_empty() => {
            ("nothing is known yet: the pipelines are being read".to_owned(), None)
        }
        0 => ("no failed job in this window".to_owned(), Some(("z h", "looks further back"))),
        due => (format!("{due} logs of failed jobs are still to be read"), None),
    }
}

/// One class.
pub fn class<'a>(cx: Cx<'a>, row: &'a ClassRow, is_unfolded: bool) -> Row<'a> {
    let (open, closed) = cx.look.glyphs.fold;
    let fold = if is_unfolded { open } else { closed };
    let new = row.signatures.iter().filter(|signature| signature.is_new() == Some(true)).count();
    let several = match (row.signatures.len(), new) {
        (0 | 1, 0) => String::new(),
        (0 | 1, _) => ", new".to_owned(),
        (all, 0) => format!(" ({all})"),
        (all, new) => format!(", {new}/{all} new"),
    };
    let name = format!("{fold} {} {}{several}", owner(row.owner), row.class);
    let history = &cx.world.history.value;
    let retries =
        history.as_ref().and_then(|history| history.retries.get(&row.class).copied()).and_then(Retries::ok_percent);
    let ack = history.as_ref().and_then(|history| history.ack(&row.class, None, cx.server_now()));
    let who = match (ack, row.transient) {
        (Some(ack), _) => format!("{} ack", ack.who),
        (None, Transient::Yes) => "retry".to_owned(),
        (None, _) => "-".to_owned(),
    };
    let since = row.sum.oldest;
    Row {
        cells: cells(cx, name, Role::TextStrong, &row.sum, retries, since, who),
        is_marked: is_marked(cx, &row.sum),
        ..Row::default()
    }
}

/// One signature inside its class.
pub fn signature<'a>(cx: Cx<'a>, class: &'a ClassRow, row: &'a SignatureRow) -> Row<'a> {
    let history = cx.world.history.value.as_ref();
    let ack = history.and_then(|history| history.ack(&class.class, row.fingerprint.as_deref(), cx.server_now()));
    let first_seen =
        history.zip(row.fingerprint.as_ref()).and_then(|(history, key)| history.first_seen.get(key).copied());
    let who = ack.map_or_else(|| "-".to_owned(), |ack| format!("{} ack", ack.who));
    let since = [first_seen, row.sum.oldest].into_iter().flatten().min();
    let new = match row.is_new() {
        Some(true) => "new ",
        Some(false) => "",
        None => "new? ",
    };
    let flaky = if row.flaky > 0 { "flaky " } else { "" };
    Row {
        cells: cells(cx, format!("    {new}{flaky}{}", row.text.trim()), Role::Text, &row.sum, None, since, who),
        is_marked: is_marked(cx, &row.sum),
        ..Row::default()
    }
}

fn cells<'a>(
    cx: Cx<'a>,
    name: String,
    role: Role,
    sum: &Sum,
    retries: Option<u8>,
    since: Option<Timestamp>,
    who: String,
) -> Vec<Cell<'a>> {
    let or = |text: Option<String>, other: &str| text.unwrap_or_else(|| other.to_owned());
    let blocks = or(sum.blocks.map(|n| if n == 0 { "-".to_owned() } else { n.to_string() }), "?");
    let new = if sum.new == 0 { "-".to_owned() } else { format!("+{}", sum.new) };
    let helped = retries.map(|percent| format!("{percent} %"));
    let helped_role = if retries.is_some_and(|percent| percent < 10) { Role::StateWarn } else { Role::Text };
    vec![
        Cell::new(name, role),
        Cell::new(sum.jobs.to_string(), Role::Text),
        Cell::new(new, if sum.new > 0 { Role::StateWarn } else { Role::TextDim }),
        Cell::new(blocks, Role::Text),
        Cell::new(or(helped, "-"), helped_role),
        Cell::new(or(since.map(|at| short(cx.server_now().since(at))), "?"), Role::TextDim),
        Cell::new(place(sum), Role::TextDim),
        Cell::new(who, Role::TextDim),
    ]
}

fn is_marked(cx: Cx<'_>, sum: &Sum) -> bool {
    !sum.live.is_empty() && sum.live.iter().all(|job| cx.marks.contains(job))
}

/// An owner in a word of one column's width.
const fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::Infrastructure => "infra   ",
        Owner::Package => "package ",
        Owner::Upstream => "upstream",
        Owner::SpackCore => "spack   ",
        Owner::Unknown => "unknown ",
    }
}

/// `uo-19 100 %`; where nothing explains most of them, the stack or how many there are.
fn place(sum: &Sum) -> String {
    match (&sum.place, sum.stacks.len(), sum.stacks.first()) {
        (Some(spread), ..) => spread_text(spread),
        (None, 1, Some(stack)) => stack.to_string(),
        (None, 0, _) => "-".to_owned(),
        (None, n, _) => format!("{n} stacks"),
    }
}

fn spread_text(spread: &Spread) -> String {
    let percent = spread.share.rate().map_or_else(String::new, |rate| format!(" {:.0} %", rate * 100.0));
    match spread.dimension {
        Dimension::Hour => format!("one hour{percent}"),
        _ => format!("{}{percent}", spread.value),
    }
}
