//! What holds for every filter and every text.

use proptest::prelude::*;

use super::*;

/// Texts made of what filters are made of, so that many of them parse.
fn filterish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "hdf5",
            "x",
            "É",
            "é",
            " ",
            " ",
            "|",
            " | ",
            "(",
            ")",
            "!",
            "\"",
            "/",
            "\\",
            ",",
            "?",
            "@a",
            "@",
            "~",
            ":",
            "=",
            "-6h",
            "10k",
            "02:30",
            "3m",
            "state:",
            "pkg=",
            "pkg~",
            "spec!=",
            "blocks>",
            "wait<=",
            "since:",
            "tag:",
            "size>=",
            "^(a|b)",
            "a b",
            "failed",
            "\u{1b}[31m",
            "\u{202e}",
            "\0",
            "/a\\/b/",
            "\"q \\\" r\"",
            "[",
            "*",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Texts that parse.
fn good() -> impl Strategy<Value = String> {
    let term = prop_oneof![
        "[a-z0-9+%.é-]{1,6}".prop_map(|word| word),
        "[ a-zA-Z\"\\\\|()?é/]{1,6}"
            .prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        "[a-z/.*|]{1,5}".prop_filter_map("a pattern", |re| {
            regex::Regex::new(&re).ok().map(|_| format!("/{}/", re.replace('/', "\\/")))
        }),
        (
            "(state|pkg|tag|spec)",
            "(:|=|!=)",
            proptest::collection::vec("([a-zA-Z0-9.@é-]{1,5}|\"[ ,a?|=]{1,4}\"|\\?)", 1..4)
        )
            .prop_map(|(field, op, values)| format!("{field}{op}{}", values.join(","))),
        "(pkg|state)~(\\^a|[a-z]{1,3}/|\\(a\\|b\\)|/a b/|\"[a-z |/]{1,4}\")",
        "(blocks|pr|tries)(<|<=|>|>=|:|=|!=)[0-9]{1,3}[kMGT]?",
        "(age|dur|wait)(<|<=|>|>=|:|=|!=)[0-9]{1,3}(\\.5)?[smhd]",
        "since(<|<=|>|>=|:|=|!=)(-[0-9]{1,3}[smhd]|[01][0-9]:[0-5][0-9])",
        Just("@mine".to_owned()),
    ];
    let leaf = ("!{0,3}", term).prop_map(|(nots, term)| format!("{nots}{term}"));
    leaf.prop_recursive(4, 24, 4, |inner| {
        (proptest::collection::vec(inner, 1..4), "!?", "( | \\|  ?|\\|)")
            .prop_map(|(parts, not, join)| format!("{not}({})", parts.join(&join)))
    })
}

fn mine(name: &str) -> Option<String> {
    (name == "mine").then(|| "author:gtanaka | x".to_owned())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_every_mistake_has_a_place(text in filterish(), cursor in 0..40_usize) {
        match Filter::parse_with(&text, &|_| Some(text.clone())) {
            Ok(filter) => {
                filter.matches(&hdf5(), now());
                filter.highlights(&text);
                prop_assert_eq!(Filter::parse_with(&filter.to_string(), &|_| Some(text.clone())), Ok(filter));
            }
            Err(e) => prop_assert!(text.get(e.span.clone()).is_some_and(|bad| !bad.is_empty()), "{:?} {:?}", text, e),
        }
        for offer in complete(&text, cursor, &|_| vec![("a b".to_owned(), 1), ("\"".to_owned(), 2)]) {
            prop_assert!(text.get(offer.replaces).is_some());
        }
        Typing::default().update(&text, &|_| None);
    }

    #[test]
    fn what_is_written_is_read_as_the_same(text in good()) {
        let filter = Filter::parse_with(&text, &mine);
        prop_assert!(filter.is_ok(), "{}: {:?}", text, filter);
        let filter = filter.unwrap();
        let written = filter.to_string();
        let again = Filter::parse_with(&written, &mine);
        prop_assert_eq!(again.as_ref(), Ok(&filter), "{} as {}", text, written);
        prop_assert_eq!(again.unwrap().matches(&hdf5(), now()), filter.matches(&hdf5(), now()));
    }

    #[test]
    fn a_filter_and_its_negation_never_both_keep(text in good()) {
        let row = hdf5();
        let kept = Filter::parse_with(&text, &mine).unwrap().matches(&row, now());
        let negated = Filter::parse_with(&format!("!({text})"), &mine).unwrap().matches(&row, now());
        prop_assert!(!(kept && negated));
    }

    #[test]
    fn ranges_to_highlight_are_whole_and_apart(text in good(), shown in "[a-zA-Zé0-9 /|-]{0,20}") {
        let ranges = Filter::parse_with(&text, &mine).unwrap().highlights(&shown);
        prop_assert!(ranges.iter().all(|r| shown.get(r.clone()).is_some_and(|part| !part.is_empty())));
        prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
    }
}
