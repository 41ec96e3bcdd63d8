//! Equal causes meet and different ones do not: on made-up lines, on the labelled logs, and for any text at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;

use super::{SignatureContext, signature};

fn template(line: &str) -> String {
    signature(line, &SignatureContext::default()).template.to_string()
}

fn fingerprint(line: &str) -> String {
    signature(line, &SignatureContext::default()).fingerprint.to_string()
}

/// One row of `labels.tsv` with its evidence line as shown.
struct Row {
    file: String,
    label: String,
    template: String,
    cluster: String,
    line: String,
    kind: String,
    exit_code: Option<i32>,
}

fn labelled() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/logs");
    let Ok(labels) = std::fs::read_to_string(folder.join("labels.tsv")) else {
        println!("skipped: {} has no labels.tsv", folder.display());
        return Vec::new();
    };
    let mut lines = labels.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let mut rows = Vec::new();
    for fields in lines.map(|line| line.split('\t').collect::<Vec<_>>()) {
        let field = |name: &str| fields[column(name)].to_owned();
        let evidence = field("evidence");
        if evidence.is_empty() || field("status") != "failed" {
            continue;
        }
        let log = std::fs::read(folder.join(field("file"))).unwrap();
        let mut shown = Vec::new();
        let found = log.split(|b| *b == b'\n').find_map(|raw| {
            let raw = if crate::ci::log::Stamp::read(raw).is_some() { &raw[crate::ci::log::STAMP..] } else { raw };
            crate::ci::log::plain_into(raw, &mut shown);
            let text = String::from_utf8_lossy(&shown).into_owned();
            text.contains(&evidence).then_some(text)
        });
        rows.push(Row {
            file: field("file"),
            label: field("label"),
            template: field("template"),
            cluster: field("cluster"),
            line: found.unwrap_or(evidence),
            kind: field("job_kind"),
            exit_code: field("exit_code").parse().ok(),
        });
    }
    rows
}

/// The adjusted Rand index of two partitions: 1 for the same, about 0 for chance.
fn ari(pairs: &[(String, String)]) -> f64 {
    let choose = |n: usize| (n * n.saturating_sub(1)) as f64 / 2.0;
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let (mut rows, mut columns): (BTreeMap<&str, usize>, BTreeMap<&str, usize>) = Default::default();
    for (a, b) in pairs {
        *cells.entry((a, b)).or_default() += 1;
        *rows.entry(a).or_default() += 1;
        *columns.entry(b).or_default() += 1;
    }
    let sum = |counts: Vec<usize>| counts.into_iter().map(choose).sum::<f64>();
    let both = sum(cells.into_values().collect());
    let (a, b) = (sum(rows.into_values().collect()), sum(columns.into_values().collect()));
    let chance = a * b / choose(pairs.len());
    (both - chance) / ((a + b) / 2.0 - chance)
}

fn pairs(rows: &[Row], truth: impl Fn(&Row) -> String) -> Vec<(String, String)> {
    let sign = |row: &Row| {
        let context =
            SignatureContext { job_kind: Some(&row.kind), section: Some("step_script"), exit_code: row.exit_code };
        signature(&row.line, &context).fingerprint.to_string()
    };
    rows.iter().map(|row| (truth(row), sign(row))).collect()
}

#[test]
fn the_rand_index_knows_same_split_and_mixed() {
    let make = |text: &str| text.split(' ').map(|p| (p[..1].to_owned(), p[1..].to_owned())).collect::<Vec<_>>();
    assert!((ari(&make("a1 a1 b2 b2")) - 1.0).abs() < 1e-9);
    assert!(ari(&make("a1 a2 b1 b2")) < 0.0);
    assert!((ari(&make("a1 a1 a2 b3 b3 b3")) - 12.0 / 17.0).abs() < 1e-9);
}

#[test]
fn unknown_failures_of_one_cause_share_a_fingerprint() {
    let rows: Vec<Row> = labelled().into_iter().filter(|row| row.label == "unknown").collect();
    if rows.is_empty() {
        return;
    }
    let pairs = pairs(&rows, |row| row.cluster.clone());
    let index = ari(&pairs);
    println!("ARI {index:.4} over {} logs", rows.len());
    assert!(index >= 0.95, "{index}: {pairs:#?}");
}

#[test]
fn variants_of_one_log_share_a_fingerprint_and_classes_do_not() {
    let rows = labelled();
    let mut of_template: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut classes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (row, (_, print)) in rows.iter().zip(pairs(&rows, |row| row.template.clone())) {
        println!("{} {} {print} {}", row.label, row.file, template(&row.line));
        of_template.entry(&row.template).or_default().insert(print.clone());
        classes.entry(print).or_default().insert(&row.label);
    }
    let split: Vec<_> = of_template.iter().filter(|(_, prints)| prints.len() > 1).collect();
    let mixed: Vec<_> = classes.iter().filter(|(_, labels)| labels.len() > 1).collect();
    println!("split {split:#?}\nmixed {mixed:#?}");
    assert!(split.len() <= 1, "{split:#?}");
    assert!(mixed.len() <= 1, "{mixed:#?}");
}
