//! Clusters do not depend on order, keep their names and stay bounded.

use proptest::prelude::*;

use super::*;
use crate::taxonomy::{SignatureContext, signature};

fn sign(lines: &[&str]) -> Vec<Signature> {
    lines.iter().map(|line| signature(line, &SignatureContext::default())).collect()
}

fn cluster(signatures: &[Signature]) -> Clusters {
    Clusters::of(&signatures.iter().map(|s| (s, 1)).collect::<Vec<_>>())
}

fn templates(clusters: &Clusters) -> Vec<(&str, u64)> {
    clusters.iter().map(|c| (&*c.template, c.count)).collect()
}

#[test]
fn one_word_apart_is_one_cluster_and_a_code_apart_is_not() {
    let clusters = cluster(&sign(&[
        "Timed out waiting for a read lock",
        "Timed out waiting for a write lock",
        "Timed out waiting for a write lock on file: /x/y",
        "fatal: unable to access here: The requested URL returned error: 500",
        "fatal: unable to access here: The requested URL returned error: 404",
        "Bus error",
        "Other error",
    ]));
    assert_eq!(
        clusters.iter().next().map(|c| (&*c.template, c.count)),
        Some(("Timed out waiting for a <*> lock <*>", 3))
    );
    assert_eq!(clusters.iter().count(), 5, "{:?}", templates(&clusters));
}

#[test]
fn nothing_gives_nothing_and_counts_add_up() {
    assert_eq!(Clusters::of(&[]).iter().count(), 0);
    let signs = sign(&["worker lost while reading index"]);
    let twice = Clusters::of(&[(&signs[0], 2), (&signs[0], u64::MAX)]);
    assert_eq!(templates(&twice), [("worker lost while reading index", u64::MAX)]);
    assert_eq!(twice.find(&signs[0].fingerprint).map(|c| &c.name), Some(&signs[0].fingerprint));
    assert_eq!(twice.find("s1-none"), None);
}

#[test]
fn growth_keeps_names() {
    let words = ["alpha", "beta", "gamma", "delta", "kappa", "sigma", "omega", "theta"];
    let lines: Vec<String> = words.iter().map(|w| format!("cannot reach the {w} service any more")).collect();
    let signs = sign(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let mut before = cluster(&signs[..1]);
    for n in 2..=signs.len() {
        let items: Vec<_> = signs[..n].iter().map(|s| (s, 1)).collect();
        let after = Clusters::grown(&items, &before);
        assert_eq!(after.iter().count(), 1);
        assert_eq!(after.iter().next().map(|c| &c.name), before.iter().next().map(|c| &c.name));
        before = after;
    }
}

#[test]
fn a_hundred_thousand_templates_are_bounded() {
    let make = |n: usize| Signature {
        fingerprint: format!("s1-{n:016x}").into(),
        template: format!("the job of kind k{} stopped with w{} near w{}", n % 7, n / 331, n % 331).into(),
    };
    let signs: Vec<Signature> = (0..MOST + 5).map(make).collect();
    let clusters = cluster(&signs);
    assert_eq!(clusters.left_out(), 5);
    assert_eq!(clusters.iter().map(|c| c.signatures.len()).sum::<usize>(), MOST);
}

proptest! {
    #[test]
    fn order_does_not_matter_and_each_signature_has_one_cluster(
        lines in proptest::collection::vec("(cannot|could not) (read|write|find) the (big|old) (file|index|key)( now)?( at all)?", 0..30),
        seed in any::<u64>(),
        cut in 0_usize..30,
    ) {
        let signs = sign(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut other = signs.clone();
        other.sort_by_key(|s| { let mut h = DefaultHasher::new(); (seed, &s.template).hash(&mut h); h.finish() });
        let one = cluster(&signs);
        prop_assert_eq!(&one, &cluster(&other));
        for sign in &signs {
            let found = one.iter().filter(|c| c.signatures.contains(&sign.fingerprint)).count();
            prop_assert_eq!(found, 1);
        }
        let names: BTreeSet<_> = one.iter().map(|c| &c.name).collect();
        prop_assert_eq!(names.len(), one.iter().count());
        // Growing from any part gives the same clusters; only names may be older.
        let grown = Clusters::grown(&signs.iter().map(|s| (s, 1)).collect::<Vec<_>>(), &cluster(&signs[..cut.min(signs.len())]));
        let sets = |c: &Clusters| c.iter().map(|c| c.signatures.clone()).collect::<BTreeSet<_>>();
        prop_assert_eq!(sets(&grown), sets(&one));
        let names: BTreeSet<_> = grown.iter().map(|c| &c.name).collect();
        prop_assert_eq!(names.len(), grown.iter().count());
    }
}
