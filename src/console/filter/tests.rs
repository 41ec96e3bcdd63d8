//! The grammar by examples; what holds for every text is in `laws`.

mod laws;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ci::Timestamp;
use crate::console::state::JobState;

/// A row of a job list, as a test needs it.
#[derive(Default)]
struct Row {
    words: Vec<&'static str>,
    facts: HashMap<Field, Value<'static>>,
    tags: Vec<Arc<str>>,
}

impl Subject for Row {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        self.words.iter().for_each(|word| visit(word));
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::Tag => Value::Many(&self.tags),
            field => self.facts.get(&field).copied().unwrap_or(Value::Unknown),
        }
    }
}

fn now() -> Timestamp {
    Timestamp::parse("2026-05-01T03:12:07Z").unwrap()
}

fn at(text: &str) -> Value<'static> {
    Value::Time(Timestamp::parse(text).unwrap())
}

fn minutes(n: u64) -> Value<'static> {
    Value::Length(Duration::from_secs(n * 60))
}

/// A failed build of hdf5: its cause is known, its node is not, and it has no author.
fn hdf5() -> Row {
    Row {
        words: vec!["hdf5@1.14.5 /k3x2fabc E4S", "uo-runner-19", "failed", "6m02"],
        facts: HashMap::from([
            (Field::State, Value::State(JobState::Fail)),
            (Field::Stage, Value::Text("stage-3")),
            (Field::Stack, Value::Text("e4s-oneapi")),
            (Field::Pkg, Value::Text("hdf5")),
            (Field::Hash, Value::Text("k3x2fabcdefghijklmnopqrstuvwxyz2")),
            (Field::Spec, Value::Text("hdf5@1.14.5 ~mpi +cxx")),
            (Field::Compiler, Value::Text("oneapi@2025.1")),
            (Field::Ref, Value::Text("pr51234_hdf5")),
            (Field::Pr, Value::Number(51_234.0)),
            (Field::Author, Value::Absent),
            (Field::Runner, Value::Text("UO-runner-19")),
            (Field::Class, Value::Text("package")),
            (Field::Cause, Value::Text("build_error")),
            (Field::Age, at("2026-05-01T00:12:07Z")),
            (Field::Dur, Value::Length(Duration::from_secs(362))),
            (Field::Wait, minutes(31)),
            (Field::Tries, Value::Number(2.0)),
            (Field::Size, Value::Bytes(2_100_000)),
            (Field::Blocks, Value::Number(188.0)),
            (Field::Since, at("2026-05-01T01:10:00Z")),
        ]),
        tags: ["spack", "large", "x86_64_v3"].map(Arc::from).to_vec(),
    }
}

fn keeps(filter: &str, row: &Row) -> bool {
    Filter::parse(filter).unwrap_or_else(|e| panic!("{filter}: {e}")).matches(row, now())
}

#[test]
fn each_line_of_the_grammar_keeps_and_drops() {
    let row = hdf5();
    for kept in [
        // Nothing asked, nothing dropped.
        "",
        "   ",
        // Words, quotes, patterns.
        "hdf5",
        "h5e4s",
        "hdf E4S",
        "@1.14",
        "\"1.14.5 /k3x\"",
        "\"runner-19\" | zzz",
        "/^hdf5@1\\.1[0-9]/",
        "/k3x2f|q9/",
        // And, or, not, parentheses.
        "hdf5 state:failed | zzz",
        "(zzz | hdf5) (state:failed | state:running)",
        "!zzz",
        "! zzz",
        "!!hdf5",
        "!(zzz | state:ok)",
        "!(hdf5 zzz)",
        // Operators on text.
        "stack:e4s",
        "STACK:e4s",
        "pkg=hdf5",
        "pkg=HDF5 | pkg=hdf5",
        "pkg!=llvm",
        "pkg~^hd",
        "pkg~^(llvm|hdf5)$",
        "(pkg~^(llvm|hdf5)$)",
        "spec~/~mpi \\+cxx/",
        "spec~\"~mpi .cxx\"",
        "spec:\"5 ~mpi\"",
        "hash:k3x2f",
        "runner:uo-runner",
        "runner:UO",
        "compiler:oneapi",
        "ref:pr51234",
        // States by what screens and GitLab say, in part while typing, in lists.
        "state:failed",
        "state:FAIL",
        "state:fai",
        "state=fail",
        "state!=success",
        "state:failed,canceled",
        "state~^fail",
        // Lists.
        "pkg:llvm,hdf",
        "pkg!=llvm,gcc",
        "pkg:\"a,b\",hdf5",
        "pr:51234",
        "pr:1,51234",
        // Several texts: one of them.
        "tag:large",
        "tag=large",
        "tag!=win",
        "tag~^x86",
        // Numbers, sizes, lengths, moments.
        "blocks>10",
        "blocks>=188",
        "blocks<=188",
        "blocks<2k",
        "blocks=188",
        "blocks!=187",
        "tries:2",
        "size>2M",
        "size=2M",
        "size=2.1MB",
        "size<3G",
        "wait>30m",
        "wait=31m",
        "dur=6m02",
        "dur:6m",
        "age=3h",
        "age>=3h",
        "age<1d",
        "since:01:10",
        "since>01:09",
        "since:-6h",
        "since=01:10",
        "since<02:30",
        "since!=02:30",
    ] {
        assert!(keeps(kept, &row), "{kept}");
    }
    for dropped in [
        "zzz",
        "HDF5",
        "\"hdf 5\"",
        "\"RUNNER-19\"",
        "/^E4S/",
        "!hdf5",
        "hdf5 zzz",
        "state:running",
        "state:warn",
        "state:unknown",
        "!state:failed",
        "state=fai",
        "state!=failed",
        "state:ok,running",
        "state~^(ok|run)",
        "pkg=hdf",
        "pkg=HDF5",
        "pkg!=hdf5",
        "pkg!=llvm,hdf5",
        "pkg~^df",
        "runner:uO",
        "tag=larg",
        "tag!=large",
        "blocks>188",
        "blocks<188",
        "blocks=18",
        "size>3G",
        "size=3M",
        "wait>31m",
        "wait=30m",
        "age>3h",
        "since:02:30",
        "since>01:10",
        "since:-1h",
        // 03:13 has not been today: it is yesterday's.
        "since<03:13",
    ] {
        assert!(!keeps(dropped, &row), "{dropped}");
    }
}

#[test]
fn the_examples_of_the_handbook_find_what_they_say() {
    let mut row = hdf5();
    assert!(keeps("state:failed !cause:spot blocks>10", &row));
    assert!(keeps("stack:e4s pkg=hdf5 | pkg~^llvm", &row));
    assert!(keeps("tag:large wait>30m", &row));
    row.facts.insert(Field::Cause, Value::Text("spot_reclamation"));
    assert!(!keeps("state:failed !cause:spot blocks>10", &row));
    row.facts.insert(Field::Pkg, Value::Text("llvm-amdgpu"));
    row.facts.insert(Field::Stack, Value::Text("ml-linux-x86_64-rocm"));
    assert!(keeps("stack:e4s pkg=hdf5 | pkg~^llvm", &row));
    row.facts.insert(Field::Pkg, Value::Text("rust-llvm"));
    assert!(!keeps("stack:e4s pkg=hdf5 | pkg~^llvm", &row));
    row.facts.insert(Field::Wait, minutes(30));
    assert!(!keeps("tag:large wait>30m", &row));
}

#[test]
fn unknown_is_neither_and_absent_is_known() {
    // What each fact answers to: the comparison, its negation, `:?`, `!:?`.
    let table = |field: &str, compare: &str, facts: [Value<'static>; 3], want: [[bool; 4]; 3]| {
        for (fact, want) in facts.into_iter().zip(want) {
            let row = Row { facts: HashMap::from([(Field::parse(field).unwrap(), fact)]), ..Row::default() };
            let asked = [compare.to_owned(), format!("!{compare}"), format!("{field}:?"), format!("!{field}:?")];
            assert_eq!(asked.map(|filter| keeps(&filter, &row)), want, "{compare} of {fact:?}");
        }
    };
    let unknown = [false, false, true, false];
    let no = [false, true, false, true];
    let yes = [true, false, false, true];
    for op in [":", "=", "~"] {
        table(
            "cause",
            &format!("cause{op}oom"),
            [Value::Unknown, Value::Absent, Value::Text("oom")],
            [unknown, no, yes],
        );
    }
    table("cause", "cause!=oom", [Value::Unknown, Value::Absent, Value::Text("oom")], [unknown, yes, no]);
    table("blocks", "blocks>0", [Value::Unknown, Value::Number(0.0), Value::Number(1.0)], [unknown, no, yes]);
    table("wait", "wait<1m", [Value::Unknown, Value::Absent, minutes(0)], [unknown, no, yes]);
    table("wait", "wait>1m", [Value::Text("2m"), Value::Absent, minutes(2)], [[false, false, false, true], no, yes]);
    table("size", "size>=0", [Value::Unknown, Value::Absent, Value::Bytes(0)], [unknown, no, yes]);
    table("since", "since:02:30", [Value::Unknown, Value::Absent, at("2026-05-01T02:30:00Z")], [unknown, no, yes]);
    let states = [JobState::Unknown, JobState::Ok, JobState::Fail].map(Value::State);
    table("state", "state:failed", states, [unknown, no, yes]);
    table("state", "state:unknown", states, [[true, false, true, false], no, no]);

    let row = Row { words: vec!["zlib"], ..Row::default() };
    for (filter, kept) in [
        // And, or and not keep the third truth.
        ("zlib cause:oom", false),
        ("zlib | cause:oom", true),
        ("zzz | cause:oom", false),
        ("!(zlib cause:oom)", false),
        ("!(zzz cause:oom)", true),
        ("!(zlib | cause:oom)", false),
        ("!(zzz | cause:oom)", false),
        ("!!cause:oom", false),
        ("cause:?", true),
        ("cause=?", true),
        ("cause!=?", false),
        ("cause:?,oom", true),
        ("!cause:?,oom", false),
        // A quoted question mark is a text.
        ("cause:\"?\"", false),
        // No tags is known.
        ("tag:?", false),
        ("!tag:large", true),
        ("tag:large", false),
    ] {
        assert_eq!(keeps(filter, &row), kept, "{filter}");
    }
}

#[test]
fn each_mistake_is_underlined_and_says_what_to_do() {
    for (text, bad, reason) in [
        ("state:", "state:", "a value is missing"),
        ("hdf5 wait> | x", "wait>", "a value is missing"),
        ("state:failed,", ",", "a value is missing beside `,`"),
        ("state:,ok", ",", "a value is missing beside `,`"),
        ("colour:red", "colour", "no field is called `colour`"),
        ("x stat:ok", "stat", "no field is called `stat`"),
        (">10", ">", "a field is missing before `>`"),
        ("pkg==hdf5", "=hdf5", "`==` is no operator"),
        ("pkg<hdf5", "pkg<", "`<` does not work on `pkg`"),
        ("wait~x", "wait~", "`~` does not work on `wait`"),
        ("wait>30", "30", "`30` is not a length of time"),
        ("wait>ages", "ages", "`ages` is not a length of time"),
        ("blocks>many", "many", "`many` is not a number"),
        ("size>3X", "3X", "`3X` is not a size"),
        ("since:25:00", "25:00", "`25:00` is not a time"),
        ("since:6h", "6h", "`6h` is not a time"),
        ("blocks>1,2", ",", "`>` compares with one value"),
        ("blocks>?", "?", "`>` has no order with unknown"),
        ("pkg:\"\"", "\"\"", "an empty value"),
        ("\"\"", "\"\"", "empty quotes"),
        ("a \"b", "\"b", "the quote is not closed"),
        ("pkg:\"b", "\"b", "the quote is not closed"),
        ("/b", "/b", "the pattern is not closed"),
        ("//", "//", "an empty pattern is in every text"),
        ("pkg~", "pkg~", "an empty pattern is in every text"),
        ("é /a(/", "/a(/", "bad pattern: unclosed group"),
        ("pkg~a**[", "a**[", "bad pattern: unclosed character class"),
        ("spec~\\w{200}{200}", "\\w{200}{200}", "bad pattern: it would grow too large"),
        ("(a", "(", "this `(` is not closed"),
        ("a)", ")", "this `)` closes nothing"),
        (")", ")", "this `)` closes nothing"),
        ("a ()", "(", "a term is missing beside `(`"),
        ("a |", "|", "a term is missing beside `|`"),
        ("| a", "|", "a term is missing beside `|`"),
        ("a | | b", "|", "a term is missing beside `|`"),
        ("a !", "!", "nothing follows `!`"),
        ("(!) b", "!", "nothing follows `!`"),
        ("@mine", "@mine", "no filter is saved as `@mine`"),
    ] {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!((&text[error.span.clone()], error.reason.as_str()), (bad, reason), "{text}");
        assert!(!error.hint.is_empty());
    }
    let error = Filter::parse("hdf5 stat:ok").unwrap_err();
    assert_eq!(error.to_string(), "bad filter at column 6: no field is called `stat`; did you mean `state`?");
    assert!(Filter::parse("colour:red").unwrap_err().hint.contains("Tab"));
}

#[test]
fn saved_filters_are_found_and_never_run_in_circles() {
    let saved = |name: &str| {
        let text = match name {
            "mine" => "author:gtanaka | @team",
            "team" => "stack:e4s",
            "empty" => "",
            "bad" => "state:",
            "a" => "x | @b",
            "b" => "(@c)",
            "c" => "@a",
            "wide" => "@wider @wider @wider @wider @wider @wider @wider @wider @wider",
            "wider" => "@widest @widest @widest @widest @widest @widest @widest @widest @widest",
            "widest" => "x x x x x x x x x",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let parse = |text: &str| Filter::parse_with(text, &saved);
    let filter = parse("@mine !state:ok").unwrap();
    assert!(filter.matches(&hdf5(), now()));
    assert_eq!(filter.to_string(), "@mine !state:ok");
    assert_eq!(parse(&filter.to_string()).unwrap(), filter);
    assert!(parse("@empty").unwrap().matches(&hdf5(), now()));
    assert!(parse("!@empty").is_ok_and(|f| !f.matches(&hdf5(), now())));

    let error = parse("hdf5 @bad").unwrap_err();
    assert_eq!((error.span, error.reason.as_str()), (5..9, "in `@bad`: a value is missing"));
    let error = parse("@a").unwrap_err();
    assert_eq!(error.span, 0..2);
    assert_eq!(error.reason, "in `@a`: in `@b`: in `@c`: `@a` leads back to itself");
    assert_eq!(error.hint, "break `@a` → `@b` → `@c`");
    assert!(parse("@wide").unwrap_err().reason.ends_with("more than 512 terms"));
}

#[test]
fn hostile_lengths_and_depths_are_refused() {
    for (text, reason) in [
        ("(".repeat(100_000), "nested deeper than 32"),
        (format!("{}a{}", "(".repeat(33), ")".repeat(33)), "nested deeper than 32"),
        ("x ".repeat(513), "more than 512 terms"),
        (format!("pkg:{}", ["x"; 513].join(",")), "more than 512 terms"),
        ("/a/ ".repeat(33), "more than 32 patterns"),
        ("x".repeat(257), "a term is longer than 256 bytes"),
        (format!("pkg:{}", "x".repeat(257)), "a term is longer than 256 bytes"),
        (format!("/{}/", "x".repeat(257)), "bad pattern: it is longer than 256 bytes"),
        ("é".repeat(300_000), "longer than 524288 bytes"),
    ] {
        let error = Filter::parse(&text).unwrap_err();
        assert_eq!(error.reason, reason, "{}", &text[..8]);
        assert!(text.get(error.span).is_some());
    }
    let deep = format!("{}a{}", "!(".repeat(32), ")".repeat(32));
    assert_eq!(Filter::parse(&deep).unwrap().to_string(), "a");
    assert!(Filter::parse(&format!("{}a", "!".repeat(100_001))).is_ok());
}

#[test]
fn filters_are_written_as_they_are_read() {
    for (text, written) in [
        ("  hdf5   STATE:failed ", "hdf5 state:failed"),
        ("a|b c|d", "a | b c | d"),
        ("((a b) (c | d))", "a b (c | d)"),
        ("!((a))", "!a"),
        ("!(a b) !!c", "!(a b) c"),
        ("pkg:\"hdf5\" ref:\"a b\",c", "pkg:hdf5 ref:\"a b\",c"),
        ("pkg:\"?\" pkg:? pkg=\"\" pkg:\"=x\"", "pkg:\"?\" pkg:? pkg=\"\" pkg:\"=x\""),
        ("\"say \\\"a\\\\b\\\"\"", "\"say \\\"a\\\\b\\\"\""),
        ("pkg~\"^llvm\" pkg~^(a|b) pkg~\"a b\"", "pkg~^llvm pkg~/^(a|b)/ pkg~/a b/"),
        ("/a\\/b/ spec~a/b", "/a\\/b/ spec~a/b"),
        ("wait>1h30 since:-6h size>3GB", "wait>1h30 since:-6h size>3GB"),
    ] {
        let filter = Filter::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(filter.to_string(), written);
        assert_eq!(Filter::parse(written).unwrap(), filter);
    }
}

#[test]
fn and_narrows_and_empty_asks_nothing() {
    let parse = |text| Filter::parse(text).unwrap();
    assert!(parse(" ").is_empty() && Filter::default().is_empty() && !parse("a").is_empty());
    assert_eq!(parse("a | b").and(parse("c")).to_string(), "(a | b) c");
    assert_eq!(parse("a").and(Filter::default()), parse("a"));
    assert_eq!(Filter::default().and(parse("a | b")), parse("a | b"));
    assert!(Filter::default().and(Filter::default()).is_empty());
}

#[test]
fn what_matched_is_highlighted() {
    for (filter, text, want) in [
        ("hdf", "lib-hdf5", "lib-[hdf]5"),
        ("pn", "py-numpy", "[p]y-[n]umpy"),
        ("\"umpy\" num", "py-numpy", "py-[numpy]"),
        ("/[0-9]+/", "a1b22", "a[1]b[22]"),
        ("/x*/", "abc", "abc"),
        ("!hdf state:failed", "hdf5", "hdf5"),
        ("zzz | hdf", "hdf5", "[hdf]5"),
        ("é", "café", "caf[é]"),
        ("", "hdf5", "hdf5"),
    ] {
        let mut marked = text.to_owned();
        for range in Filter::parse(filter).unwrap().highlights(text).into_iter().rev() {
            marked.insert(range.end, ']');
            marked.insert(range.start, '[');
        }
        assert_eq!(marked, want, "{filter} in {text}");
    }
}

#[test]
fn tab_completes_fields_operators_and_live_values() {
    let live = |field| match field {
        Field::Stack => vec![("e4s", 1_204), ("e4s-oneapi", 2_000), ("ml-e4s", 9_000), ("build systems", 80)],
        _ => vec![],
    };
    let live = |field| live(field).into_iter().map(|(value, n)| (value.to_owned(), n)).collect();
    // `‸` is the cursor; the offers are shown put into the text.
    let offers = |text: &str| {
        let cursor = text.find('‸').unwrap();
        let text = text.replace('‸', "");
        let put = |c: Completion| {
            let mut out = text.clone();
            out.replace_range(c.replaces, &c.text);
            out + &c.count.map_or_else(String::new, |n| format!(" {n}"))
        };
        complete(&text, cursor, &live).into_iter().map(put).collect::<Vec<_>>()
    };
    assert_eq!(offers("hdf5 !(st‸"), ["hdf5 !(state:", "hdf5 !(stage:", "hdf5 !(stack:"]);
    assert_eq!(offers("St‸x=e4s a"), ["state=e4s a", "stage=e4s a", "stack=e4s a"]);
    assert_eq!(offers("‸").len(), Field::ALL.len());
    assert_eq!(offers("a ‸ b").len(), Field::ALL.len());
    assert_eq!(offers("pkg‸"), ["pkg:", "pkg=", "pkg!=", "pkg~"]);
    assert_eq!(offers("wait‸"), ["wait>", "wait>=", "wait<", "wait<=", "wait:", "wait=", "wait!="]);
    assert_eq!(offers("stack:e4‸"), ["stack:e4s-oneapi 2000", "stack:e4s 1204", "stack:ml-e4s 9000"]);
    assert_eq!(offers("stack!=x,ml‸,y | z"), ["stack!=x,ml-e4s,y | z 9000"]);
    assert_eq!(offers("stack:B‸"), ["stack:\"build systems\" 80"]);
    assert_eq!(offers("stack:\"build s‸"), ["stack:\"build systems\" 80"]);
    for none in ["\"st‸", "/st‸", "@st‸", "stack~e‸", "wait>‸", "hdf5‸", "zzz‸"] {
        assert_eq!(offers(none), [""; 0], "{none}");
    }
}
