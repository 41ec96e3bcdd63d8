//! Budgets of generation. All of it for 4,000 specs and 60,000 edges, from the bytes of lock and index to YAML: < 1 s, < 300 MB. An index of
//! 100 MB: < 500 MB besides its own bytes. The graph of 4,000 specs and 60,000 edges: build, prune, reduce and sort into levels in < 100 ms and < 50 MB; how
//! that grows; and what a hostile graph costs.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark may give up, and prints a plot of its figures"
)]

mod timing;
mod made {
    pub mod bytes;
    pub mod dag;
    pub mod dice;
    pub mod spack;
}

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use stackhand::ci::Timestamp;
use stackhand::generation::check::{Child, Planned};
use stackhand::generation::{
    Answers, Dag, Form, Generation, Inputs, Kept, Listing, Mirror, MirrorState, MirrorView, Options, affected, gaps,
    generate, joins,
};
use stackhand::spack::buildcache::read_index;
use stackhand::spack::yaml::{Layers, Scope, Value};
use stackhand::spack::{Hash, Lock};

use made::dag::{Stack, chain, hub};
use made::{bytes, spack};
use timing::{Sheet, measure};

const NODES: usize = 4_000;
const EDGES: usize = 60_000;

const CI: &str = "
ci:
  pipeline-gen:
  - submapping:
    - {match: [package-7, package-8 +pic], build-job: {tags: [huge], variables: {CI_JOB_SIZE: huge}}}
    - {match: ['@1.2:'], build-job: {tags: [small], variables: {CI_JOB_SIZE: small}}}
  - build-job: {tags: [x86], image: 'img:1', script: [[. ./setup-env.sh], spack ci rebuild]}
  - any-job: {tags: [spack]}
";

/// What a plot is of.
type Run = fn(&Stack, &[bool]);

fn main() {
    let mut sheet = Sheet::open("graph of a stack");
    memory(&mut sheet);
    whole_generation(&mut sheet);
    large_index(&mut sheet);
    stack(&mut sheet);
    growth(&mut sheet);
    hostile(&mut sheet);
    sheet.close();
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn built(stack: &Stack) -> Dag {
    Dag::new(stack.nodes, stack.edges.iter().copied()).expect("there is no circle")
}

/// From edges to the needs that are written.
fn whole(stack: &Stack, keep: &[bool]) -> Kept {
    built(stack).pruned(keep).expect("the needs fit").reduced()
}

/// First of all, while the heap holds nothing else.
fn memory(sheet: &mut Sheet) {
    let stack = Stack::layered(NODES, EDGES);
    let keep = stack.scattered(50);
    let before = bytes::resident();
    let dag = built(&stack);
    let kept = dag.pruned(&keep).expect("the needs fit");
    let reduced = kept.reduced();
    if let (Some(before), Some(after)) = (before, bytes::resident()) {
        let what = format!("{NODES} specs, {} edges, every second pruned", stack.edges.len());
        bytes::row(sheet, &what, after.saturating_sub(before), Some(50_000_000));
    }
    drop((dag, kept, reduced));
}

/// A stack with every third spec in the cache, as bytes.
struct Bytes {
    lock: String,
    index: String,
    cached: HashSet<String>,
}

impl Bytes {
    fn made() -> Self {
        let lock = spack::lock(&Stack::layered(NODES, EDGES));
        let cached = (0..NODES).filter(|at| at % 3 == 0).map(spack::hash).collect();
        Self { lock, index: spack::index(2_000 * NODES).0, cached }
    }

    /// Generates from bytes on.
    fn generate<T>(&self, then: impl FnOnce(&Lock, &Generation<'_>) -> T) -> T {
        let wanted: Vec<String> = (0..40).map(|at| format!("package-{at}")).collect();
        let Ok(Value::Map(sections)) = Value::parse(CI.as_bytes()) else { unreachable!("it is a map") };
        let layers = Layers(vec![Scope { name: "ci.yaml".into(), sections }]);
        let lock = Lock::parse(self.lock.as_bytes()).expect("the lock is whole");
        let is_cached = |hash: &Hash| self.cached.contains(hash.as_str());
        let index = read_index(self.index.as_bytes(), &is_cached).expect("the index is whole");
        let url = "s3://bin/develop/demo";
        let listing =
            Listing { layout: 3, source: url.into(), checksum: "0".into(), modified: None, listed: index.listed };
        let view = MirrorView {
            name: "buildcache-destination".into(),
            url: url.into(),
            state: MirrorState::Read(vec![listing]),
            direct: HashMap::new(),
        };
        let env = BTreeMap::from([("SPACK_PIPELINE_TYPE".to_owned(), "spack_protected_branch".to_owned())]);
        let mut options = Options::of(&env).0;
        (options.limits.jobs, options.limits.hours) = (NODES, 1e9);
        let inputs = Inputs {
            lock: &lock,
            wanted: &wanted,
            layers: &layers,
            mirrors: &[Mirror::at("buildcache-destination", url)],
            views: &[view],
            changes: None,
            options: &options,
            answers: &Answers::default(),
            broken: &BTreeMap::new(),
            durations: &HashMap::new(),
            now: Timestamp::from_millis(0),
        };
        then(&lock, &generate(&inputs).expect("nothing is refused"))
    }
}

/// From bytes to YAML, and the check of what came out.
fn whole_generation(sheet: &mut Sheet) {
    let whole = Bytes::made();
    let made = || whole.generate(|_, made| (made.document.size(Form::Yaml), made.jobs.len(), bytes::resident()));
    let before = bytes::resident();
    let (size, jobs, after) = made();
    println!("{NODES} specs, {EDGES} edges: {jobs} jobs, {:.1} MB of YAML", size as f64 / 1e6);
    if let (Some(before), Some(after)) = (before, after) {
        bytes::row(sheet, "whole generation: held at its end", after.saturating_sub(before), Some(300_000_000));
    }
    sheet.row("whole generation: lock, index, YAML", ms(1_000), &measure(5, |_| made()));
    whole.generate(|lock, made| {
        let named = |needs: &Arc<Value>| -> Vec<Arc<str>> {
            let needs = needs.as_list().unwrap_or_default().iter();
            needs.filter_map(|need| need.get("job").and_then(Value::as_text)).map(Arc::from).collect()
        };
        let jobs = made.document.jobs.iter();
        let planned: Vec<Planned> =
            jobs.map(|(name, job)| Planned { name: Arc::clone(name), needs: job.get("needs").map(named) }).collect();
        let check = || {
            let child = Child::of(lock, &planned).expect("the lock has a graph");
            child.findings(|hash| whole.cached.contains(hash.as_str()))
        };
        assert_eq!(check(), [], "what was generated is well");
        sheet.row("the same, held against lock and cache", ms(300), &measure(5, |_| check()));
    });
}

fn large_index(sheet: &mut Sheet) {
    let (text, count) = spack::index(100 << 20);
    let read = || read_index(text.as_bytes(), &|hash| hash.as_str().starts_with("aa")).expect("the index is whole");
    let before = bytes::resident();
    let index = read();
    if let (Some(before), Some(after)) = (before, bytes::resident()) {
        bytes::row(sheet, "index of 100 MB: held", after.saturating_sub(before), Some(400_000_000));
    }
    assert_eq!(index.total, count, "every record was seen");
    sheet.row("index of 100 MB", ms(1_000), &measure(3, |_| read()));
}

fn stack(sheet: &mut Sheet) {
    let stack = Stack::layered(NODES, EDGES);
    let dag = built(&stack);
    sheet.row("build", None, &measure(20, |_| built(&stack)));
    for (what, keep) in [
        ("empty cache", vec![true; NODES]),
        ("a cache of closures, half of it", stack.uncached(50)),
        ("a cache of closures, all but a tenth", stack.uncached(10)),
        ("every second at random", stack.scattered(50)),
    ] {
        let kept = dag.pruned(&keep).expect("the needs fit");
        let reduced = kept.reduced();
        println!("{what}: {} jobs, {} needs, {} reduced", kept.len(), kept.needs(), reduced.needs());
        sheet.row("  prune, levels", None, &measure(20, |_| dag.pruned(&keep)));
        sheet.row("  reduce after that", None, &measure(20, |_| kept.reduced()));
        sheet.row("  prune and reduce at once", None, &measure(20, |_| dag.reduced(&keep)));
        sheet.row("  build, prune, levels, reduce", ms(100), &measure(20, |_| whole(&stack, &keep)));
    }
    let changed = [(NODES - 6) as u32];
    sheet.row("affected by a popular spec", ms(2), &measure(50, |_| affected(&dag, &changed, Some(1))));
    let keep = stack.uncached(50);
    let available: Vec<bool> = keep.iter().map(|keep| !keep).collect();
    assert!(gaps(&dag, &keep, &[], &available).is_empty(), "what is not built is there");
    sheet.row("gaps", ms(2), &measure(50, |_| gaps(&dag, &keep, &[], &available)));
    let needs: Vec<u32> = (0..NODES as u32).collect();
    sheet.row("joins of 4,000 needs", ms(2), &measure(50, |_| joins(&needs, 49)));
}

/// The same shape at five sizes. Twice the specs must not cost much more than twice the time.
fn growth(sheet: &mut Sheet) {
    let sizes = [1_000, 2_000, 4_000, 8_000, 16_000];
    let plots: [(&str, Run); 3] = [
        ("build", |stack, _| drop(built(stack))),
        ("build, prune, levels", |stack, keep| drop(built(stack).pruned(keep))),
        ("build, prune, levels, reduce", |stack, keep| drop(whole(stack, keep))),
    ];
    for (what, run) in plots {
        let points: Vec<(usize, Duration)> = sizes
            .iter()
            .map(|nodes| {
                let stack = Stack::layered(*nodes, nodes * EDGES / NODES);
                let keep = stack.uncached(50);
                (*nodes, measure(9, |_| run(&stack, &keep)).median)
            })
            .collect();
        plot(what, &points);
        if let [.., (_, half), (_, whole)] = points.as_slice() {
            let ratio = whole.as_secs_f64() / half.as_secs_f64();
            sheet.print(&format!("{what}: twice the specs"), &format!("{ratio:.1} times as long"), "3", ratio < 4.5);
        }
    }
}

/// One line per point; the bars of linear growth are as long as the marks at their ends say.
fn plot(what: &str, points: &[(usize, Duration)]) {
    const WIDTH: f64 = 60.0;
    let Some((most_nodes, most)) = points.last() else { return };
    println!("{what}, 15 edges per spec, half of it cached ( | = linear)");
    for (nodes, took) in points {
        let bar = (took.as_secs_f64() / most.as_secs_f64() * WIDTH).round() as usize;
        let mark = (*nodes as f64 / *most_nodes as f64 * WIDTH).round() as usize;
        let line: String = (1..=bar.max(mark))
            .map(|at| {
                if at == mark {
                    '|'
                } else if at <= bar {
                    '#'
                } else {
                    ' '
                }
            })
            .collect();
        println!("  {nodes:>6} {took:>9.2?} {line}");
    }
}

fn hostile(sheet: &mut Sheet) {
    let (wide, keep) = hub(2_000);
    let dag = built(&wide);
    let before = bytes::resident();
    let kept = dag.pruned(&keep).expect("four million needs fit");
    if let (Some(before), Some(after)) = (before, bytes::resident()) {
        bytes::row(sheet, "hub of 2,000 by 2,000: held", after.saturating_sub(before), Some(50_000_000));
    }
    assert_eq!(kept.needs(), 4_000_000, "every parent needs every child");
    sheet.row("hub of 2,000 by 2,000: prune, levels", ms(100), &measure(5, |_| dag.pruned(&keep)));
    sheet.row("hub of 2,000 by 2,000: prune and reduce", ms(200), &measure(5, |_| dag.reduced(&keep)));
    let (wide, keep) = hub(10_000);
    let dag = built(&wide);
    sheet.row("hub of 10,000 by 10,000: refused", ms(200), &measure(5, |_| dag.pruned(&keep).expect_err("too many")));
    let long = chain(200_000);
    let every_second: Vec<bool> = (0..long.nodes).map(|node| node % 2 == 0).collect();
    sheet.row("chain of 200,000: all", ms(200), &measure(5, |_| whole(&long, &every_second)));
    let large = Stack::layered(16_000, 240_000);
    let (dag, keep) = (built(&large), large.scattered(50));
    sheet.row("16,000 specs, every second: prune, reduce", ms(1_000), &measure(3, |_| dag.reduced(&keep)));
}
