//! Inside one root: its numbers, how its size went, and below that either what is wrong with it or its specs. A spec opens in the same place.

use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Rect;

use super::findings::{Findings, Place as FindingPlace};
use super::spec::{Calm, SpecView};
use super::specs::SpecList;
use super::{explain, header, problem};
use crate::ci::{Timestamp, short};
use crate::console::caches::{Inside, RootFacts, RootId, SpecId};
use crate::console::effect::{Fetch, Focus};
use crate::console::registry::{ActionId, Scope};
use crate::console::text::count;
use crate::tui::screen::{Ask, Cx, Explained, Place, Reaction, Screen, Selection};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, empty};

/// Which list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Findings,
    Specs,
}

/// The screen.
#[derive(Debug)]
pub struct CacheScreen {
    root: RootId,
    view: View,
    findings: Findings,
    specs: SpecList,
    /// The spec that is open.
    spec: Option<SpecView>,
    /// What the rows were worked out from. Held, so that another one never stands at the same place.
    inside: Option<Arc<Inside>>,
    plot: header::Plot,
    /// The plot is worked out anew when the world moved or the width changed.
    plotted: Option<(u64, u16)>,
}

impl CacheScreen {
    /// Opens a root, or one of its specs.
    pub fn new(root: RootId, spec: Option<SpecId>) -> Self {
        Self {
            root,
            view: View::Findings,
            findings: Findings::default(),
            specs: SpecList::default(),
            spec: spec.map(SpecView::new),
            inside: None,
            plot: header::Plot::default(),
            plotted: None,
        }
    }

    fn facts<'a>(&self, cx: Cx<'a>) -> Option<&'a RootFacts> {
        cx.world.caches.root(self.root)
    }

    fn toggle(&mut self) {
        self.view = match self.view {
            View::Findings => View::Specs,
            View::Specs => View::Findings,
        };
    }

    /// Opens the spec under the cursor, if there is one.
    fn open(&mut self) -> Reaction {
        let Some(inside) = &self.inside else { return Reaction::Done };
        let spec = match self.view {
            View::Findings => self.findings.spec(inside),
            View::Specs => self.specs.list.id().cloned(),
        };
        match spec {
            Some(spec) => {
                self.spec = Some(SpecView::new(spec));
                Reaction::Done
            }
            None => Reaction::say("this finding is about no spec; e explains it"),
        }
    }

    fn explain(&self) -> Reaction {
        let Some(inside) = &self.inside else { return Reaction::say("nothing here to explain") };
        let spec = match (self.view, self.findings.list.id()) {
            (View::Specs, _) => self.specs.list.id().cloned(),
            (View::Findings, Some(place)) => {
                let (FindingPlace::Kind(kind) | FindingPlace::One(crate::cache::Finding { kind, .. })) = place;
                let one = match place {
                    FindingPlace::One(finding) => Some(finding),
                    FindingPlace::Kind(_) => None,
                };
                return Reaction::Explain(Explained::Told(explain::finding(inside, *kind, one)));
            }
            (View::Findings, None) => None,
        };
        match spec {
            Some(spec) => Reaction::Explain(Explained::Spec(self.root, spec)),
            None => Reaction::say("nothing here to explain"),
        }
    }

    fn copy(&self, action: ActionId, cx: Cx<'_>) -> Option<Reaction> {
        let facts = self.facts(cx)?;
        let inside = self.inside.as_ref()?;
        let spec = match self.view {
            View::Findings => self.findings.spec(inside),
            View::Specs => self.specs.list.id().cloned(),
        };
        let Some(spec) = spec else {
            return match action {
                ActionId::CopyLink | ActionId::LinkOpen => {
                    Some(Reaction::Copy { text: facts.url.to_string(), what: "address".to_owned() })
                }
                ActionId::CopyId | ActionId::CopySpec => {
                    Some(Reaction::Copy { text: facts.root.to_string(), what: "prefix".to_owned() })
                }
                _ => None,
            };
        };
        let row = inside.specs.row(inside.specs.find(&spec)?)?;
        let path = inside.specs.manifest(row, &inside.contents).map(|manifest| &*manifest.path);
        super::spec::copy(action, &facts.url, &spec, inside.specs.text(row), path)
    }

    /// The rows inside the frame: header, plot, the line that names the views, the list, the line below it.
    fn parts(&self, cx: Cx<'_>, area: Rect) -> Parts {
        let problem = self.problem(cx);
        let inside = self.panel(cx, area, problem.as_ref()).inner(area);
        let cut = |from: u16, height: u16| {
            let y = (inside.y + from).min(inside.bottom());
            Rect { y, height: height.min(inside.bottom() - y), ..inside }
        };
        let header = match inside.height {
            0..9 => 0,
            9..14 => 2,
            _ => 3,
        };
        let plot = match inside.height {
            0..15 => 0,
            15..22 => 4,
            _ => 6,
        };
        let views = u16::from(inside.height >= 5);
        let below = u16::from(inside.height >= 9);
        let list = header + plot + views;
        let height = inside.height.saturating_sub(list + below);
        Parts {
            header: cut(0, header),
            plot: cut(header, plot),
            views: cut(header + plot, views),
            list: cut(list, height),
            below: cut(list + height, below),
        }
    }

    fn problem(&self, cx: Cx<'_>) -> Option<(String, String)> {
        problem(cx, self.facts(cx).and_then(|facts| facts.inside.error.as_ref()))
    }

    fn panel<'a>(&self, cx: Cx<'_>, area: Rect, problem: Option<&'a (String, String)>) -> Panel<'a> {
        let inside = self.facts(cx).map(|facts| &facts.inside);
        let period = cx.world.polling.rules.caches.unwrap_or(BY_HAND);
        let is_reading = cx.world.polling.is_in_flight(Fetch::Cache(self.root));
        Panel {
            freshness: inside.map(|inside| inside.freshness(cx.now, period)).filter(|_| !is_reading),
            progress: if is_reading { "looking into it" } else { "" },
            problem: problem.map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        }
    }

    fn views_line(&self, inside: &Inside, line: Rect, pen: &mut Pen<'_>) {
        let findings = format!("findings {}", count(inside.health.findings.len() as u64));
        let specs = format!("specs {}", count(inside.specs.rows().len() as u64));
        pen.repeat(line.x, line.y, line.width, pen.look.glyphs.lines.horizontal, Role::Border);
        let mut x = line.x + 1;
        for (text, view) in [(findings, View::Findings), (specs, View::Specs)] {
            let is_here = self.view == view;
            // Told by brackets, not by colour alone.
            let text = if is_here { format!("[{text}]") } else { format!(" {text} ") };
            let role = if is_here { Role::Title } else { Role::TextDim };
            x += pen.put(x, line.y, line.right().saturating_sub(x), &text, role) + 1;
        }
    }

    fn calm(&self, cx: Cx<'_>) -> Calm {
        let Some(facts) = self.facts(cx) else {
            return ("this root is not known any more".to_owned(), Some(("7", "lists those that are")));
        };
        if facts.inside.error.is_some() && !cx.world.polling.is_in_flight(Fetch::Cache(self.root)) {
            return ("what lies in it is not known".to_owned(), None);
        }
        // Opening it asks for that.
        ("its manifests and indexes are being read…".to_owned(), None)
    }
}

/// Where nothing reads a root again by itself, what is older than twice this is old.
const BY_HAND: Duration = Duration::from_hours(1);

/// Where things stand.
struct Parts {
    header: Rect,
    plot: Rect,
    views: Rect,
    list: Rect,
    below: Rect,
}

impl Screen for CacheScreen {
    fn scope(&self) -> Scope {
        Scope::Caches
    }

    fn place(&self) -> Place {
        Place::Cache { root: self.root, spec: self.spec.as_ref().map(|spec| spec.id().clone()) }
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let parts = self.parts(cx, area);
        let inside = self.facts(cx).and_then(|facts| facts.inside.value.clone());
        let is_new = match (&inside, &self.inside) {
            (Some(now), Some(before)) => !Arc::ptr_eq(now, before),
            (now, before) => now.is_some() != before.is_some(),
        };
        self.inside = inside;
        if let Some(inside) = &self.inside {
            self.findings.settle(cx, inside, is_new, parts.list);
            self.specs.settle(cx, inside, is_new, parts.list);
            // Nothing wrong: the specs tell more than an empty list.
            if is_new && inside.health.findings.is_empty() {
                self.view = View::Specs;
            }
        }
        if let Some(spec) = &mut self.spec {
            spec.settle(cx, self.root, area);
        }
        let plotted = (cx.world.revision, parts.plot.width);
        if parts.plot.height > 0
            && self.plotted != Some(plotted)
            && let Some(facts) = self.facts(cx)
        {
            self.plot = header::Plot::of(facts, cx.look.glyphs, parts.plot.width);
            self.plotted = Some(plotted);
        }
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let problem = self.problem(cx);
        let panel = self.panel(cx, area, problem.as_ref());
        let facts = self.facts(cx);
        let name = facts.map_or("?".to_owned(), |facts| facts.root.to_string());
        if let Some(spec) = &self.spec {
            let calm = self.inside.is_none().then(|| self.calm(cx));
            spec.draw(cx, &name, (panel, calm), area, pen);
            return;
        }
        let title = format!("Caches {} {name}", cx.look.glyphs.lines.arrow);
        let narrowed = match self.view {
            View::Findings => self.findings.filtered.narrowed(),
            View::Specs => self.specs.filtered.narrowed(),
        };
        let panel = Panel { title: &title, narrowed: &narrowed, ..panel };
        panel.draw(pen, area);
        let parts = self.parts(cx, area);
        if let Some(facts) = facts {
            let (first, numbers) = header::told(cx, facts);
            let header = parts.header;
            if header.height > 0 {
                let sparse = if cx.world.caches.is_sparse { "  (sizes only: objects are not stored)" } else { "" };
                let line = format!("{first}{sparse}");
                pen.put(header.x, header.y, header.width, &line, Role::TextDim);
                let rest = Rect { y: header.y + 1, height: header.height - 1, ..header };
                header::flow(pen, rest, &numbers);
            }
            if parts.plot.height > 0 {
                self.plot.draw(cx, pen, parts.plot);
            }
        }
        let Some(inside) = &self.inside else {
            let place = Rect { height: parts.views.height + parts.list.height, ..parts.views };
            let (why, widen) = self.calm(cx);
            empty(pen, place, &why, widen);
            return;
        };
        if parts.views.height > 0 {
            self.views_line(inside, parts.views, pen);
        }
        let is_dim = panel.is_dim();
        match self.view {
            View::Findings => self.findings.draw(cx, inside, parts.list, pen, is_dim),
            View::Specs => self.specs.draw(cx, inside, parts.list, pen, is_dim),
        }
        let below = match self.view {
            View::Findings => self.findings.remedy(),
            View::Specs => facts.and_then(|facts| facts.inside.age(cx.now)).map(|age| {
                let shown = count(self.specs.list.ids().len() as u64);
                format!("{shown} shown, as they were {} ago", short(age))
            }),
        };
        if let (Some(text), true) = (below, parts.below.height > 0) {
            pen.put(parts.below.x, parts.below.y, parts.below.width, &text, Role::TextDim);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if let Some(spec) = &mut self.spec {
            return match action {
                ActionId::ViewBack | ActionId::ListLeft => {
                    self.spec = None;
                    Reaction::Done
                }
                ActionId::JobsExplain => Reaction::Explain(Explained::Spec(self.root, spec.id().clone())),
                other => spec.act(other, cx, self.root),
            };
        }
        let is_moved = match self.view {
            View::Findings => self.findings.list.act(action) || self.findings.filtered.act(action),
            View::Specs => self.specs.list.act(action) || self.specs.filtered.act(action),
        };
        if is_moved {
            return Reaction::Done;
        }
        match action {
            ActionId::CachesView | ActionId::ListPreviewPane => {
                self.toggle();
                Reaction::Done
            }
            ActionId::ListOpen if self.view == View::Findings && self.findings.fold_kind() => Reaction::Done,
            ActionId::ListRight if self.view == View::Findings && self.findings.fold(Some(true)) => Reaction::Done,
            ActionId::ListLeft if self.view == View::Findings && self.findings.is_open() => {
                self.findings.fold(Some(false));
                Reaction::Done
            }
            ActionId::ListOpen | ActionId::ListRight => self.open(),
            ActionId::ListLeft => Reaction::Back,
            ActionId::ListFilter => match self.view {
                View::Findings => self.findings.filtered.ask(),
                View::Specs => self.specs.filtered.ask(),
            },
            ActionId::JobsExplain => self.explain(),
            ActionId::TroubleNext | ActionId::TroublePrev => {
                let found = match (self.view, &self.inside) {
                    (View::Findings, _) => self.findings.seek(action),
                    (View::Specs, Some(inside)) => self.specs.seek(action, inside),
                    (View::Specs, None) => false,
                };
                if found { Reaction::Done } else { Reaction::say("no other trouble in this list") }
            }
            _ => self.copy(action, cx).unwrap_or(Reaction::Unhandled),
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        match self.view {
            View::Findings => self.findings.filtered.typed(text),
            View::Specs => self.specs.filtered.typed(text),
        }
    }

    fn selection(&self, _cx: Cx<'_>) -> Selection {
        Selection::default()
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        let binary = self.spec.as_ref().and_then(|spec| match spec.id() {
            SpecId::Hash(hash) => Some((self.root, *hash)),
            SpecId::Path(_) => None,
        });
        Focus { caches: true, cache: Some(self.root), binary, ..Focus::default() }
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        match self.view {
            View::Findings => self.findings.list.is_startled(now),
            View::Specs => self.specs.list.is_startled(now),
        }
    }
}
