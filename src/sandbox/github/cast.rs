//! Which pull requests there are when the world begins: first one for every reason that a bridge can have, then as many as were asked for.

use std::sync::Arc;

use super::super::git::{Files, Made, Oid, TESTED, Trunk, edited, path_of};
use super::super::people::{PullRequest, TOUCHED};
use super::super::rng::Rng;
use super::hub::{Hub, login_of};
use super::people::Event;
use super::pr::{Check, Judged, Pull};
use crate::ci::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The number of the first.
const FIRST: u64 = 5_201;
/// Without it, Spack's bridge pushes nothing.
pub(super) const PRECHECKS: &str = "all-prechecks";
pub(super) const URGENT: &str = "pipelines:urgent";

/// What is particular about a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Ready to be tested.
    Good,
    /// The GitLab has it.
    Bridged,
    /// The GitLab has an older head.
    Behind,
    Draft,
    Stale,
    CheckFailed,
    CheckRuns,
    CheckAbsent,
    /// Branched off what no pipeline has tested.
    TooNew,
    Conflict,
    Unrelated,
    Urgent,
    UrgentConflict,
    /// GitHub has not found out whether it can be merged.
    UrgentUnknown,
    Release,
    ReleaseConflict,
    /// The API tells an older head than git has.
    Lagging,
    Orphan,
}

/// The parts that are always played, with the branch's name where it is an odd one.
const OPENING: &[(Part, &str)] = &[
    (Part::Good, ""),
    (Part::Bridged, ""),
    (Part::Behind, ""),
    (Part::Draft, ""),
    (Part::Stale, ""),
    (Part::CheckFailed, ""),
    (Part::CheckRuns, ""),
    (Part::CheckAbsent, ""),
    (Part::TooNew, ""),
    (Part::Conflict, ""),
    (Part::Unrelated, ""),
    (Part::Urgent, "🚀-x"),
    (Part::UrgentConflict, ""),
    (Part::UrgentUnknown, ""),
    (Part::Release, "feature/a/b"),
    (Part::ReleaseConflict, ""),
    (Part::Lagging, ""),
    (Part::Orphan, "föö"),
    (Part::Good, "-f"),
    (Part::Good, "--upload-pack=x"),
    (Part::Good, "$(id)"),
    (Part::Draft, "a#b"),
    (Part::Good, "a+b"),
    (Part::Good, "a&b;rm%2F修正"),
];

/// Beyond these, in the proportions of a repository of that size.
const CROWD: &[(Part, u64)] = &[
    (Part::Stale, 48),
    (Part::Draft, 22),
    (Part::CheckFailed, 6),
    (Part::CheckAbsent, 4),
    (Part::TooNew, 4),
    (Part::Conflict, 3),
    (Part::Bridged, 8),
    (Part::Good, 3),
    (Part::Release, 1),
    (Part::Orphan, 1),
];

impl Hub {
    /// Opens what there is at the beginning, and plans what people will do.
    pub(super) fn populate(&mut self, count: usize, trunk: &Trunk) {
        let begin = self.now;
        // GitHub's develop is ahead of what the GitLab has.
        for n in 0..2_u64 {
            self.now = begin.shifted(-(50 - n as i64 * 30) * MINUTE);
            let pr = PullRequest::nth(self.seed ^ 0xa4ead, n);
            let Some(tip) = self.tip("develop").cloned() else { return };
            let files = self.with_change(&tip.files, pr.package, &pr.title);
            let made =
                self.make(&files, &[tip.id], (pr.author, &pr.email), &format!("{} (#{})", pr.title, FIRST - 2 + n));
            self.branches.insert("develop".to_owned(), made.id);
        }
        let weights: u64 = CROWD.iter().map(|(_, weight)| weight).sum();
        for n in 0..count as u64 {
            let mut rng = Rng::of(self.seed, "part", n);
            let (part, name) = OPENING.get(n as usize).copied().unwrap_or_else(|| {
                let mut left = rng.below(weights);
                let crowd = CROWD.iter().find(|(_, weight)| {
                    let is_it = left < *weight;
                    left = left.saturating_sub(*weight);
                    is_it
                });
                (crowd.map_or(Part::Stale, |(part, _)| *part), "")
            });
            self.enter(n, part, name, begin, trunk);
        }
        self.now = begin;
        self.news.clear();
        self.moved.clear();
        if count > 0 {
            self.plan(begin.shifted(2 * MINUTE), Event::Act(0));
        }
    }

    /// Puts one pull request on the stage.
    fn enter(&mut self, n: u64, part: Part, name: &str, begin: Timestamp, trunk: &Trunk) {
        let mut rng = Rng::of(self.seed, "cast", n);
        let about = PullRequest::nth(self.seed ^ 0x6006, n);
        let number = FIRST + n;
        let touched = match part {
            Part::Stale => begin.shifted(-(3 * DAY + rng.below(200) as i64 * DAY + rng.below(DAY as u64) as i64)),
            Part::Draft if rng.chance(0.6) => begin.shifted(-(3 * DAY + rng.below(500) as i64 * DAY)),
            Part::Bridged => begin.shifted(-(4 * HOUR + rng.below(30 * HOUR as u64) as i64)),
            _ => begin.shifted(-(5 * MINUTE + rng.below(30 * HOUR as u64) as i64)),
        };
        self.now = touched;
        let nightly = trunk.develop.len().saturating_sub(1);
        // The first ones are old, the last is the nightly pipeline's; before that comes the one that was tested.
        let fork = match part {
            Part::TooNew => nightly,
            Part::Conflict | Part::UrgentConflict => 5,
            Part::Release | Part::ReleaseConflict => 3,
            _ => rng.between(6, nightly as u64 - 1) as usize,
        };
        let Some(fork) = trunk.develop.get(fork).cloned() else { return };
        let package = match part {
            Part::Conflict | Part::UrgentConflict => changed_between(&fork, trunk).unwrap_or(about.package),
            _ => self.untouched_since(&fork, &mut rng),
        };
        let author = (about.author, &*about.email);
        let title = match part {
            Part::Conflict | Part::UrgentConflict => format!("{package}: another way to do it"),
            _ => about.title.replacen(about.package, package, 1),
        };
        let mut files = self.with_change(&fork.files, package, &title);
        let mut parents = vec![fork.id];
        if part == Part::Unrelated {
            let id = self.store.file("# Moved here from elsewhere\n");
            files = Files::from([(Arc::from("elsewhere.md"), id)]);
            parents.clear();
        }
        if part == Part::ReleaseConflict {
            let id = self.store.file("1.0.2\n");
            files.insert("VERSION".into(), id);
        }
        let head = self.make(&files, &parents, author, &title);
        let slug = about.git_ref.split_once('_').map_or("change", |(_, slug)| slug).replace(about.package, package);
        let login = login_of(about.author);
        let is_release = matches!(part, Part::Release | Part::ReleaseConflict);
        let is_urgent = matches!(part, Part::Urgent | Part::UrgentConflict | Part::UrgentUnknown);
        let pull = Pull {
            is_draft: part == Part::Draft,
            head_ref: if name.is_empty() { slug.into() } else { name.into() },
            head_repo: (part != Part::Orphan).then(|| format!("{login}/spack-packages").into()),
            base_ref: if is_release { Trunk::RELEASE } else { "develop" }.into(),
            labels: if is_urgent {
                vec![URGENT.into()]
            } else if n.is_multiple_of(3) {
                vec!["update-package".into()]
            } else {
                Vec::new()
            },
            created_at: touched.shifted(-(rng.below(3 * DAY as u64) as i64)),
            package,
            ..Pull::opened(number, &title, author, head.clone(), touched)
        };
        self.pulls.insert(number, pull);
        self.judge(number);
        self.first_checks(part, head.id, &mut rng, begin);
        self.particular(part, number, &head, trunk);
    }

    /// What is done to it afterwards.
    fn particular(&mut self, part: Part, number: u64, head: &Made, trunk: &Trunk) {
        match part {
            Part::UrgentUnknown => {
                let begin = self.now;
                if let Some(pull) = self.pulls.get_mut(&number) {
                    pull.judged = Judged::Slow;
                }
                self.plan(begin.shifted(DAY * 3 + 20 * MINUTE), Event::Judged(number));
            }
            Part::Bridged => self.bridge(number, head, trunk),
            Part::Behind => {
                self.bridge(number, head, trunk);
                self.add_commit(number);
                self.judge(number);
                self.finish_checks(number);
            }
            Part::Lagging => {
                self.add_commit(number);
                self.judge(number);
                self.finish_checks(number);
                if let Some(pull) = self.pulls.get_mut(&number) {
                    pull.told = Some(head.id);
                }
                self.plan(self.now.shifted(DAY * 3), Event::CatchesUp(number));
            }
            _ => {}
        }
    }

    /// One more commit on its head, without a word to anybody.
    pub(super) fn add_commit(&mut self, number: u64) {
        let Some(pull) = self.pulls.get(&number).cloned() else { return };
        let title = format!("{}, again", pull.title);
        let text = format!("{title} ({})", pull.commits);
        let files = self.with_change(&pull.head.files, pull.package, &text);
        let head = self.make(&files, &[pull.head.id], (&pull.author, &pull.email), &title);
        self.moved.push((format!("refs/pull/{number}/head"), Some(head.id)));
        if let Some(pull) = self.pulls.get_mut(&number) {
            pull.head = head;
            pull.commits += 1;
        }
    }

    fn first_checks(&mut self, part: Part, head: Oid, rng: &mut Rng, begin: Timestamp) {
        let at = self.now;
        let add = |hub: &mut Self, name: &str, ended: Option<(&'static str, Timestamp)>| {
            let id = hub.next_id();
            let check = Check { id, name: name.into(), started_at: at, ended };
            hub.checks.entry(head).or_default().push(check);
        };
        let end = at.shifted(2 * MINUTE).min(begin);
        add(self, "style", Some((if part == Part::CheckFailed { "failure" } else { "success" }, end)));
        match part {
            Part::CheckAbsent => {}
            Part::CheckFailed => add(self, PRECHECKS, Some(("failure", end))),
            Part::CheckRuns => {
                add(self, PRECHECKS, None);
                self.plan(begin.shifted(8 * MINUTE), Event::CheckEnds(head, PRECHECKS, "success"));
            }
            _ => add(self, PRECHECKS, Some(("success", end))),
        }
        if rng.chance(0.2) {
            add(self, "docs", Some(("skipped", end)));
        }
    }

    pub(super) fn finish_checks(&mut self, number: u64) {
        let Some(head) = self.pulls.get(&number).map(|pull| pull.head.id) else { return };
        for name in ["style", PRECHECKS] {
            let id = self.next_id();
            let check = Check { id, name: name.into(), started_at: self.now, ended: Some(("success", self.now)) };
            self.checks.entry(head).or_default().push(check);
        }
    }

    /// The merge that a bridge has pushed to the GitLab.
    fn bridge(&mut self, number: u64, head: &Made, trunk: &Trunk) {
        let Some(tested) = trunk.of_pipeline(TESTED).map(|made| made.id) else { return };
        let Some(branch) = self.pulls.get(&number).map(|pull| format!("pr{number}_{}", pull.head_ref)) else { return };
        let title = format!("Merge {} into {tested}", head.id);
        if let Some(files) = self.merged_files(head, tested) {
            // GitHub never sees it.
            let made = self.store.make(&files, &[tested, head.id], "spackbot", "noreply@spack.io", self.now, &title);
            self.bridged.push((branch, made));
        }
    }

    /// The files with one more line in the recipe of a package.
    pub(super) fn with_change(&mut self, files: &Files, package: &str, what: &str) -> Files {
        let text = edited(&self.store, files, package, what);
        let id = self.store.file(&text);
        let mut changed = files.clone();
        changed.insert(path_of(package), id);
        changed
    }

    /// A package that develop has left alone since then.
    fn untouched_since(&self, fork: &Made, rng: &mut Rng) -> &'static str {
        let tip = self.tip("develop").map(|tip| tip.files.clone()).unwrap_or_default();
        let is_quiet = |package: &&str| tip.get(&path_of(package)) == fork.files.get(&path_of(package));
        let quiet: Vec<&'static str> = TOUCHED.iter().copied().filter(is_quiet).collect();
        let place = rng.below(quiet.len() as u64) as usize;
        quiet.get(place).copied().unwrap_or("hdf5")
    }
}

/// A package that develop has changed since then, before what was tested.
fn changed_between(fork: &Made, trunk: &Trunk) -> Option<&'static str> {
    let tested = trunk.of_pipeline(TESTED)?;
    let has_changed = |package: &&&str| tested.files.get(&path_of(package)) != fork.files.get(&path_of(package));
    TOUCHED.iter().find(has_changed).copied()
}
