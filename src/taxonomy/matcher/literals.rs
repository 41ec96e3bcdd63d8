//! Which strings a pattern cannot do without: what the prefilter searches for, so that the pattern itself runs on few lines only.
//!
//! Any line that a pattern matches contains at least one of its needles. A pattern without needles (`^\d+$`) has to look at every line.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Most needles of one pattern, most that parts of it are multiplied to, longest needle, and the fewest bytes that are worth a search.
const MOST: usize = 64;
const MULTIPLIED: usize = 16;
const LONGEST: usize = 64;
const SHORTEST: usize = 2;
/// From four bytes on a needle is searched for quickly. Rarer than this is rare enough.
const QUICK: usize = 4;
const RARE: u32 = 100;

/// One string, as the bytes of a line contain it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Needle {
    pub bytes: Vec<u8>,
    /// ASCII letters fit in either case; `bytes` holds the small ones.
    pub folded: bool,
}

/// What a pattern needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needles {
    pub any: Vec<Needle>,
    /// A needle counts only where a line begins.
    pub at_start: bool,
    /// A needle is all that the pattern asks for.
    pub whole: bool,
}

/// The needles of a pattern that compiles.
pub(super) fn needles(regex: &str, unicode: bool) -> Option<Needles> {
    let hir = ParserBuilder::new().utf8(false).unicode(unicode).build().parse(regex).ok()?;
    if let Some(any) = exact(&hir).filter(|any| usable(any)) {
        let bare = hir.properties().look_set().is_empty();
        let whole = bare && any.iter().all(|n| !n.folded);
        return Some(Needles { any, at_start: starts(&hir), whole });
    }
    let (any, at_start) = best(&hir)?;
    Some(Needles { any, at_start, whole: false })
}

fn usable(needles: &[Needle]) -> bool {
    !needles.is_empty() && needles.iter().all(|n| n.bytes.len() >= SHORTEST && !n.bytes.contains(&b'\n'))
}

/// How rare the needles are: the most common one counts, then how few they are.
fn rarity(needles: &[Needle]) -> (u32, usize) {
    let rare = |needle: &Needle| match needle.bytes.len() {
        short @ 0..QUICK => short as u32,
        _ => needle.bytes.iter().map(|b| 14 - common(*b)).sum::<u32>().min(RARE),
    };
    (needles.iter().map(rare).min().unwrap_or(0), MOST.saturating_sub(needles.len()))
}

/// How common a byte is in the logs of builds, 1 to 12.
pub(super) fn common(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b' ' | b'e' => 12,
        b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'/' | b'c' => 9,
        b'l' | b'd' | b'u' | b'p' | b'm' | b'-' | b'.' | b'_' => 6,
        b'f' | b'h' | b'g' | b'b' | b'0'..=b'9' => 4,
        b'y' | b'w' | b'v' | b'k' | b'x' | b':' | b'=' | b'+' => 3,
        _ => 1,
    }
}

fn starts(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Concat(parts) => parts.first().is_some_and(|p| *p.kind() == HirKind::Look(Look::Start)),
        _ => false,
    }
}

/// Every string that matches, when they are few. Assertions take no bytes and are passed over.
fn exact(hir: &Hir) -> Option<Vec<Needle>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![Needle::default()]),
        HirKind::Literal(literal) => {
            (literal.0.len() <= LONGEST).then(|| vec![Needle { bytes: literal.0.to_vec(), folded: false }])
        }
        HirKind::Class(class) => members(class),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![Needle::default()], |so_far, part| cross(&so_far, &exact(part)?))
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(exact(part)?);
            }
            tidy(all)
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.filter(|max| *max <= 2)?;
            let once = exact(&repetition.sub)?;
            let mut power = vec![Needle::default()];
            let mut all = Vec::new();
            for times in 0..=most {
                if times >= repetition.min {
                    all.extend(power.iter().cloned());
                }
                power = cross(&power, &once)?;
            }
            tidy(all)
        }
    }
}

/// The rarest needles of some part that every match contains, and whether they stand where the line begins.
fn best(hir: &Hir) -> Option<(Vec<Needle>, bool)> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => None,
        // Too long to be exact: its front is as good.
        HirKind::Literal(literal) => {
            let bytes = literal.0.get(..LONGEST).unwrap_or(&literal.0).to_vec();
            Some((vec![Needle { bytes, folded: false }], false)).filter(|(any, _)| usable(any))
        }
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best(&repetition.sub)
            .map(|(any, _)| (any, false))
            .or_else(|| exact(&repetition.sub).filter(|a| usable(a)).map(|a| (a, false))),
        HirKind::Repetition(_) => None,
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(exact(part).filter(|a| usable(a)).or_else(|| best(part).map(|(any, _)| any))?);
            }
            tidy(all).map(|any| (any, false))
        }
        HirKind::Concat(parts) => best_of(parts),
    }
}

fn best_of(parts: &[Hir]) -> Option<(Vec<Needle>, bool)> {
    let mut found: Option<(Vec<Needle>, bool)> = None;
    let mut offer = |any: Vec<Needle>, at_start: bool| {
        if usable(&any) && found.as_ref().is_none_or(|(old, _)| rarity(&any) > rarity(old)) {
            found = Some((any, at_start));
        }
    };
    let mut run = vec![Needle::default()];
    let mut run_at_start = false;
    for (n, part) in parts.iter().enumerate() {
        if n == 0 && *part.kind() == HirKind::Look(Look::Start) {
            run_at_start = true;
            continue;
        }
        let strings = exact(part);
        if let Some(longer) = strings.as_ref().and_then(|s| cross(&run, s)) {
            run = longer;
            continue;
        }
        offer(std::mem::replace(&mut run, vec![Needle::default()]), run_at_start);
        run_at_start = false;
        match strings {
            Some(strings) => run = strings,
            None => {
                if let Some((any, _)) = best(part) {
                    offer(any, false);
                }
            }
        }
    }
    offer(run, run_at_start);
    // What a part may begin with, optional words and few digits included.
    let mut fronts = Extractor::new();
    fronts.kind(ExtractKind::Prefix).limit_class(10).limit_repeat(2).limit_literal_len(LONGEST / 2).limit_total(MOST);
    for from in 0..parts.len() {
        let rest = Hir::concat(parts.get(from..).unwrap_or_default().to_vec());
        let front = fronts.extract(&rest);
        let needles =
            front.literals().map(|all| all.iter().map(|l| Needle { bytes: l.as_bytes().to_vec(), folded: false }));
        if let Some(any) = needles.and_then(|all| tidy(all.collect())) {
            offer(trimmed(any), from == 0 && parts.first().is_some_and(|p| *p.kind() == HirKind::Look(Look::Start)));
        }
    }
    found
}

/// Without a last digit that may be any: it makes ten needles of one that is rare enough.
fn trimmed(any: Vec<Needle>) -> Vec<Needle> {
    let stem = |needle: &Needle| {
        let (last, stem) = needle.bytes.split_last()?;
        let digits = |d| any.contains(&Needle { bytes: [stem, &[d]].concat(), folded: needle.folded });
        let needless = last.is_ascii_digit() && stem.len() > QUICK && (b'0'..=b'9').all(digits);
        needless.then(|| Needle { bytes: stem.to_vec(), folded: needle.folded })
    };
    let few = any.iter().map(|needle| stem(needle).unwrap_or_else(|| needle.clone())).collect();
    tidy(few).unwrap_or(any)
}

fn members(class: &Class) -> Option<Vec<Needle>> {
    let mut all = Vec::new();
    match class {
        Class::Bytes(bytes) => {
            for range in bytes.ranges() {
                all.extend((range.start()..=range.end()).take(MOST + 1).map(|b| vec![b]));
                (all.len() <= MOST).then_some(())?;
            }
        }
        Class::Unicode(chars) => {
            for range in chars.ranges() {
                all.extend((range.start()..=range.end()).take(MOST + 1).map(|c| c.to_string().into_bytes()));
                (all.len() <= MOST).then_some(())?;
            }
        }
    }
    let both = |bytes: &[u8]| all.iter().any(|other| other != bytes && other.eq_ignore_ascii_case(bytes));
    let fold = |bytes: &Vec<u8>| {
        if both(bytes) {
            Needle { bytes: bytes.to_ascii_lowercase(), folded: true }
        } else {
            Needle { bytes: bytes.clone(), folded: false }
        }
    };
    let folded: Vec<Needle> = all.iter().map(fold).collect();
    tidy(folded).filter(|all| all.len() <= 4)
}

fn cross(fronts: &[Needle], backs: &[Needle]) -> Option<Vec<Needle>> {
    if fronts.len() * backs.len() > MULTIPLIED.max(fronts.len()).max(backs.len()) {
        return None;
    }
    let join = |front: &Needle, back: &Needle| {
        let folded = front.folded || back.folded;
        let mut bytes = [front.bytes.as_slice(), back.bytes.as_slice()].concat();
        if folded {
            bytes.make_ascii_lowercase();
        }
        (bytes.len() <= LONGEST).then_some(Needle { bytes, folded })
    };
    let all: Option<Vec<Needle>> = fronts.iter().flat_map(|f| backs.iter().map(move |b| join(f, b))).collect();
    tidy(all?)
}

fn tidy(mut all: Vec<Needle>) -> Option<Vec<Needle>> {
    all.sort_unstable();
    all.dedup();
    (all.len() <= MOST).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(regex: &str) -> String {
        let Some(needles) = needles(regex, false) else { return "none".to_owned() };
        let mut words: Vec<String> = needles
            .any
            .iter()
            .map(|n| format!("{}{}", String::from_utf8_lossy(&n.bytes), if n.folded { "/i" } else { "" }))
            .collect();
        words.extend(needles.at_start.then(|| "^".to_owned()));
        words.extend(needles.whole.then(|| "=".to_owned()));
        words.join("|")
    }

    #[test]
    fn every_match_contains_a_needle() {
        assert_eq!(said("No space left on device"), "No space left on device|=");
        assert_eq!(said(r"^==> Error: (?<what>\w+)"), "==> Error: |^");
        assert_eq!(said(r"(?:g|c)\+\+: fatal error: \w+"), "++: fatal error: ");
        assert_eq!(said(r"[Kk]illed"), "killed/i");
        assert_eq!(said(r"(?i)could not resolve"), "could not resolve/i");
        assert_eq!(said(r"\d+ (?:lines?|rows)$"), " line| lines| rows");
        assert_eq!(said(r"HTTP Error 5(?:00|02|03)"), "HTTP Error 500|HTTP Error 502|HTTP Error 503|=");
        assert_eq!(said(r"(?:abcde\d+c|x+yz)"), "abcde|yz");
        assert_eq!(said(r"(?:timed out){2,}"), "timed out");
        assert_eq!(said(r"line \d+ of"), "line ");
        assert_eq!(said(r">> \d+ x"), ">> 0|>> 1|>> 2|>> 3|>> 4|>> 5|>> 6|>> 7|>> 8|>> 9");
        assert_eq!(said(r"^exit code 137$"), "exit code 137|^");
    }

    #[test]
    fn patterns_without_needles_are_told() {
        for regex in [r"^\d+$", r"(?:abc)?", r"a|\d{4}", r".*", r"[a-z]+x"] {
            assert_eq!(said(regex), "none", "{regex}");
        }
    }

    #[test]
    fn unicode_case_has_more_letters_than_two() {
        // KELVIN SIGN and LONG S are cases of k and s.
        let needles = needles("(?i)ask", true).unwrap();
        assert!(needles.any.iter().any(|n| n.bytes == "aſ\u{212a}".as_bytes()), "{needles:?}");
    }
}
