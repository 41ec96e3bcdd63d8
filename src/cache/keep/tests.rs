use std::sync::Arc;
use std::time::Duration;

use super::{Evidence, KeepFault, KeepFileError, KeepList, KeepReason, LockSource, OtherSource};
use crate::cache::Root;
use crate::cache::plan::tests::made::{Cache, LISTED, at, hash, no_limits};
use crate::cache::plan::{PrunePlan, PruneRefusal};
use crate::ci::{JobId, PipelineId, Timestamp};
use crate::spack::Hash;

const DAY: i64 = 86_400_000;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn read(text: &str) -> Result<KeepList, KeepFileError> {
    KeepList::read("keep.txt", text.as_bytes())
}

#[test]
fn case_26_keep_lists_are_read_as_spack_reads_them() {
    let (one, two) = (hash(1).to_string(), hash(2).to_string());
    let good = read(&format!("  /{one} \r\n{two}\r\n//{one}\n")).unwrap();
    assert_eq!(good.hashes(), [hash(1), hash(2)]);
    assert_eq!(good.reasons(&hash(1)).collect::<Vec<_>>(), [&KeepReason::File("keep.txt".into())]);
    assert_eq!(read(&one).unwrap().len(), 1, "no line break at the end");
    for empty in ["", "\n", " \r\n\t\n"] {
        assert_eq!(read(empty).unwrap_err(), KeepFileError::Empty("keep.txt".into()), "{empty:?}");
    }
    for (text, line, word) in [
        (format!("{one}\n{two}a\n"), 2, "33 characters"),
        (format!("{one}\n\n{two}"), 2, "it is empty"),
        (format!("{one}\n{two}\n\n"), 3, "it is empty"),
        (format!("# {one}"), 1, "34 characters"),
        (format!("{one}\n{}", two.to_uppercase()), 2, "character 'A'"),
        (format!("{one} # why"), 1, "38 characters"),
        (format!("{one}\r{two}"), 1, "65 characters"),
        (format!("\u{feff}{one}"), 1, "33 characters"),
        (one.replace('b', "1"), 1, "character '1'"),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line {line} of")) && error.contains(word), "{text:?}: {error}");
    }
    let bytes = KeepList::read("keep.txt", &[one.as_bytes(), b"\n\xff"].concat()).unwrap_err().to_string();
    assert!(bytes.starts_with("line 2 of the keep list keep.txt") && bytes.contains("UTF-8"), "{bytes}");
}

#[test]
fn a_digest_is_that_of_the_sorted_file() {
    let (one, two) = (hash(1), hash(2));
    let digest = read(&format!("{two}\n{one}\n{two}\n")).unwrap().digest();
    assert_eq!(digest, crate::spack::buildcache::Checksum::of(format!("{one}\n{two}\n").as_bytes()));
    assert_ne!(digest, read(&format!("{one}\n")).unwrap().digest());
}

fn lock(stack: &str, job: u64, days: i64, outcome: Result<&[usize], &str>) -> LockSource {
    LockSource {
        stack: stack.into(),
        job: JobId(job),
        pipeline: PipelineId(job / 10),
        finished: NOW.shifted(-days * DAY),
        outcome: outcome.map(|specs| specs.iter().map(|spec| hash(*spec)).collect()).map_err(str::to_owned),
    }
}

fn evidence(active: &[&str], locks: Vec<LockSource>) -> Evidence {
    Evidence {
        git_ref: "develop".into(),
        now: NOW,
        window: Duration::from_secs(14 * 86_400),
        active: active.iter().map(|stack| Arc::from(*stack)).collect(),
        locks,
        others: Vec::new(),
        unanswered: Vec::new(),
    }
}

fn gather(evidence: &Evidence, root: &str) -> KeepList {
    KeepList::gather(evidence, &Root::of(root))
}

fn other(reason: KeepReason, outcome: Result<Vec<Hash>, String>) -> OtherSource {
    OtherSource { reason, outcome }
}

#[test]
fn a_stack_keeps_its_own_locks_and_the_top_level_all_of_them() {
    let locks = vec![
        lock("e4s", 11, 3, Ok(&[1, 2])),
        lock("e4s", 12, 1, Ok(&[2, 3])),
        lock("ml", 21, 2, Ok(&[3, 4])),
        lock("ml", 22, 15, Ok(&[9])),
    ];
    let mut evidence = evidence(&["e4s", "ml"], locks);
    evidence.others.push(other(KeepReason::Pin("a demo".into()), Ok(vec![hash(7)])));
    let top = gather(&evidence, "develop");
    assert_eq!(top.hashes(), [1, 2, 3, 4, 7].map(hash), "what is older than the window counts no more");
    assert!(top.faults().is_empty());
    assert_eq!(top.coverage().map(|coverage| (coverage.stacks, coverage.locks)), Some((2, 3)));
    let whys = |list: &KeepList, spec| list.reasons(&hash(spec)).map(ToString::to_string).collect::<Vec<_>>();
    let newest = format!("lock of e4s, job 12 of pipeline 1, {}", NOW.shifted(-DAY));
    assert_eq!(whys(&top, 2), std::slice::from_ref(&newest), "the newest of a stack is enough");
    assert_eq!(whys(&top, 3), [newest, format!("lock of ml, job 21 of pipeline 2, {}", NOW.shifted(-2 * DAY))]);
    assert_eq!(whys(&top, 7), ["pinned: a demo"]);
    assert!(whys(&top, 9).is_empty());
    let stack = gather(&evidence, "develop/ml");
    assert_eq!(stack.hashes(), [3, 4, 7].map(hash));
    assert!(stack.faults().is_empty() && stack.coverage().is_some_and(|coverage| &*coverage.root == "develop/ml"));
}

/// What planning says about a root with some specs.
fn refusals(list: &KeepList, root: &str) -> Vec<PruneRefusal> {
    let contents = Cache::of(3).contents();
    PrunePlan::make(&Root::of(root), &contents, Some(list), &no_limits(), at(LISTED)).unwrap_err()
}

#[test]
fn case_29_a_stack_without_a_lock_stops_the_top_level_by_name() {
    let stacks: Vec<String> = (0..23).map(|nth| format!("stack-{nth:02}")).collect();
    let names: Vec<&str> = stacks.iter().map(String::as_str).collect();
    let mut locks: Vec<LockSource> = names.iter().zip(1..).map(|(stack, job)| lock(stack, job, 1, Ok(&[0]))).collect();
    assert!(gather(&evidence(&names, locks.clone()), "develop").faults().is_empty());
    locks[17].finished = NOW.shifted(-15 * DAY);
    let evidence = evidence(&names, locks);
    let list = gather(&evidence, "develop");
    assert_eq!(list.faults(), [KeepFault::Stack { stack: "stack-17".into(), days: 14 }]);
    let sentence = refusals(&list, "develop")[0].to_string();
    assert!(sentence.contains("the stack stack-17 has no lock of the last 14 days"), "{sentence}");
    assert!(gather(&evidence, "develop/stack-16").faults().is_empty(), "other stacks are not stopped by it");
    assert_eq!(gather(&evidence, "develop/stack-17").faults().len(), 1);
    let nobody = Evidence { active: Vec::new(), ..evidence };
    assert_eq!(gather(&nobody, "develop").faults(), [KeepFault::NoStacks]);
}

#[test]
fn case_30_a_lock_that_cannot_be_read_stops_the_list_with_its_job() {
    for (outcome, word) in [
        (Err("404 Not Found, it has expired"), "404"),
        (Err("line 3: expected value"), "line 3"),
        (Ok(&[][..]), "it names no spec"),
    ] {
        let locks = vec![lock("e4s", 15_201_234, 2, outcome), lock("e4s", 9, 1, Ok(&[0]))];
        let list = gather(&evidence(&["e4s"], locks), "develop");
        let found = refusals(&list, "develop");
        assert_eq!(found.len(), 1);
        let sentence = found[0].to_string();
        assert!(sentence.contains("job 15201234") && sentence.contains(word), "{sentence}");
    }
}

#[test]
fn what_was_not_answered_makes_a_list_incomplete() {
    let mut evidence = evidence(&["e4s"], vec![lock("e4s", 1, 1, Ok(&[0]))]);
    evidence.unanswered.push(("pipelines of develop, page 3".into(), "502 Bad Gateway".into()));
    evidence.others.push(other(KeepReason::Snapshot("develop-2025-11-02".into()), Err("403".to_owned())));
    let list = gather(&evidence, "develop");
    let sentences: Vec<String> = list.faults().iter().map(ToString::to_string).collect();
    assert!(sentences[0].contains("snapshot develop-2025-11-02") && sentences[0].contains("403"), "{sentences:?}");
    assert!(sentences[1].contains("page 3") && sentences[1].contains("502"), "{sentences:?}");
    assert_eq!(refusals(&list, "develop").len(), 2);
}

#[test]
fn a_list_is_for_one_root() {
    let evidence = evidence(&["e4s"], vec![lock("e4s", 1, 1, Ok(&[0]))]);
    let list = gather(&evidence, "develop/e4s");
    assert!(matches!(refusals(&list, "develop/ml")[..], [PruneRefusal::OtherRoot { .. }]));
    let release = gather(&evidence, "releases/v2025.11");
    assert!(matches!(&release.faults()[0], KeepFault::Ref { evidence, .. } if &**evidence == "develop"));
    let from_file = read(&hash(0).to_string()).unwrap();
    assert!(matches!(refusals(&from_file, "develop")[..], [PruneRefusal::CoverageUnknown { .. }]));
}
