//! What is wrong with a root: findings by kind, the worst first; each kind unfolds to its places and says what to do.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::words::severity;
use crate::cache::{Finding, FindingKind};
use crate::console::caches::{Inside, SpecId};
use crate::console::filter::{Field, Subject, Value};
use crate::console::registry::ActionId;
use crate::console::text::count;
use crate::spack::Hash;
use crate::tui::list::List;
use crate::tui::screen::Cx;
use crate::tui::screens::filtered::{Filtered, Order};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Pen, Row, Table, Width, empty};

const COLUMNS: &[Column] = &[
    Column::new("", Width::Fixed(9)),
    Column::new("FINDING", Width::Grow { least: 24, weight: 2 }),
    Column::new("COUNT", Width::Fixed(8)).right().sacrifice(1),
    Column::new("WHERE", Width::Grow { least: 16, weight: 3 }),
];

/// First places that the row of a kind tells.
const PLACES: usize = 3;

/// What the cursor can be on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Kind(FindingKind),
    One(Finding),
}

/// What the kinds are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Severity,
    Count,
}

impl Order for Sort {
    const ALL: &'static [Self] = &[Self::Severity, Self::Count];

    fn word(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Count => "count",
        }
    }
}

/// The list of findings.
#[derive(Debug, Default)]
pub struct Findings {
    pub filtered: Filtered<Sort>,
    pub list: List<Place>,
    unfolded: BTreeSet<FindingKind>,
    /// Findings by kind, as places in the list of all.
    kinds: Vec<(FindingKind, Vec<usize>)>,
    folds: u64,
    worked_out: Option<(u64, u64)>,
}

impl Findings {
    /// Brings the rows in line with what was read, `is_new` when that changed.
    pub fn settle(&mut self, cx: Cx<'_>, inside: &Inside, is_new: bool, rows: Rect) {
        let now = (self.filtered.changes(), self.folds);
        if !is_new && self.worked_out == Some(now) {
            self.list.resettle(rows, cx.now);
            return;
        }
        let all = &inside.health.findings;
        let filter = self.filtered.filter();
        let passes =
            |finding: &Finding| filter.is_empty() || filter.matches(&subject(inside, finding), cx.server_now());
        self.kinds.clear();
        for (nth, finding) in all.iter().enumerate().filter(|(_, finding)| passes(finding)) {
            match self.kinds.last_mut() {
                Some((kind, found)) if *kind == finding.kind => found.push(nth),
                _ => self.kinds.push((finding.kind, vec![nth])),
            }
        }
        match self.filtered.sort {
            Sort::Severity => self.kinds.sort_by_key(|(kind, _)| (kind.severity(), *kind)),
            Sort::Count => self.kinds.sort_by_key(|(kind, found)| (Reverse(found.len()), *kind)),
        }
        if self.filtered.is_reversed {
            self.kinds.reverse();
        }
        let mut ids = Vec::new();
        for (kind, found) in &self.kinds {
            ids.push(Place::Kind(*kind));
            if self.unfolded.contains(kind) {
                ids.extend(found.iter().filter_map(|nth| all.get(*nth)).cloned().map(Place::One));
            }
        }
        self.list.settle(ids, rows, cx.now);
        self.worked_out = Some(now);
    }

    /// Draws the rows.
    pub fn draw(&self, cx: Cx<'_>, inside: &Inside, area: Rect, pen: &mut Pen<'_>, is_dim: bool) {
        if self.list.ids().is_empty() {
            if self.filtered.text().is_empty() {
                let why = if inside.health.is_whole {
                    "nothing is wrong here: everything was read"
                } else {
                    "nothing was found, but not everything could be read"
                };
                empty(pen, area, why, Some(("Tab", "shows the specs")));
            } else {
                let why = format!("no finding passes `{}`", self.filtered.text());
                empty(pen, area, &why, Some(("Esc", "clears the filter")));
            }
            return;
        }
        let table = Table {
            columns: COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim,
        };
        let rows = self.list.visible().iter().map(|place| match place {
            Place::Kind(kind) => self.kind_row(cx, inside, *kind),
            Place::One(finding) => one_row(inside, finding),
        });
        table.draw(pen, area, rows);
    }

    fn kind_row<'a>(&self, cx: Cx<'a>, inside: &'a Inside, kind: FindingKind) -> Row<'a> {
        let found = self.kinds.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, found)| found);
        let (open, closed) = cx.look.glyphs.fold;
        let fold = if self.unfolded.contains(&kind) { open } else { closed };
        let (glyph, role) = severity(cx, Some(kind.severity()));
        let first = found.iter().take(PLACES).filter_map(|nth| inside.health.findings.get(*nth));
        let mut places: Vec<Cow<'_, str>> = first.map(|finding| place(inside, finding)).collect();
        if found.len() > PLACES {
            places.push(format!("+{}", count((found.len() - PLACES) as u64)).into());
        }
        Row {
            cells: vec![
                Cell::new(format!("{glyph} {}", kind.severity().word()), role),
                Cell::new(format!("{fold} {}", kind.word()), Role::TextStrong),
                Cell::new(count(found.len() as u64), Role::Text),
                Cell::new(places.join(", "), Role::TextDim),
            ],
            ..Row::default()
        }
    }

    /// What the line below the rows says: what to do about the row under the cursor.
    pub fn remedy(&self) -> Option<String> {
        let (Place::Kind(kind) | Place::One(Finding { kind, .. })) = self.list.id()?;
        Some(format!("do: {}", kind.remedy()))
    }

    /// Folds or unfolds the kind under the cursor; without `open`, the other way round. False when that changes nothing here.
    pub fn fold(&mut self, open: Option<bool>) -> bool {
        let Some(place) = self.list.id().cloned() else { return false };
        let (Place::Kind(kind) | Place::One(Finding { kind, .. })) = &place;
        let open = open.unwrap_or(!self.unfolded.contains(kind));
        let has_changed = match (&place, open) {
            (Place::One(_), true) => false,
            (_, true) => self.unfolded.insert(*kind),
            (_, false) => {
                let had = self.unfolded.remove(kind);
                if had {
                    self.list.choose(Place::Kind(*kind));
                }
                had
            }
        };
        self.folds += u64::from(has_changed);
        has_changed
    }

    /// Turns the fold of the kind under the cursor; false when it is on a finding.
    pub fn fold_kind(&mut self) -> bool {
        matches!(self.list.id(), Some(Place::Kind(_))) && self.fold(None)
    }

    /// Whether going left folds something.
    pub fn is_open(&self) -> bool {
        match self.list.id() {
            Some(Place::Kind(kind)) => self.unfolded.contains(kind),
            Some(Place::One(_)) => true,
            None => false,
        }
    }

    /// The spec that the row under the cursor is about.
    pub fn spec(&self, inside: &Inside) -> Option<SpecId> {
        match self.list.id()? {
            Place::One(finding) => spec_of(inside, finding),
            Place::Kind(_) => None,
        }
    }

    /// Goes to the next kind of finding that is trouble.
    pub fn seek(&mut self, action: ActionId) -> bool {
        let is_trouble =
            |place: &Place| matches!(place, Place::Kind(kind) if kind.severity() <= crate::cache::Severity::Warn);
        self.list.seek(action == ActionId::TroubleNext, is_trouble)
    }
}

fn one_row<'a>(inside: &'a Inside, finding: &'a Finding) -> Row<'a> {
    Row {
        cells: vec![
            Cell::new("", Role::Text),
            Cell::new(format!("    {}", place(inside, finding)), Role::Text),
            Cell::new("", Role::Text),
            Cell::new(&*finding.what, Role::Text),
        ],
        ..Row::default()
    }
}

/// The spec that a finding is about.
fn spec_of(inside: &Inside, finding: &Finding) -> Option<SpecId> {
    let by_hash = Hash::parse(&finding.place).map(SpecId::Hash).ok();
    let id = by_hash.unwrap_or_else(|| SpecId::Path(finding.place.clone()));
    if inside.specs.find(&id).is_some() {
        return Some(id);
    }
    // The manifest of a spec is found by its path as well.
    let manifests = &inside.contents.manifests;
    let found = manifests.binary_search_by(|manifest| manifest.path.cmp(&finding.place)).ok()?;
    manifests.get(found)?.hash.map(SpecId::Hash).filter(|id| inside.specs.find(id).is_some())
}

/// What a finding is about: a spec by its name, a path from its end that tells, or the root as a whole.
pub fn place<'a>(inside: &'a Inside, finding: &'a Finding) -> Cow<'a, str> {
    if finding.place.is_empty() {
        return "the root".into();
    }
    match spec_of(inside, finding).and_then(|id| inside.specs.find(&id)).and_then(|place| inside.specs.row(place)) {
        Some(row) => inside.specs.text(row).into(),
        None => (&*finding.place).into(),
    }
}

/// A finding as the filter reads it.
struct FindingSubject<'a> {
    finding: &'a Finding,
    place: Cow<'a, str>,
}

fn subject<'a>(inside: &'a Inside, finding: &'a Finding) -> FindingSubject<'a> {
    FindingSubject { finding, place: place(inside, finding) }
}

impl Subject for FindingSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.place);
        visit(self.finding.kind.word());
        visit(&self.finding.what);
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::State => Value::Text(self.finding.kind.severity().word()),
            Field::Class => Value::Text(self.finding.kind.word()),
            Field::Hash | Field::Spec => Value::Text(&self.finding.place),
            Field::Pkg => Value::Text(self.place.split_once('@').map_or(&*self.place, |(package, _)| package)),
            _ => Value::Absent,
        }
    }
}
