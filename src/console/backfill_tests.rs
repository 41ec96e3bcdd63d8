use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const HOUR: i64 = 3_600_000;

fn ago(hours: i64) -> Timestamp {
    NOW.shifted(-hours * HOUR)
}

fn span(from: i64, to: i64, next: Option<&str>) -> Covered {
    Covered { from: ago(from), to: ago(to), next: next.map(Into::into) }
}

fn wanted(days: u64) -> Wanted {
    let day = Duration::from_hours(24);
    Wanted { now: NOW, back: day * days as u32, retention: day * 90, settle: SETTLE }
}

/// A project's failed jobs by id, with when they were created: ids rise with time.
struct Server {
    jobs: BTreeMap<u64, Timestamp>,
    page: usize,
}

impl Server {
    fn hourly(count: u64, page: usize) -> Self {
        Self { jobs: (0..count).map(|n| (count - n, NOW.shifted(-(n as i64) * HOUR - HOUR / 2))).collect(), page }
    }

    fn answer(&self, ask: &Ask) -> (Vec<u64>, Answer) {
        let below: u64 = ask.page.as_ref().map_or(u64::MAX, |page| page.parse().unwrap());
        let ids: Vec<u64> = self.jobs.range(..below).rev().take(self.page).map(|(id, _)| *id).collect();
        let last = ids.last();
        let more = last.filter(|last| self.jobs.range(..**last).next().is_some());
        let answer = Answer { oldest: last.map(|id| self.jobs[id]), next: more.map(|id| id.to_string().into()) };
        (ids, answer)
    }
}

/// Reads until the plan ends; returns the jobs of each page, and keeps what is to be kept.
fn read(server: &Server, kept: &mut Vec<Covered>, wanted: Wanted, budget: u32) -> (Vec<Vec<u64>>, Step) {
    let mut plan = Backfill::new(kept.clone(), wanted, budget);
    let mut pages = Vec::new();
    loop {
        match plan.step() {
            Step::Ask(ask) => {
                let (ids, answer) = server.answer(&ask);
                pages.push(ids);
                if let Some(covered) = plan.answered(&ask, answer).unwrap() {
                    *kept = merge(kept.clone(), covered);
                }
            }
            step => return (pages, step),
        }
    }
}

#[test]
fn spans_become_one_where_they_touch_and_go_on_where_the_lowest_does() {
    let merged = merge([span(10, 5, Some("a")), span(40, 30, Some("b"))], span(30, 10, Some("c")));
    assert_eq!(merged, [span(40, 5, Some("b"))]);
    let apart = merge([span(10, 5, Some("a"))], span(40, 11, Some("b")));
    assert_eq!(apart, [span(10, 5, Some("a")), span(40, 11, Some("b"))]);
    // One that knows how to go on beats one that does not; of two, the newer.
    assert_eq!(merge([span(9, 5, None)], span(9, 7, Some("b"))), [span(9, 5, Some("b"))]);
    assert_eq!(merge([span(9, 5, Some("a"))], span(9, 7, None)), [span(9, 5, Some("a"))]);
    assert_eq!(merge([span(9, 5, Some("a"))], span(9, 7, Some("b"))), [span(9, 5, Some("b"))]);
    // What is empty or upside down says nothing.
    assert_eq!(merge([span(5, 9, Some("a"))], span(7, 7, Some("b"))), []);
}

#[test]
fn the_newest_is_read_first_and_reading_ends_where_it_shall() {
    let server = Server::hourly(24 * 200, 10);
    let mut kept = Vec::new();
    let (pages, step) = read(&server, &mut kept, wanted(7), 1_000);
    assert_eq!(step, Step::Done);
    // A week of 24 jobs a day, ten per page.
    assert_eq!(pages.len(), 17);
    assert_eq!(pages[0][0], 24 * 200);
    // What is younger than a day may still fail: it is not kept.
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].to, ago(24));
    assert!(kept[0].from <= ago(7 * 24) && kept[0].from > ago(7 * 24 + 10));
    // Once more: the unsettled day only, and nothing below it.
    let (pages, _) = read(&server, &mut kept, wanted(7), 1_000);
    assert_eq!(pages.len(), 3);
    // Further back: the unsettled day, then on from where reading ended.
    let (pages, _) = read(&server, &mut kept, wanted(9), 1_000);
    assert_eq!(pages.len(), 3 + 5);
    assert!(pages[3].iter().all(|id| server.jobs[id] < ago(7 * 24)));
    // Never beyond what is remembered.
    let (_, step) = read(&server, &mut kept, wanted(1_000), 10_000);
    assert_eq!(step, Step::Done);
    assert!(kept[0].from <= ago(90 * 24) && kept[0].from > ago(90 * 24 + 10), "{kept:?}");
}

#[test]
fn a_reading_that_was_cut_off_goes_on_where_it_was() {
    let server = Server::hourly(24 * 40, 10);
    let mut kept = Vec::new();
    let (first, step) = read(&server, &mut kept, wanted(30), 20);
    assert_eq!((first.len(), step), (20, Step::OutOfBudget));
    let (second, _) = read(&server, &mut kept, wanted(30), 1_000);
    let first: BTreeSet<u64> = first.into_iter().flatten().collect();
    let again: Vec<u64> = second.into_iter().flatten().filter(|id| first.contains(id)).collect();
    assert!(again.iter().all(|id| server.jobs[id] >= ago(24 + 10)), "{again:?}");
}

#[test]
fn a_gap_between_two_readings_is_read_from_above_and_closes() {
    let server = Server::hourly(24 * 40, 10);
    let mut kept = Vec::new();
    let early = Wanted { now: ago(10 * 24), ..wanted(5) };
    // Ten days ago somebody read five days; jobs that are newer did not exist then.
    let then = Server {
        jobs: server.jobs.iter().filter(|(_, at)| **at < early.now).map(|(i, t)| (*i, *t)).collect(),
        page: 10,
    };
    read(&then, &mut kept, early, 1_000);
    assert_eq!(kept[0].to, ago(11 * 24));
    let (pages, _) = read(&server, &mut kept, wanted(20), 1_000);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let read: Vec<u64> = pages.into_iter().flatten().collect();
    // Between the two, and below the first; what lies in the first only where a page reaches into it.
    let inside =
        read.iter().filter(|id| server.jobs[id] < ago(11 * 24 + 10) && server.jobs[id] >= ago(15 * 24)).count();
    assert_eq!(inside, 0);
    assert!(read.iter().any(|id| server.jobs[id] < ago(19 * 24)));
}

#[test]
fn jobs_of_one_moment_are_not_lost_at_the_edge_of_a_page() {
    // A pipeline creates all its jobs at once: 25 of one moment, ten per page.
    let jobs: BTreeMap<u64, Timestamp> = (1..=60)
        .map(|id| {
            (
                id,
                if id <= 30 {
                    ago(72)
                } else if id <= 55 {
                    ago(60)
                } else {
                    ago(50)
                },
            )
        })
        .collect();
    let server = Server { jobs, page: 10 };
    // What was read before ends just above the moment at which the page's edge will be.
    let mut kept = vec![Covered { from: ago(100), to: ago(60), next: Some("1".into()) }];
    let (pages, step) = read(&server, &mut kept, wanted(4), 100);
    let read: BTreeSet<u64> = pages.into_iter().flatten().collect();
    assert_eq!(step, Step::Done);
    assert!((31..=60).all(|id| read.contains(&id)), "{read:?}");
}

#[test]
fn without_a_place_to_go_on_the_list_is_read_from_its_top() {
    let server = Server::hourly(24 * 40, 10);
    // Retention had cut off the lower end; now more is wanted.
    let mut kept = vec![span(10 * 24, 0, None)];
    let (pages, step) = read(&server, &mut kept, wanted(12), 1_000);
    assert_eq!(step, Step::Done);
    assert_eq!(pages[0][0], 24 * 40);
    assert!(kept[0].from <= ago(12 * 24) && kept[0].next.is_some(), "{kept:?}");
}

#[test]
fn the_end_of_the_list_and_an_empty_project_are_ends() {
    let mut kept = Vec::new();
    let (pages, step) = read(&Server::hourly(0, 10), &mut kept, wanted(7), 10);
    assert_eq!((pages.len(), step), (1, Step::Done));
    assert_eq!(kept, [span(7 * 24, 24, None)]);
    let mut kept = Vec::new();
    let (pages, step) = read(&Server::hourly(36, 10), &mut kept, wanted(7), 10);
    assert_eq!((pages.len(), step), (4, Step::Done));
    assert_eq!(kept[0].from, ago(7 * 24));
}

#[test]
fn odd_answers_neither_loop_nor_cover_what_was_not_read() {
    let mut plan = Backfill::new([], wanted(7), 3);
    let Step::Ask(first) = plan.step() else { panic!("nothing to ask") };
    assert_eq!(first, Ask { page: None, from: ago(7 * 24), to: NOW });
    // An empty page with a next one, and a page of jobs from the future, only lead on.
    assert_eq!(plan.answered(&first, Answer { oldest: None, next: Some("a".into()) }), Ok(None));
    let Step::Ask(second) = plan.step() else { panic!("nothing to ask") };
    assert_eq!(second.page.as_deref(), Some("a"));
    assert_eq!(plan.answered(&second, Answer { oldest: Some(NOW.shifted(HOUR)), next: Some("b".into()) }), Ok(None));
    // A request that fails is asked again, and costs.
    let Step::Ask(third) = plan.step() else { panic!("nothing to ask") };
    assert_eq!(third.page.as_deref(), Some("b"));
    assert_eq!(plan.step(), Step::OutOfBudget);
    assert_eq!(plan.left(), Duration::from_hours(7 * 24));
    plan.refill(1);
    assert_eq!(plan.step(), Step::Ask(third.clone()));
    assert_eq!(plan.answered(&third, Answer { oldest: Some(ago(30)), next: Some("b".into()) }), Err(Stalled));
    assert_eq!(plan.left(), Duration::from_hours(7 * 24));
    // Extremes of time are no reason to stop working.
    let far = Wanted { back: Duration::MAX, retention: Duration::MAX, settle: Duration::MAX, ..wanted(1) };
    let mut plan = Backfill::new([span(i64::MAX / HOUR, 5, None)], far, 1);
    assert!(matches!(plan.step(), Step::Ask(_)));
}

proptest! {
    /// Whatever was read before, however often reading is cut off: in the end every job was seen, and no page twice in
    /// one reading.
    #[test]
    fn everything_is_seen_and_nothing_that_is_kept_is_asked_for(
        steps in prop::collection::vec(0..40i64, 1..400),
        page in 1..20usize,
        budgets in prop::collection::vec(1..30u32, 1..6),
        ends in prop::collection::vec(0..60i64, 1..4),
    ) {
        let mut at = ago(30 * 24);
        let jobs: BTreeMap<u64, Timestamp> = steps.iter().enumerate().map(|(n, step)| {
            // Many at one moment, then some hours of silence.
            at = at.shifted((step - 20).max(0) * HOUR / 4);
            (n as u64 + 1, at)
        }).filter(|(_, at)| *at < NOW).collect();
        let mut kept: Vec<Covered> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut moments: Vec<i64> = ends.iter().map(|hours| hours * 12).collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        for (hours, budget) in moments.iter().zip(budgets.iter().cycle()) {
            let now = ago(*hours);
            let then = jobs.iter().filter(|(_, at)| **at < now).map(|(i, t)| (*i, *t)).collect();
            let server = Server { jobs: then, page };
            let before = kept.clone();
            let (pages, _) = read(&server, &mut kept, Wanted { now, ..wanted(20) }, *budget);
            // That nothing is left above what is kept shows on the next page only.
            let inside = |id: &u64| before.iter().any(|s| s.from <= server.jobs[id] && server.jobs[id] < s.to);
            let again = pages.iter().filter(|ids| !ids.is_empty() && ids.iter().all(inside)).count();
            prop_assert!(again <= before.len(), "{again} pages were asked for again");
            // Two pages may share jobs where what is kept between them is shorter than a page.
            let begins: Vec<&u64> = pages.iter().filter_map(|ids| ids.first()).collect();
            prop_assert_eq!(begins.iter().collect::<BTreeSet<_>>().len(), begins.len(), "{:?}", begins);
            seen.extend(pages.into_iter().flatten());
        }
        let (pages, step) = read(&Server { jobs: jobs.clone(), page }, &mut kept, wanted(20), 10_000);
        prop_assert_eq!(step, Step::Done);
        seen.extend(pages.into_iter().flatten());
        let missed: Vec<_> = jobs.iter().filter(|(id, at)| **at >= ago(20 * 24) && !seen.contains(id)).collect();
        prop_assert!(missed.is_empty(), "{missed:?}");
    }
}
