//! One spec of a root: the blobs that it is made of, whether they lie there, and who shares them; below that what else is known.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::specs::signed_role;
use super::words::spec_state;
use super::{explain, header};
use crate::ci::short;
use crate::console::caches::{BlobFacts, BlobPart, Inside, RootId, Signed, SpecFacts, SpecId, There};
use crate::console::registry::ActionId;
use crate::console::state::JobState;
use crate::console::text::{count, plural, size};
use crate::tui::list::List;
use crate::tui::screen::{Cx, Reaction};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Panel, Pen, Row, Table, Width, empty};

const COLUMNS: &[Column] = &[
    Column::new("BLOB", Width::Fixed(8)),
    Column::new("BYTES", Width::Fixed(14)).right().sacrifice(2),
    Column::new("THERE", Width::Fixed(12)),
    Column::new("SHARED WITH", Width::Grow { least: 14, weight: 1 }).sacrifice(1),
    Column::new("PATH", Width::Grow { least: 20, weight: 2 }).cut_middle(),
];

/// Above the blobs, and the blobs with their titles.
const HEADER: u16 = 2;
const BLOBS: u16 = 5;

/// Why there is nothing to show, and what helps.
pub type Calm = (String, Option<(&'static str, &'static str)>);

/// A spec that is open.
#[derive(Debug)]
pub struct SpecView {
    id: SpecId,
    facts: Option<SpecFacts>,
    list: List<usize>,
    /// Every root that was read when the facts were gathered, this one among them: held, so that none stands at another's place.
    gathered: Option<Vec<Arc<Inside>>>,
}

impl SpecView {
    pub fn new(id: SpecId) -> Self {
        Self { id, facts: None, list: List::default(), gathered: None }
    }

    pub fn id(&self) -> &SpecId {
        &self.id
    }

    /// Gathers what is known, when something was read since.
    pub fn settle(&mut self, cx: Cx<'_>, root: RootId, area: Rect) {
        let read = || cx.world.caches.roots.value.values().filter_map(|facts| facts.inside.value.as_ref());
        let is_same = self.gathered.as_ref().is_some_and(|gathered| {
            read().count() == gathered.len() && read().zip(gathered).all(|(now, before)| Arc::ptr_eq(now, before))
        });
        if !is_same {
            self.facts = SpecFacts::of(&cx.world.caches, root, &self.id);
            self.gathered = Some(read().cloned().collect());
        }
        let blobs = self.facts.as_ref().map_or(0, |facts| facts.blobs.len());
        self.list.settle((0..blobs).collect(), Rect { height: BLOBS.min(area.height), ..area }, cx.now);
    }

    /// Draws it in a panel, whose title is still to be set; with what there is to say while its root is not known.
    pub fn draw(
        &self,
        cx: Cx<'_>,
        root: &str,
        (panel, calm): (Panel<'_>, Option<Calm>),
        area: Rect,
        pen: &mut Pen<'_>,
    ) {
        let name = self.facts.as_ref().map_or_else(|| id_text(&self.id), |facts| facts.name.clone());
        let arrow = cx.look.glyphs.lines.arrow;
        let title = format!("Caches {arrow} {root} {arrow} {name}");
        let panel = Panel { title: &title, ..panel };
        let inside = panel.draw(pen, area);
        let Some(facts) = &self.facts else {
            let gone = || ("this spec is not known here any more".to_owned(), Some(("Esc", "shows those that are")));
            let (why, widen) = calm.unwrap_or_else(gone);
            empty(pen, inside, &why, widen);
            return;
        };
        let rows = (facts.blobs.len() as u16 + 1).min(BLOBS);
        let cut = |from: u16, height: u16| {
            let y = (inside.y + from).min(inside.bottom());
            Rect { y, height: height.min(inside.bottom() - y), ..inside }
        };
        header::flow(pen, cut(0, HEADER), &summary(cx, facts));
        let table = Table {
            columns: COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: panel.is_dim(),
        };
        let place = cut(HEADER, rows);
        if facts.blobs.is_empty() {
            empty(pen, place, "no manifest of it lies here, so it has no blobs", None);
        } else {
            table.draw(pen, place, facts.blobs.iter().map(|blob| row(cx, facts, blob)));
        }
        let rest = cut(HEADER + rows, area.height);
        let lines = explain::known(cx, facts, usize::from(rest.width));
        for ((text, role), y) in std::iter::once(&(String::new(), Role::Text)).chain(&lines).zip(rest.y..rest.bottom())
        {
            pen.put(rest.x, y, rest.width, text, *role);
        }
    }

    pub fn act(&mut self, action: ActionId, cx: Cx<'_>, root: RootId) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        let copied = || {
            let (facts, url) = (self.facts.as_ref()?, &cx.world.caches.root(root)?.url);
            let path = self.list.id().and_then(|nth| facts.blobs.get(*nth)).map(|blob| &*blob.path);
            copy(action, url, &self.id, &facts.name, path)
        };
        match action {
            ActionId::ListOpen | ActionId::ListRight => {
                Reaction::say("e explains it, y l copies the address of the blob")
            }
            _ => copied().unwrap_or(Reaction::Unhandled),
        }
    }
}

/// Copies something of a spec.
pub fn copy(action: ActionId, url: &str, id: &SpecId, name: &str, path: Option<&str>) -> Option<Reaction> {
    let (text, what) = match (action, path) {
        (ActionId::CopyId, _) => match id {
            SpecId::Hash(hash) => (hash.to_string(), "hash"),
            SpecId::Path(path) => (path.to_string(), "path"),
        },
        (ActionId::CopySpec, _) => match (id, name.split_once(" /")) {
            (SpecId::Hash(hash), Some((spec, _))) => (format!("{spec} /{hash}"), "spec"),
            _ => (name.to_owned(), "name"),
        },
        (ActionId::CopyLink | ActionId::LinkOpen, Some(path)) => {
            (format!("{}/{path}", url.trim_end_matches('/')), "address")
        }
        (ActionId::CopyLink | ActionId::LinkOpen, None) => {
            return Some(Reaction::say("nothing of it lies here, so there is no address"));
        }
        _ => return None,
    };
    Some(Reaction::Copy { text, what: what.to_owned() })
}

/// What the identity of a spec looks like while its name is not known.
fn id_text(id: &SpecId) -> String {
    match id {
        SpecId::Hash(hash) => format!("/{hash}"),
        SpecId::Path(path) => path.to_string(),
    }
}

fn summary(cx: Cx<'_>, facts: &SpecFacts) -> Vec<(String, Role)> {
    let row = &facts.row;
    let (glyph, role) = spec_state(cx, row.state);
    let signed = match (explain::verified(cx, facts), row.signed) {
        (Some(signature), _) => signature.to_string(),
        (None, Signed::Yes) => "signed; nobody verified by whom".to_owned(),
        (None, Signed::No) => "unsigned".to_owned(),
        (None, _) => "whether it is signed is not known".to_owned(),
    };
    let mut parts = vec![(format!("{glyph} {}", row.state.word()), role), (signed, signed_role(row.signed))];
    if let Some(bytes) = row.bytes {
        parts.push((format!("{} in all", size(bytes)), Role::Text));
    }
    if let Some(at) = row.written {
        parts.push((format!("manifest written {} ago", short(cx.server_now().since(at))), Role::TextDim));
    }
    parts
}

fn row<'a>(cx: Cx<'a>, facts: &SpecFacts, blob: &'a BlobFacts) -> Row<'a> {
    let glyph = |state: JobState| cx.look.glyphs.state(state);
    let (there, role) = match blob.there {
        There::Yes => (format!("{} yes", glyph(JobState::Ok)), Role::StateOk),
        There::WithBytes(bytes) => (format!("{} has {}", glyph(JobState::Fail), size(bytes)), Role::StateFail),
        There::No => (format!("{} missing", glyph(JobState::Fail)), Role::StateFail),
        There::Unknown => (format!("{} not listed", glyph(JobState::Unknown)), Role::StateUnknown),
    };
    let mut with = Vec::new();
    if !blob.shared.is_empty() {
        with.push(format!("{} here", plural(blob.shared.len() as u64, "spec")));
    }
    if !blob.elsewhere.is_empty() {
        with.push(plural(blob.elsewhere.len() as u64, "root"));
    }
    let shared = match (with.is_empty(), blob.part) {
        (false, _) => with.join(", "),
        (true, BlobPart::Manifest) => "-".to_owned(),
        // Of roots that nobody looked into nothing is known.
        (true, _) if facts.others == 0 => "none here".to_owned(),
        (true, _) => "none known".to_owned(),
    };
    Row {
        cells: vec![
            Cell::new(blob.part.word(), Role::TextStrong),
            Cell::new(blob.bytes.map_or("?".to_owned(), count), Role::Text),
            Cell::new(there, role),
            Cell::new(shared, Role::TextDim),
            Cell::new(&*blob.path, Role::TextDim),
        ],
        ..Row::default()
    }
}
