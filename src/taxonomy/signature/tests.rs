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
    (both - chance) / (f64::midpoint(a, b) - chance)
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

/// Lines of one cause, as different tools and runs write them.
const SAME: &[&[&str]] = &[
    &[
        "OSError: [Errno 116] Stale file handle: '/home/software/spack/.spack-db/lock'",
        "cp: cannot stat '/mnt/cache/zlib-1.3.tar.gz': Stale file handle",
        "fatal: unable to read tree: Stale NFS file handle",
    ],
    &[
        "/opt/x/bin/cmake: /lib64/libc.so.6: version `GLIBC_2.34' not found (required by /opt/x/bin/cmake)",
        "./conftest: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found (required by ./conftest)",
    ],
    &[
        "botocore.exceptions.ClientError: An error occurred (SlowDown) when calling the PutObject operation (reached max retries: 4): Please reduce your request rate.",
        "An error occurred (SlowDown) when calling the UploadPart operation: Please reduce your request rate.",
        "==> Warning: upload failed: SlowDown: Please reduce your request rate",
    ],
    &[
        "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 1 column 7 (char 6)",
        "simplejson.errors.JSONDecodeError: Extra data: line 3 column 1 - line 9 column 2 (char 9 - 100)",
        "==> Error: Expecting value: line 1 column 1 (char 0)",
    ],
    &[
        "fatal: Remote branch pr4791_update-hdf5 not found in upstream origin",
        "fatal: Remote branch develop-2026-01-04 not found in upstream origin",
        "fatal: Remote branch develop not found in upstream origin",
    ],
    &[
        "==> Error: Failed to install raja due to ChildError: 1 errors found in build log",
        "==> Error: Failed to install py-torch due to ChildError: 27 errors found in build log",
    ],
    &["==> zlib: Executing phase: 'install'", "==> py-numpy: Executing phase: 'build_ext'"],
    &[
        "==> hdf5@1.14.5%gcc@13.2.0+mpi~shared build_system=cmake /abcdefg: checksum failed",
        "==> zlib@1.3 +pic /7g43pdsywtptqbh6n3bcu4uns5gi3ay2: checksum failed",
    ],
    &[
        "make[2]: *** [Makefile:2043: check-strumpack] Error 2",
        "make: *** [CMakeFiles/x.dir/build.make:12: all] Error 2",
        "gmake[11]: *** [Makefile:7: install-am] Error 2",
    ],
    &[
        "2026-05-15T19:36:32.851961Z worker lost: 10.2.33.4:443 after 12.5s, 1.5GiB read",
        "[2026-05-15 19:36:32] worker lost: 10.0.0.9 after 7m, 233 read",
    ],
    &[
        "curl: (7) Failed to connect to mirror.spack.io port 443 after 31 ms: Connection refused",
        "curl: (7) Failed to connect to ftp.gnu.org port 80 after 2001 ms: Connection refused",
    ],
    &[
        "request 6f1c2f0e-1b7a-4c1e-9a55-0f3a1e2b3c4d to 0x7f3a9c001230 failed: bad digest 9f86d081884c7d659a2feaa0c55ad015",
        "request 00000000-1b7a-4c1e-9a55-0f3a1e2b3c4d to 0xdeadbeef failed: bad digest 60303ae22b998861bce3b28f33eec1be",
    ],
    &[
        "  >> 20        raise InstallError('no such option')",
        "     7        raise InstallError('no such option')",
        "raise InstallError('no such option')",
    ],
    &[
        "lost runner-x86-v3-pub-gitlab-runner-6c9cbadfef-x2xab for good",
        "lost runner-graviton4-gitlab-runner-b-fygqw for good",
        "lost runner-bclmhd7rv-project-57-concurrent-0-kyrtwiww for good",
    ],
    &["missing: a.c, b/c.h, /x/y", "missing: a.c", "missing: k.f90 w/e/r"],
];

/// Lines of different causes that look alike.
const DIFFERENT: &[&str] = &[
    "ERROR: Job failed: exit code 137",
    "ERROR: Job failed: exit code 1",
    "curl: (22) The requested URL returned error: 404",
    "curl: (22) The requested URL returned error: 503",
    "curl: (28) Operation timed out after 1006 milliseconds with 0 bytes received",
    "URLError: <urlopen error [Errno 111] Connection refused>",
    "URLError: <urlopen error [Errno 113] No route to host>",
    "ModuleNotFoundError: No module named 'yaml'",
    "ModuleNotFoundError: No module named 'boto3'",
    "x: version `GLIBCXX_3.4.29' not found (required by x)",
    "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied",
    "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: Not authorized",
    "pod \"p\" is disrupted: reason \"EvictionByEvictionAPI\", message \"Eviction API: evicting\"",
    "pod \"p\" is disrupted: reason \"TerminationByKubelet\", message \"Pod was terminated\"",
    "The node was low on resource: memory.",
    "The node was low on resource: ephemeral-storage.",
    "",
];

#[test]
fn one_cause_has_one_name_whoever_reports_it() {
    for lines in SAME {
        let prints: BTreeSet<String> = lines.iter().map(|line| fingerprint(line)).collect();
        assert_eq!(prints.len(), 1, "{:#?}", lines.iter().map(|line| template(line)).collect::<Vec<_>>());
    }
    let firsts = SAME.iter().map(|lines| lines[0]).chain(DIFFERENT.iter().copied());
    let mut seen = BTreeMap::new();
    for line in firsts.filter(|line| !line.contains("PutObject") || !line.contains("SlowDown")) {
        if let Some(other) = seen.insert(fingerprint(line), line) {
            panic!("{other}\n{line}\n{}", template(line));
        }
    }
}

#[test]
fn templates_read_like_the_line() {
    for (line, want) in [
        ("  a   b\tc ", "a b c"),
        ("==> Error: mfem@4.7.0/abcdefg: no such thing", "Error: <spec>: no such thing"),
        ("make[3]: Leaving directory '/tmp/x/y'", "make: Leaving directory <path>"),
        (
            "g++: fatal error: Killed signal terminated program cc1plus",
            "g++: fatal error: Killed signal terminated program cc1plus",
        ),
        (
            "error: couldn't write 'it is a long story' to /dev/null",
            "error: couldn't write 'it is a long story' to <path>",
        ),
        ("key=value path=/a/b n=12 url=s3://b/k", "key=value path=<path> n=<n> url=<s3>"),
        ("src/a.cc:12:3: error: unknown type name ‘foo_t’", "<path>: error: unknown type name <name>"),
        ("coredns-5d78c9869d-abcde not ready", "<id> not ready"),
        ("x86_64 and sha256sum and cc1plus and HTTP/2 stay", "x86_64 and sha256sum and cc1plus and HTTP/<n> stay"),
        ("Die Datei »x« fehlt", "Die Datei »x« fehlt"),
        ("unclosed 'quote and \"more", "unclosed 'quote and 'more"),
    ] {
        assert_eq!(template(line), want);
    }
}

#[test]
fn surroundings_count_only_where_the_line_says_nothing() {
    let with = |line, kind, code| {
        signature(line, &SignatureContext { job_kind: kind, section: None, exit_code: code }).fingerprint
    };
    let silent = "ERROR: Job failed";
    assert_ne!(with(silent, Some("build"), None), with(silent, Some("copy"), None));
    assert_ne!(with(silent, None, Some(1)), with(silent, None, None));
    assert_ne!(with(silent, Some(""), None), with(silent, None, None));
    let telling = "OSError: [Errno 116] Stale file handle";
    assert_eq!(with(telling, Some("build"), Some(1)), with(telling, Some("copy"), None));
}

/// Kept for ever: a change here means that histories are torn, and the algorithm needs a new name.
#[test]
fn fingerprints_do_not_drift() {
    assert_eq!(fingerprint("sha256sum: WARNING: 1 computed checksum did NOT match"), "s1-0446b69a9c54b0f0");
    assert_eq!(fingerprint("Illegal instruction"), "s1-6b61bb903ae32545");
}

proptest! {
    #[test]
    fn any_text_gives_a_bounded_signature(line in "\\PC{0,600}|[a-z0-9/@.:'\"`= -]{0,300}|.{0,50}") {
        let one = signature(&line, &SignatureContext::default());
        prop_assert!(one.template.len() <= 400 + 64);
        prop_assert_eq!(one.fingerprint.len(), 19);
        prop_assert!(!one.template.chars().any(char::is_control));
        prop_assert_eq!(&one, &signature(&format!("  {line}\t "), &SignatureContext::default()));
    }

    #[test]
    fn what_differs_between_runs_is_no_part_of_it(n in 0u64.., hash in "[a-z2-7]{32}", dir in "/[a-z]{3,9}(/[a-z0-9._-]{3,9}[a-z]){1,5}") {
        let line = |n: u64, hash: &str, dir: &str| format!("worker gave up after {n} bytes of zlib-1.3-{hash} in {dir}: giving up on /{hash}");
        let other = line(7, "c4pf4bjwd7thrjqo6ul25wckvqhz2qwt", "/tmp/x");
        prop_assert_eq!(fingerprint(&line(n, &hash, &dir)), fingerprint(&other));
    }
}

#[test]
fn huge_lines_cost_no_more_than_their_first_bytes() {
    for unit in ["'", "\"a ", "http://", "[", "a=", "../", "make[1]: ", "é", "0x", "\u{1b}[31m"] {
        let line = unit.repeat(4_000_000 / unit.len());
        assert!(signature(&line, &SignatureContext::default()).template.len() <= 400);
    }
}
