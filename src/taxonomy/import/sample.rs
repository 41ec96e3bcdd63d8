//! A line that a pattern matches, made from the pattern.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::taxonomy::lint::{NEVER_SHOWN, Shape};

const LONGEST: usize = 2_000;
/// What stands for a class of characters, if the class has it; one list after the other is tried.
const LIKED: [&[u8]; 2] = [b"x1a0A .-_/:,;=+()[]'\"", b" 0aA1x.-_/:,;=+()[]'\""];

/// A line that the pattern matches; nothing if none was found.
pub(super) fn sample(regex: &str) -> Option<String> {
    let shape = Shape::of(regex).ok()?;
    let built = |unicode| RegexBuilder::new(regex).unicode(unicode).build();
    let built = built(false).or_else(|_| built(true)).ok()?;
    LIKED.into_iter().find_map(|liked| {
        let mut bytes = Vec::new();
        write(&shape.hir, liked, &mut bytes)?;
        let text = String::from_utf8(bytes).ok()?;
        // Word bounds may ask for a neighbour, or for none.
        let around = [text.clone(), format!("x {text} x"), format!("x{text}"), format!("{text}x"), format!("x{text}x")];
        around.into_iter().find(|line| is_line(line) && fits(&built, line))
    })
}

fn is_line(line: &str) -> bool {
    !line.trim().is_empty() && !line.bytes().any(is_unshown)
}

fn is_unshown(byte: u8) -> bool {
    NEVER_SHOWN.iter().any(|(never, _)| *never == byte)
}

fn fits(regex: &Regex, line: &str) -> bool {
    regex.is_match(line.as_bytes())
}

fn write(hir: &Hir, liked: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if out.len() > LONGEST {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) if literal.0.iter().any(|byte| is_unshown(*byte)) => return None,
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.extend(member(class, liked)?),
        HirKind::Capture(capture) => write(&capture.sub, liked, out)?,
        HirKind::Concat(subs) => subs.iter().try_for_each(|sub| write(sub, liked, out))?,
        HirKind::Alternation(subs) => {
            let begin = out.len();
            subs.iter().find_map(|sub| {
                out.truncate(begin);
                write(sub, liked, out)
            })?;
        }
        HirKind::Repetition(rep) => {
            // Once where it may be absent: a sample looks like what was meant. If once is impossible, not at all.
            let begin = out.len();
            for _ in 0..rep.min.max(rep.max.map_or(1, |max| max.min(1))) {
                if write(&rep.sub, liked, out).is_none() {
                    out.truncate(begin);
                    return (rep.min == 0).then_some(());
                }
            }
        }
    }
    Some(())
}

/// A character of a class, as bytes: a liked one, or the first that is shown.
fn member(class: &Class, liked: &[u8]) -> Option<Vec<u8>> {
    let shown = |byte: u8| !is_unshown(byte) && byte >= b' ';
    match class {
        Class::Bytes(class) => {
            let has = |byte: u8| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte));
            let first =
                || class.ranges().iter().flat_map(|r| r.start()..=r.end()).find(|byte| shown(*byte) && byte.is_ascii());
            Some(vec![liked.iter().copied().find(|byte| has(*byte)).or_else(first)?])
        }
        Class::Unicode(class) => {
            let has = |c: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c));
            let first = || class.ranges().iter().flat_map(|r| r.start()..=r.end()).find(|c| *c >= ' ');
            let found = liked.iter().map(|byte| char::from(*byte)).find(|c| has(*c)).or_else(first)?;
            Some(found.to_string().into_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_look_like_what_was_meant() {
        for (regex, line) in [
            (r"curl: \(6\) Could not resolve host", Some("curl: (6) Could not resolve host")),
            (r"HTTP Error 5[00|02|03]", Some("HTTP Error 50")),
            (r"No version for .+ satisfies", Some("No version for x satisfies")),
            (r"exit code \d{3}\b", Some("exit code 111")),
            (r"^\[[^\n]*\] done$", Some("[x] done")),
            (r"\Bfoo", Some("xfoo")),
            (r"[\n]a", None),
            (r"a\nb", None),
            (r"(?:\x1b\[0m|ERROR)!", Some("ERROR!")),
            (r"é+", Some("é")),
        ] {
            assert_eq!(sample(regex).as_deref(), line, "{regex}");
        }
    }

    proptest! {
        #[test]
        fn samples_match(regex in r"(a|\(b\|c\)|[x-z]|\\d\+|\\w\{2,3\}|\.|\\S\*|\\b|\^|\$| ){1,8}") {
            if let Some(line) = sample(&regex) {
                prop_assert!(Regex::new(&regex).unwrap().is_match(line.as_bytes()));
            }
        }
    }
}
