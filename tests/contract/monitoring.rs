//! A real Prometheus and a real Alertmanager. `scripts/monitoring_check` starts both and runs this; without it these tests are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use stackhand::adapters::alertmanager::{AlertState, Alertmanager, NewSilence, SilenceState};
use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::prometheus::{
    AlertState as RuleState, Data, Exporter, Exposition, FAMILIES, Kind, Metrics, Prometheus, RuleKind, Settings,
    Value, quote,
};
use stackhand::console::fault::FaultKind;

/// What the script tells.
#[derive(Deserialize)]
struct Monitoring {
    prometheus: String,
    alertmanager: String,
    /// Addresses that Prometheus scrapes too, by the value of the label `exposition`.
    expositions: BTreeMap<String, String>,
}

fn monitoring() -> Monitoring {
    let text = std::env::var("STACKHAND_MONITORING").expect("run scripts/monitoring_check");
    serde_json::from_str(&text).unwrap()
}

fn prometheus() -> Prometheus {
    Prometheus::new(&Settings::new(monitoring().prometheus)).unwrap()
}

type Flat = BTreeMap<(String, BTreeMap<String, String>), u64>;

/// The bits of a number; every NaN is one.
fn bits(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() }
}

/// A series as Prometheus keeps it: without empty labels, limits as numbers.
fn series(name: String, labels: impl Iterator<Item = (String, String)>) -> (String, BTreeMap<String, String>) {
    let limit = |name: &str, value: String| match name {
        "le" | "quantile" => format!("{:?}", value.parse::<f64>().unwrap()),
        _ => value,
    };
    let labels = labels.filter(|(_, value)| !value.is_empty());
    (name, labels.map(|(name, value)| (name.clone(), limit(&name, value))).collect())
}

fn flat(exposition: &Exposition) -> Flat {
    let mut all = Flat::new();
    for (name, family) in &exposition.families {
        for sample in &family.samples {
            let mut put = |ending: &str, more: Option<(&str, f64)>, number: f64| {
                let more = more.map(|(label, limit)| (label.to_owned(), limit.to_string()));
                let labels = sample.labels.clone().into_iter().chain(more);
                assert!(all.insert(series(format!("{name}{ending}"), labels), bits(number)).is_none());
            };
            let (rows, label, sum, count) = match &sample.value {
                Value::Number(number) => {
                    put("", None, *number);
                    continue;
                }
                Value::Histogram { buckets, sum, count } => (buckets, "le", sum, count),
                Value::Summary { quantiles, sum, count } => (quantiles, "quantile", sum, count),
            };
            let ending = if label == "le" { "_bucket" } else { "" };
            for (limit, number) in rows {
                put(ending, Some((label, *limit)), *number);
            }
            for (ending, number) in [("_sum", sum), ("_count", count)] {
                number.map(|number| put(ending, None, number));
            }
        }
    }
    all
}

#[tokio::test]
#[ignore = "needs the servers of scripts/monitoring_check"]
async fn expositions_are_read_as_prometheus_reads_them() {
    let prometheus = prometheus();
    let mut compared = 0;
    for (name, url) in monitoring().expositions {
        let ours = flat(&Exporter::new(&Settings::new(url)).unwrap().scrape().await.unwrap());
        let answer = prometheus.query(&format!("{{exposition={}}}", quote(&name)), None).await.unwrap();
        let Data::Vector(vector) = answer.data else { panic!() };
        let added = ["exposition", "__name__", "instance", "job"];
        let is_own = |name: &str| name == "up" || name.starts_with("scrape_");
        let theirs: Flat = vector
            .into_iter()
            .filter(|found| !is_own(&found.labels["__name__"]))
            .map(|found| {
                let labels = found.labels.clone().into_iter().filter(|(name, _)| !added.contains(&&**name));
                (series(found.labels["__name__"].clone(), labels), bits(found.point.unwrap().value))
            })
            .collect();
        println!("{name}: {} series", theirs.len());
        compared += theirs.len();
        assert_eq!(ours, theirs, "{name}");
    }
    assert!(compared > 100);
}

#[tokio::test]
#[ignore = "needs the servers of scripts/monitoring_check"]
async fn queries_are_answered() {
    let prometheus = prometheus();
    let ask = async |query: &str| prometheus.query(query, None).await;
    let Data::Vector(up) = ask("up").await.unwrap().data else { panic!() };
    assert_eq!(up.len(), monitoring().expositions.len());
    let Data::Scalar(nan) = ask("scalar(vector(0)) / 0").await.unwrap().data else { panic!() };
    assert!(nan.value.is_nan());
    let Data::Scalar(infinite) = ask("-1 / 0").await.unwrap().data else { panic!() };
    assert!(infinite.value.is_infinite() && infinite.value < 0.0);
    assert!(matches!(ask("\"text\"").await.unwrap().data, Data::String { text, .. } if text == "text"));
    assert_eq!(ask("nobody_has_this").await.unwrap().data, Data::Vector(Vec::new()));
    let escaped = format!("escaped_total{{path={},msg={}}}", quote("C:\\spack\\stage"), quote("line1\nline2"));
    let Data::Vector(found) = ask(&escaped).await.unwrap().data else { panic!() };
    assert_eq!((found.len(), &*found[0].labels["q"]), (1, "say \"hi\""));
    for (query, kind, said) in [
        ("sum(", FaultKind::Refused { status: 400 }, "bad_data"),
        ("up * on() up", FaultKind::Refused { status: 422 }, "execution"),
    ] {
        let fault = ask(query).await.unwrap_err();
        assert!(fault.kind == kind && fault.detail.contains(said), "{fault:?}");
    }
    // More points than the server gives at once.
    let now = SystemClock.now();
    let second = Duration::from_secs(1);
    let range = prometheus.query_range("vector(1)", now.shifted(-15_000_000), now, second).await.unwrap();
    let Data::Matrix(ranges) = range.data else { panic!() };
    let points = &ranges[0].points;
    assert_eq!((ranges.len(), points.len()), (1, 15_001));
    assert!(points.windows(2).all(|pair| pair[1].at.since(pair[0].at) == second));
    assert!(!prometheus.build_info().await.unwrap().version.is_empty());
}

#[tokio::test]
#[ignore = "needs the servers of scripts/monitoring_check"]
async fn rules_and_alerts_are_read() {
    let prometheus = prometheus();
    let groups = prometheus.rules().await.unwrap();
    let rules: BTreeMap<_, _> = groups.iter().flat_map(|group| &group.rules).map(|rule| (&*rule.name, rule)).collect();
    for name in ["GitlabPipelinePodStuck", "ContainerOOMKilled", "CheckCritical", "check:recorded"] {
        assert_eq!(rules[name].is_healthy, Some(true), "{name}: {:?}", rules[name].last_error);
    }
    assert_eq!(rules["check:recorded"].kind, RuleKind::Recording);
    let states: BTreeMap<_, _> = prometheus
        .alerts()
        .await
        .unwrap()
        .into_iter()
        .map(|alert| (alert.labels["alertname"].clone(), alert))
        .collect();
    assert_eq!(states["CheckCritical"].state, RuleState::Firing);
    assert_eq!(states["CheckPending"].state, RuleState::Pending);
    assert_eq!(bits(states["CheckWarning"].value), bits(2.0));
    assert!(states["CheckPending"].active_at.is_some());
}

#[tokio::test]
#[ignore = "needs the servers of scripts/monitoring_check"]
async fn an_alert_is_silenced_and_comes_back() {
    let alertmanager = Alertmanager::new(&Settings::new(monitoring().alertmanager)).unwrap();
    let state = async |name: &str| {
        let alerts = alertmanager.alerts().await.unwrap();
        alerts.into_iter().find(|alert| alert.labels["alertname"] == name).unwrap()
    };
    let until = async |silenced: bool| {
        for _ in 0..100 {
            let alert = state("CheckCritical").await;
            if (alert.status.state == AlertState::Suppressed) == silenced {
                return alert;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("silenced: {silenced} does not come");
    };
    let critical = until(false).await;
    let inhibited = state("CheckWarning").await.status;
    assert_eq!((inhibited.state, inhibited.inhibited_by), (AlertState::Suppressed, vec![critical.fingerprint.clone()]));
    let labels: BTreeMap<String, String> =
        ["alertname", "pod"].map(|name| (name.to_owned(), critical.labels[name].clone())).into();
    let silence = NewSilence::new(labels, SystemClock.now(), None, "check", "a \"check\"").unwrap();
    let all = alertmanager.alerts().await.unwrap();
    let hidden: BTreeSet<_> = all.iter().filter(|alert| silence.hides(&alert.labels)).map(|a| &a.fingerprint).collect();
    assert_eq!(hidden, [&critical.fingerprint].into());
    let id = alertmanager.silence(&silence).await.unwrap();
    assert_eq!(until(true).await.status.silenced_by, [&*id]);
    let of = async || alertmanager.silences().await.unwrap().into_iter().find(|silence| silence.id == id).unwrap();
    let made = of().await;
    assert_eq!((&made.state, &*made.created_by, &*made.comment), (&SilenceState::Active, "check", "a \"check\""));
    assert!(made.matchers.len() == 2 && made.matchers.iter().all(|matcher| matcher.is_equal && !matcher.is_regex));
    alertmanager.expire(&id).await.unwrap();
    until(false).await;
    assert_eq!(of().await.state, SilenceState::Expired);
    // Ending it again changes nothing, whether the server minds or not.
    let _ = alertmanager.expire(&id).await;
    assert_eq!(of().await.state, SilenceState::Expired);
    let unknown = alertmanager.expire("00000000-0000-0000-0000-000000000000").await.unwrap_err();
    assert!(unknown.detail.starts_with("HTTP "), "{unknown:?}");
}

#[test]
#[ignore = "needs promtool; scripts/monitoring_check runs it"]
fn promtool_has_nothing_to_say_about_our_own() {
    let mut metrics = Metrics::default();
    for family in FAMILIES {
        for value in ["a", "b \"c\"\\\nü"] {
            let labels = vec![value; family.labels.len()];
            let written = match family.kind {
                Kind::Gauge => metrics.set(family.name, &labels, Some(1.5)),
                Kind::Counter => metrics.add(family.name, &labels, 2.0),
                _ => metrics.observe(family.name, &labels, 0.3),
            };
            written.unwrap();
        }
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), metrics.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}
