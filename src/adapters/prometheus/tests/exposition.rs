use std::collections::BTreeMap;

use super::*;
use crate::ci::Timestamp;

const EDGES: &str = include_str!("../testdata/edge-cases.prom");

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Every sample as `name{labels}` with the bits of its value, taken out of our families again.
fn flat(exposition: &Exposition) -> Vec<(String, BTreeMap<String, String>, u64)> {
    let mut all = Vec::new();
    for (name, family) in &exposition.families {
        for sample in &family.samples {
            let mut push = |ending: &str, more: Option<(&str, f64)>, value: f64| {
                let mut labels = sample.labels.clone();
                // Limits are compared as numbers: `0.5` and `5e-1` are the same.
                labels.extend(more.map(|(label, limit)| (label.to_owned(), format!("{limit:?}"))));
                all.push((format!("{name}{ending}"), labels, value.to_bits()));
            };
            match &sample.value {
                Value::Number(number) => push("", None, *number),
                Value::Histogram { buckets, sum, count } => {
                    for (limit, n) in buckets {
                        push("_bucket", Some(("le", *limit)), *n);
                    }
                    for (ending, part) in [("_sum", sum), ("_count", count)] {
                        part.map(|part| push(ending, None, part));
                    }
                }
                Value::Summary { quantiles, sum, count } => {
                    for (quantile, n) in quantiles {
                        push("", Some(("quantile", *quantile)), *n);
                    }
                    for (ending, part) in [("_sum", sum), ("_count", count)] {
                        part.map(|part| push(ending, None, part));
                    }
                }
            }
        }
    }
    all.sort();
    all
}

/// The same by another road: a walk over bytes that knows the grammar of a sample and nothing of families, written apart from ours.
fn walked(text: &str) -> Vec<(String, BTreeMap<String, String>, u64)> {
    let mut all = Vec::new();
    for line in text.split('\n') {
        let bytes = line.trim().as_bytes();
        if bytes.is_empty() || bytes[0] == b'#' {
            continue;
        }
        let mut at = 0;
        while !matches!(bytes[at], b'{' | b' ' | b'\t') {
            at += 1;
        }
        let name = String::from_utf8(bytes[..at].to_vec()).unwrap();
        let mut found = BTreeMap::new();
        if bytes[at] == b'{' {
            at += 1;
            while bytes[at] != b'}' {
                let begin = at;
                while bytes[at] != b'=' {
                    at += 1;
                }
                let label = String::from_utf8(bytes[begin..at].to_vec()).unwrap();
                at += 2;
                let mut value = Vec::new();
                while bytes[at] != b'"' {
                    if bytes[at] == b'\\' {
                        at += 1;
                        value.push(if bytes[at] == b'n' { b'\n' } else { bytes[at] });
                    } else {
                        value.push(bytes[at]);
                    }
                    at += 1;
                }
                at += 1;
                if bytes[at] == b',' {
                    at += 1;
                }
                let value = String::from_utf8(value).unwrap();
                let is_limit = matches!(&*label, "le" | "quantile");
                let value = if is_limit { format!("{:?}", value.parse::<f64>().unwrap()) } else { value };
                found.insert(label, value);
            }
            at += 1;
        }
        let number = std::str::from_utf8(&bytes[at..]).unwrap().split_ascii_whitespace().next().unwrap();
        all.push((name, found, number.parse::<f64>().unwrap().to_bits()));
    }
    all.sort();
    all
}

#[test]
fn every_exposition_is_read_exactly() {
    for (path, text) in expositions() {
        let exposition = Exposition::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (ours, theirs) = (flat(&exposition), walked(&text));
        println!("{path}: {} families, {} numbers", exposition.families.len(), ours.len());
        assert_eq!(ours, theirs, "{path}");
        for line in text.lines() {
            if let Some(("TYPE", rest)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(format!("{:?}", exposition.families[name].kind).to_lowercase(), kind, "{path}: {name}");
            }
            if let Some(("HELP", rest)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
                let (name, help) = rest.split_once(' ').unwrap();
                let help = help.replace("\\\\", "\u{1}").replace("\\n", "\n").replace('\u{1}', "\\");
                assert_eq!(exposition.families[name].help.as_deref(), Some(&*help), "{path}: {name}");
            }
        }
    }
}

#[test]
fn the_edges_are_what_they_say() {
    let exposition = Exposition::parse(EDGES).unwrap();
    let of = |name: &str| &exposition.families[name];
    let escaped = of("escaped_total");
    assert_eq!(escaped.kind, Kind::Counter);
    assert_eq!(escaped.help.as_deref(), Some("Backslash \\ and newline \n in help"));
    let all = [("path", "C:\\spack\\stage"), ("msg", "line1\nline2"), ("q", "say \"hi\"")];
    assert_eq!(escaped.samples[0].labels, labels(&all));
    assert_eq!(of("no_help").samples[0].value, Value::Number(1.5e-5));
    let untyped = of("untyped_sample");
    assert_eq!((untyped.kind, untyped.samples[0].at), (Kind::Untyped, Some(Timestamp::from_millis(1_787_123_456_789))));
    let special: Vec<_> = exposition.numbers("special_values").unwrap().collect();
    let number = |kind: &str| special.iter().find(|(labels, _)| labels["kind"] == kind).unwrap().1;
    assert!(number("nan").is_nan());
    assert_eq!((number("pinf"), number("ninf")), (f64::INFINITY, f64::NEG_INFINITY));
    assert_eq!((of("empty_family").kind, of("empty_family").samples.len()), (Kind::Histogram, 0));
    let buckets = vec![(0.5, 1.0), (f64::INFINITY, 2.0)];
    assert_eq!(of("h").samples[0].value, Value::Histogram { buckets, sum: Some(1.25), count: Some(2.0) });
    assert_eq!(of("utf8_label").samples[0].labels["emoji"], "🚀");
    assert_eq!(of("empty_label").samples[0].labels, labels(&[("x", "")]));
    assert_eq!((of("leading_ws").samples.len(), of("tab_sep").samples.len()), (1, 1));
    assert!(exposition.numbers("nowhere").is_none(), "unknown is not empty");
}

#[test]
fn what_the_crate_alone_would_get_wrong_comes_out_right() {
    let text = "# TYPE a:b gauge\na:b{x=\"1,y=2\",y=\"}{%2c=\",z=\" \\\\\"} 1\nbare{} 2\n\
                # TYPE s summary\ns{quantile=\"0.5\",p=\"a,b\"} NaN\ns_sum{p=\"a,b\"} 0\ns_count{p=\"a,b\"} 0\n\
                # TYPE lonely histogram\nlonely_count 3\n# TYPE g_count gauge\ng_count 4\n spaced { a = \"b\" , } +inf 12\r\n";
    let exposition = Exposition::parse(text).unwrap();
    let one = |name: &str| exposition.families[name].samples[0].clone();
    assert_eq!(one("a:b").labels, labels(&[("x", "1,y=2"), ("y", "}{%2c="), ("z", " \\")]));
    assert_eq!(exposition.families["a:b"].kind, Kind::Gauge);
    assert_eq!(one("bare").value, Value::Number(2.0));
    let Value::Summary { quantiles, sum: Some(0.0), count: Some(0.0) } = one("s").value else { panic!() };
    assert_eq!((quantiles.len(), quantiles[0].0.to_bits()), (1, 0.5_f64.to_bits()));
    assert!(quantiles[0].1.is_nan());
    assert_eq!(one("s").labels, labels(&[("p", "a,b")]));
    assert_eq!(one("lonely").value, Value::Histogram { buckets: Vec::new(), sum: None, count: Some(3.0) });
    assert_eq!(one("g_count").value, Value::Number(4.0), "a name's ending says nothing");
    assert_eq!(one("spaced").at, Some(Timestamp::from_millis(12)));
}

#[test]
fn openmetrics_is_understood_as_far_as_it_says_the_same() {
    let text = "# TYPE jobs counter\n# UNIT jobs things\n# HELP jobs All.\njobs_total{a=\"b\"} 3 1700000000.5 # {trace_id=\"x,y\"} 0.7 1.5\n\
                # TYPE up unknown\nup 1 # {} 2\n# EOF\n";
    let exposition = Exposition::parse(text).unwrap();
    let jobs = &exposition.families["jobs_total"];
    assert_eq!((jobs.kind, jobs.help.as_deref()), (Kind::Counter, Some("All.")));
    assert_eq!(jobs.samples[0].at, Some(Timestamp::from_millis(1_700_000_000_500)));
    assert_eq!(exposition.families["up"].samples[0].value, Value::Number(1.0));
    assert!(!exposition.families.contains_key("jobs"));
    assert_eq!(Exposition::parse("# EOF\na 1\n# EOF").unwrap_err(), "line 2: it goes on behind its end");
}

#[test]
fn what_cannot_be_read_exactly_is_an_error_with_its_line() {
    for (text, error) in [
        ("a 1\nb one", "line 2: `one` is no number"),
        ("a", "line 1: a has no value"),
        ("a 1 soon", "line 1: `soon` is no time"),
        ("a 1 99999999999999999", "line 1: `99999999999999999` is no time"),
        ("a 1 2 3", "line 1: a has more than a value and a time: `3`"),
        ("a{b=\"c} 1", "line 1: the value of b does not end"),
        ("a{b=c} 1", "line 1: the value of b is not quoted"),
        ("a{b=\"c\"", "line 1: neither `,` nor `}` follows the value of b"),
        ("a{b=\"c\" d=\"e\"} 1", "line 1: neither `,` nor `}` follows the value of b"),
        ("a{b=\"\\x\"} 1", "line 1: `\\x` is no escape"),
        ("a{b=\"c\",b=\"d\"} 1", "line 1: the label b is given twice"),
        ("a{1=\"c\"} 1", "line 1: `1` is no label name"),
        ("1a 1", "line 1: `1a` is no metric name"),
        ("äöü 1", "line 1: `äöü` is no metric name"),
        ("a 1\na 2", "line 2: a with the same labels is there twice"),
        ("# TYPE a thing", "line 1: there is no type `thing`"),
        ("# TYPE a gauge\n# TYPE a counter", "line 2: a is declared twice"),
        ("# TYPE h histogram\nh_bucket 1", "line 2: h_bucket has no limit `le`"),
        ("# TYPE h histogram\nh_bucket{le=\"many\"} 1", "line 2: `many` is no number"),
        ("# TYPE h histogram\nh 1", "line 2: the histogram h has a number instead of buckets"),
        ("# TYPE s summary\ns 1", "line 2: the summary s has no quantile"),
        ("{\"quoted.name\"} 1", "line 1: `` is no metric name"),
        ("<html>", "line 1: `<html>` is no metric name"),
    ] {
        assert_eq!(Exposition::parse(text).unwrap_err(), error, "{text}");
    }
    assert_eq!(Exposition::parse("").unwrap(), Exposition::default());
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "[a-c#{}\\\\,=\" \n%1NHELPTY]{0,80}") {
        let _ = Exposition::parse(&text);
    }

    #[test]
    fn any_value_of_a_label_survives(value in ".*", second in "[,=}{%\"\\\\\n a]*") {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let text = format!("a{{x=\"{}\",y=\"{}\"}} 1", escaped(&value), escaped(&second));
        let exposition = Exposition::parse(&text).unwrap();
        let sample = &exposition.families["a"].samples[0];
        proptest::prop_assert_eq!(&sample.labels["x"], &value);
        proptest::prop_assert_eq!(&sample.labels["y"], &second);
    }
}
