use std::process::{Command, Stdio};

use super::*;

fn filled() -> Metrics {
    let mut metrics = Metrics::default();
    for family in FAMILIES {
        for value in ["a", "b \"quoted\"\\\nü"] {
            let labels = vec![value; family.labels.len()];
            let done = match family.kind {
                Kind::Gauge => metrics.set(family.name, &labels, Some(1.5)),
                Kind::Counter => metrics.add(family.name, &labels, 2.0),
                _ => metrics.observe(family.name, &labels, 0.3).and(metrics.observe(family.name, &labels, 1e9)),
            };
            done.unwrap();
        }
    }
    metrics
}

#[test]
fn the_text_says_everything_once_and_sorted() {
    let mut metrics = Metrics::default();
    metrics.add("stackhand_watch_restarts_total", &["pods", "closed"], 2.0).unwrap();
    metrics.add("stackhand_watch_restarts_total", &["pods", "closed"], 1.0).unwrap();
    metrics.add("stackhand_watch_restarts_total", &["nodes", "error"], 1.0).unwrap();
    metrics.set("stackhand_source_up", &["cache"], Some(0.0)).unwrap();
    metrics.set("stackhand_source_up", &["gone"], Some(1.0)).unwrap();
    metrics.set("stackhand_source_up", &["gone"], None).unwrap();
    metrics.set("stackhand_build_info", &["0.1", "a\"b\\c\nd"], Some(1.0)).unwrap();
    metrics.observe("stackhand_ci_job_duration_seconds", &["x86", "huge"], 60.0).unwrap();
    metrics.observe("stackhand_ci_job_duration_seconds", &["x86", "huge"], 60.5).unwrap();
    metrics.observe("stackhand_ci_job_duration_seconds", &["x86", "huge"], 1e6).unwrap();
    let labels = "runner_class=\"x86\",size=\"huge\"";
    let bucket = |le: &str, n: u32| format!("stackhand_ci_job_duration_seconds_bucket{{{labels},le=\"{le}\"}} {n}\n");
    let buckets: String = [
        ("30", 0),
        ("60", 1),
        ("300", 2),
        ("600", 2),
        ("1800", 2),
        ("3600", 2),
        ("7200", 2),
        ("14400", 2),
        ("+Inf", 3),
    ]
    .map(|(le, n)| bucket(le, n))
    .concat();
    let expected = format!(
        "# HELP stackhand_build_info Always 1; which stackhand this is.\n# TYPE stackhand_build_info gauge\n\
         stackhand_build_info{{version=\"0.1\",revision=\"a\\\"b\\\\c\\nd\"}} 1\n\
         # HELP stackhand_ci_job_duration_seconds How long finished jobs ran.\n# TYPE stackhand_ci_job_duration_seconds histogram\n\
         {buckets}stackhand_ci_job_duration_seconds_sum{{{labels}}} 1000120.5\nstackhand_ci_job_duration_seconds_count{{{labels}}} 3\n\
         # HELP stackhand_source_up Whether the last answer of a source was good.\n# TYPE stackhand_source_up gauge\n\
         stackhand_source_up{{source=\"cache\"}} 0\n\
         # HELP stackhand_watch_restarts_total Watches that were opened again.\n# TYPE stackhand_watch_restarts_total counter\n\
         stackhand_watch_restarts_total{{resource=\"nodes\",reason=\"error\"}} 1\nstackhand_watch_restarts_total{{resource=\"pods\",reason=\"closed\"}} 3\n"
    );
    assert_eq!(metrics.text(), expected);
    assert_eq!(metrics.series(), expected.lines().filter(|line| !line.starts_with('#')).count());
    metrics.forget("stackhand_ci_job_duration_seconds");
    assert!(!metrics.text().contains("duration") && metrics.series() == 4);
}

#[test]
fn what_we_write_we_read() {
    let metrics = filled();
    let text = metrics.text();
    let exposition = Exposition::parse(&text).unwrap();
    assert_eq!(
        exposition.families.keys().map(String::as_str).collect::<Vec<_>>(),
        FAMILIES.iter().map(|f| f.name).collect::<Vec<_>>()
    );
    for family in FAMILIES {
        let read = &exposition.families[family.name];
        assert_eq!((read.kind, read.help.as_deref()), (family.kind, Some(family.help)), "{}", family.name);
        assert_eq!(read.samples.len(), if family.labels.is_empty() { 1 } else { 2 });
        if let Some(sample) = read.samples.last().filter(|_| !family.labels.is_empty()) {
            assert!(sample.labels.values().all(|value| value == "b \"quoted\"\\\nü"));
        }
    }
}

#[test]
fn what_nobody_declared_is_refused_and_so_is_what_cannot_be() {
    let mut metrics = Metrics::default();
    assert_eq!(metrics.set("nothing", &[], Some(1.0)), Err(Unwritten::Unknown("nothing".to_owned())));
    let up = "stackhand_source_up";
    assert_eq!(metrics.add(up, &["x"], 1.0), Err(Unwritten::Kind { name: up, is: Kind::Gauge }));
    assert_eq!(metrics.set(up, &[], Some(1.0)), Err(Unwritten::Labels { name: up, wants: &["source"], given: 0 }));
    assert_eq!(metrics.set(up, &["x"], Some(f64::NAN)), Err(Unwritten::Value(up)));
    let total = "stackhand_fleet_spot_interruptions_total";
    assert_eq!(metrics.add(total, &["x"], -1.0), Err(Unwritten::Value(total)));
    assert_eq!(metrics.add(total, &["x"], f64::INFINITY), Err(Unwritten::Value(total)));
    let writes = "stackhand_store_write_duration_seconds";
    assert_eq!(metrics.observe(writes, &[], f64::NAN), Err(Unwritten::Value(writes)));
    assert_eq!((metrics.text(), metrics.series()), (String::new(), 0));
}

#[test]
fn there_are_never_more_series_than_two_thousand() {
    let mut metrics = Metrics::default();
    let package = "stackhand_package_cost_dollars_total";
    let refused = (0..3000).filter(|n| metrics.add(package, &[&n.to_string()], 1.0).is_err()).count();
    assert_eq!((refused, metrics.series()), (1000, 2000));
    assert_eq!(
        metrics.observe("stackhand_store_write_duration_seconds", &[], 1.0),
        Err(Unwritten::Full { name: "stackhand_store_write_duration_seconds" })
    );
    metrics.add(package, &["7"], 1.0).unwrap();
    assert!(metrics.text().contains("{package=\"7\"} 2\n"), "known series go on");
}

#[test]
fn names_are_sorted_and_no_label_grows_with_jobs() {
    assert!(FAMILIES.is_sorted_by(|a, b| a.name < b.name));
    for family in FAMILIES {
        assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n']), "{}", family.name);
        assert!(family.buckets.is_sorted() && (family.kind == Kind::Histogram) != family.buckets.is_empty());
        let grows = ["job", "pod", "pipeline", "pr", "ref", "node"];
        assert!(family.labels.iter().all(|label| !grows.contains(label) && *label != "le"), "{}", family.name);
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: promtool not found");
        return;
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), filled().text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
