//! Caches: mirrors with their roots as a tree: how big, how they grow, how old their indexes are, what is wrong. A root opens as a
//! [`CacheScreen`].

mod explain;
mod findings;
mod header;
mod root;
mod rows;
mod spec;
mod specs;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ratatui::layout::Rect;

use crate::cache::Severity;
use crate::ci::Timestamp;
use crate::console::caches::{MirrorRow, RootId, RootRow};
use crate::console::effect::Focus;
use crate::console::fault::Fault;
use crate::console::fresh::Freshness;
use crate::console::registry::{ActionId, Scope};
use crate::console::text::{plural, size};
use crate::tui::list::List;
use crate::tui::screen::{Ask, Cx, Explained, Place, Reaction, Screen, Selection};
use crate::tui::screens::filtered::{Filtered, Order};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, Table, empty};

pub use explain::spec as explain_spec;
pub use root::CacheScreen;
pub use words::{growth, index, progress};

/// What the cursor can be on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RowId {
    Mirror(Arc<str>),
    Root(RootId),
}

/// What the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sort {
    /// The worst first, then the largest.
    #[default]
    State,
    Size,
    Growth,
    /// The oldest index first.
    Index,
    Specs,
}

impl Order for Sort {
    const ALL: &'static [Self] = &[Self::State, Self::Size, Self::Growth, Self::Index, Self::Specs];

    fn word(self) -> &'static str {
        match self {
            Self::State => "state, size",
            Self::Size => "size",
            Self::Growth => "growth",
            Self::Index => "index age",
            Self::Specs => "specs",
        }
    }
}

/// The mirrors and their roots.
#[derive(Debug, Default)]
pub struct CachesScreen {
    filtered: Filtered<Sort>,
    rows: Vec<MirrorRow>,
    /// Where each root stands among the rows.
    places: BTreeMap<RootId, (usize, usize)>,
    passed: BTreeSet<RootId>,
    unfolded: BTreeSet<Arc<str>>,
    list: List<RowId>,
    /// The root that the cursor goes to as soon as it is known.
    wanted: Option<RootId>,
    has_begun: bool,
    /// Rows are worked out anew when the world moved, or what narrows and orders them.
    worked_out: Option<(u64, u64)>,
}

impl CachesScreen {
    /// Opens the list with the cursor on a root.
    pub fn new(root: Option<RootId>) -> Self {
        Self { wanted: root, ..Self::default() }
    }

    fn work_out(&mut self, cx: Cx<'_>) {
        let now = (cx.world.revision, self.filtered.changes());
        if self.worked_out == Some(now) {
            return;
        }
        let Filtered { sort, is_reversed, .. } = self.filtered;
        (self.rows, self.passed) = rows::work_out(cx, self.filtered.filter(), sort, is_reversed);
        let places = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(m, row)| row.roots.iter().enumerate().map(move |(r, root)| (root.id, (m, r))));
        self.places = places.collect();
        self.worked_out = Some(now);
        // The worst mirror is open at first: a column of closed ones tells little.
        if let (false, Some(first)) = (self.has_begun, self.rows.first()) {
            self.unfolded.insert(Arc::clone(&first.name));
            self.has_begun = true;
        }
        if let Some(wanted) = self.wanted
            && let Some(mirror) = self.places.get(&wanted).and_then(|(m, _)| self.rows.get(*m))
        {
            self.unfolded.insert(Arc::clone(&mirror.name));
            self.list.choose(RowId::Root(wanted));
            self.wanted = None;
        }
    }

    fn is_unfolded(&self, mirror: &MirrorRow) -> bool {
        !self.filtered.filter().is_empty() || self.unfolded.contains(&mirror.name)
    }

    fn ids(&self) -> Vec<RowId> {
        let is_all = self.filtered.filter().is_empty();
        let mut ids = Vec::new();
        for mirror in &self.rows {
            ids.push(RowId::Mirror(Arc::clone(&mirror.name)));
            if self.is_unfolded(mirror) {
                let roots = mirror.roots.iter().filter(|root| is_all || self.passed.contains(&root.id));
                ids.extend(roots.map(|root| RowId::Root(root.id)));
            }
        }
        ids
    }

    fn mirror(&self, name: &str) -> Option<&MirrorRow> {
        self.rows.iter().find(|row| &*row.name == name)
    }

    fn root(&self, id: RootId) -> Option<(&MirrorRow, &RootRow)> {
        let (mirror, root) = self.places.get(&id)?;
        let mirror = self.rows.get(*mirror)?;
        Some((mirror, mirror.roots.get(*root)?))
    }

    fn title(&self) -> String {
        let roots: usize = self.rows.iter().map(|row| row.roots.len()).sum();
        let shown = if self.filtered.filter().is_empty() { roots } else { self.passed.len() };
        match self.rows.len() {
            0 => "Caches".to_owned(),
            mirrors => format!("Caches  {}, {}", plural(mirrors as u64, "mirror"), plural(shown as u64, "root")),
        }
    }

    /// The line below the rows: everything together, what lies there twice, and what the sizes are worth.
    fn footer(&self, cx: Cx<'_>, line: Rect, pen: &mut Pen<'_>) {
        let caches = &cx.world.caches;
        let mut parts = Vec::new();
        if caches.is_sparse {
            parts.push(("sizes only: objects are not stored".to_owned(), Role::StateWarn));
        }
        let total: u64 = self.rows.iter().map(|row| row.total.bytes).sum();
        let grown: Option<i64> = self.rows.iter().map(|row| row.growth).sum();
        let part = caches.listing.is_some() && caches.roots.fetched_at.is_none();
        parts.push((format!("total {}", words::some(cx, Some(size(total)), part)), Role::Text));
        let grown = if grown.is_some() { format!("{} a day", growth(grown)) } else { "growth ?".to_owned() };
        parts.push((grown, Role::TextDim));
        if caches.listing.is_none() && !caches.duplication.is_empty() {
            let copies: u64 = caches.duplication.values().map(|twice| twice.copies.bytes).sum();
            let distinct: u64 = caches.duplication.values().map(|twice| twice.distinct.bytes).sum();
            let percent = copies.saturating_mul(100).checked_div(copies.saturating_add(distinct)).unwrap_or_default();
            parts.push((format!("{} of blobs lie in several roots ({percent} %)", size(copies)), Role::TextDim));
        }
        header::flow(pen, Rect { height: 1, ..line }, &parts);
    }

    fn fold(&mut self, mirror: Arc<str>, open: bool) -> Reaction {
        if open {
            self.unfolded.insert(mirror);
        } else if self.unfolded.remove(&mirror) {
            self.list.choose(RowId::Mirror(mirror));
        }
        Reaction::Done
    }

    fn copy(&self, action: ActionId, cx: Cx<'_>) -> Option<Reaction> {
        let copied = |text: String, what: &str| Some(Reaction::Copy { text, what: what.to_owned() });
        match (action, self.list.id()?) {
            (ActionId::CopyId | ActionId::CopySpec, RowId::Mirror(name)) => copied(name.to_string(), "mirror"),
            (ActionId::CopyLink | ActionId::LinkOpen, RowId::Mirror(_)) => {
                Some(Reaction::say("a mirror is many roots; copy the address of one"))
            }
            (ActionId::CopyId | ActionId::CopySpec, RowId::Root(id)) => {
                copied(cx.world.caches.root(*id)?.root.to_string(), "prefix")
            }
            (ActionId::CopyLink | ActionId::LinkOpen, RowId::Root(id)) => {
                copied(cx.world.caches.root(*id)?.url.to_string(), "address")
            }
            _ => None,
        }
    }
}

impl Screen for CachesScreen {
    fn scope(&self) -> Scope {
        Scope::Caches
    }

    fn place(&self) -> Place {
        let here = match self.list.id() {
            Some(RowId::Root(root)) => Some(*root),
            _ => None,
        };
        Place::Caches { root: here.or(self.wanted) }
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        self.work_out(cx);
        let (_, rows, _) = parts(cx, area);
        self.list.settle(self.ids(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let problem = problem(cx, cx.world.caches.roots.error.as_ref());
        let (title, narrowed) = (self.title(), self.filtered.narrowed());
        let progress = cx.world.caches.listing.map(|listing| progress(cx, listing));
        let panel = panel(cx, area, problem.as_ref(), progress.as_deref());
        let panel = Panel { title: &title, narrowed: &narrowed, ..panel };
        panel.draw(pen, area);
        let (_, place, footer) = parts(cx, area);
        if self.rows.is_empty() {
            let (why, widen) = calm(cx, &self.filtered);
            empty(pen, place, &why, widen);
            return;
        }
        let table = Table {
            columns: rows::COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: panel.is_dim(),
        };
        let shown = self.list.visible().iter().filter_map(|id| match id {
            RowId::Mirror(name) => self.mirror(name).map(|row| rows::mirror(cx, row, self.is_unfolded(row))),
            RowId::Root(id) => self.root(*id).map(|(_, row)| rows::root(cx, row, self.filtered.filter())),
        });
        table.draw(pen, place, shown);
        if let Some(line) = footer {
            self.footer(cx, line, pen);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) || self.filtered.act(action) {
            return Reaction::Done;
        }
        match (action, self.list.id().cloned()) {
            (ActionId::ListOpen, Some(RowId::Mirror(name))) => {
                let open = !self.unfolded.contains(&name);
                self.fold(name, open)
            }
            (ActionId::ListRight, Some(RowId::Mirror(name))) => self.fold(name, true),
            (ActionId::ListLeft, Some(RowId::Mirror(name))) if self.unfolded.contains(&name) => self.fold(name, false),
            (ActionId::ListLeft, Some(RowId::Root(id))) => {
                let mirror = self.root(id).map(|(mirror, _)| Arc::clone(&mirror.name));
                mirror.map_or(Reaction::Done, |mirror| self.fold(mirror, false))
            }
            (ActionId::ListLeft, _) => Reaction::Back,
            (ActionId::ListOpen | ActionId::ListRight, Some(RowId::Root(root))) => {
                Reaction::Go(Place::Cache { root, spec: None })
            }
            (ActionId::ListFilter, _) => self.filtered.ask(),
            (ActionId::JobsExplain, Some(RowId::Mirror(name))) => self
                .mirror(&name)
                .map_or(Reaction::Done, |row| Reaction::Explain(Explained::Told(explain::mirror(cx, row)))),
            (ActionId::JobsExplain, Some(RowId::Root(id))) => match (self.root(id), cx.world.caches.root(id)) {
                (Some((_, row)), Some(facts)) => Reaction::Explain(Explained::Told(explain::root(cx, row, facts))),
                _ => Reaction::Done,
            },
            (ActionId::TroubleNext | ActionId::TroublePrev, _) => {
                let is_bad = |state: Option<Severity>| state.is_some_and(|state| state <= Severity::Warn);
                let wanted: BTreeSet<RootId> =
                    self.rows.iter().flat_map(|row| &row.roots).filter(|row| is_bad(row.state)).map(|r| r.id).collect();
                let folded: Vec<Arc<str>> = self
                    .rows
                    .iter()
                    .filter(|row| is_bad(row.state) && !self.is_unfolded(row))
                    .map(|row| Arc::clone(&row.name))
                    .collect();
                let found = self.list.seek(action == ActionId::TroubleNext, |id| match id {
                    RowId::Root(id) => wanted.contains(id),
                    RowId::Mirror(name) => folded.contains(name),
                });
                if found { Reaction::Done } else { Reaction::say("no other root with a finding is known") }
            }
            _ => self.copy(action, cx).unwrap_or(Reaction::Unhandled),
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        self.filtered.typed(text)
    }

    fn selection(&self, _cx: Cx<'_>) -> Selection {
        Selection::default()
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus { caches: true, ..Focus::default() }
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}

/// What failed, and what to do: mirrors are asked again when somebody says so.
fn problem(cx: Cx<'_>, fault: Option<&Fault>) -> Option<(String, String)> {
    let again = if cx.world.polling.rules.caches.is_some() {
        "it is tried again by itself, with R at once"
    } else {
        "R tries again"
    };
    fault.map(|fault| (fault.to_string(), again.to_owned()))
}

/// The frame, without its title.
fn panel<'a>(cx: Cx<'_>, area: Rect, problem: Option<&'a (String, String)>, progress: Option<&'a str>) -> Panel<'a> {
    let fresh = words::freshness(cx);
    Panel {
        // While a listing is under way its progress tells more than an age.
        freshness: fresh.filter(|_| progress.is_none()),
        progress: progress.unwrap_or_else(|| if fresh.is_none() { "not listed" } else { "" }),
        problem: problem.map(|(what, remedy)| (what.as_str(), remedy.as_str())),
        is_focused: true,
        is_bare: area.height < 16,
        ..Panel::default()
    }
}

/// What is inside the frame: all of it, the rows, and the line below them where there is room.
fn parts(cx: Cx<'_>, area: Rect) -> (Rect, Rect, Option<Rect>) {
    let problem = problem(cx, cx.world.caches.roots.error.as_ref());
    let inside = panel(cx, area, problem.as_ref(), None).inner(area);
    if inside.height < 6 {
        return (inside, inside, None);
    }
    let rows = Rect { height: inside.height - 1, ..inside };
    (inside, rows, Some(Rect { y: rows.bottom(), height: 1, ..inside }))
}

/// What an empty list means.
fn calm(cx: Cx<'_>, filtered: &Filtered<Sort>) -> (String, Option<(&'static str, &'static str)>) {
    let caches = &cx.world.caches;
    if caches.mirrors.is_empty() {
        let why = "no mirror of binary caches is configured".to_owned();
        return (why, Some(("cache.mirrors", "names them, in the configuration")));
    }
    if !filtered.filter().is_empty() && !caches.roots.value.is_empty() {
        return (format!("no root passes `{}`", filtered.text()), Some(("Esc", "clears the filter")));
    }
    match (caches.listing, words::freshness(cx)) {
        (Some(listing), _) => {
            let objects = plural(listing.objects, "object");
            (format!("the mirrors are being listed: {objects}, {} so far", size(listing.bytes)), None)
        }
        (None, Some(Freshness::Loading)) => ("the mirrors are being listed…".to_owned(), None),
        (None, Some(Freshness::Failed)) => ("nothing is known: the mirrors could not be listed".to_owned(), None),
        (None, Some(_)) => {
            let mirrors: Vec<&str> = caches.mirrors.iter().map(|mirror| &**mirror).collect();
            let why = format!("no binary cache lies below {}", mirrors.join(", "));
            (why, Some(("R", "lists them again")))
        }
        (None, None) => {
            let mirrors = plural(caches.mirrors.len() as u64, "mirror");
            (
                format!("{mirrors} configured, and never listed"),
                Some(("R", "lists now; that may take thousands of requests")),
            )
        }
    }
}
