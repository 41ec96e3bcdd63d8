//! What follows from a pattern's syntax tree about everything that it matches.

use regex_syntax::ast::Ast;
use regex_syntax::ast::parse::Parser;
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// Bytes that no shown line holds: what they do to a terminal is done.
pub const NEVER_SHOWN: &[(u8, &str)] = &[
    (b'\n', "a line break"),
    (b'\r', "a carriage return"),
    (b'\t', "a tab (it is shown as a space)"),
    (0x1b, "an escape"),
];
/// Classes of so many characters still count as text.
const FEW: usize = 4;
/// Most texts in one set of [`Shape::texts`].
const MOST_TEXTS: usize = 16;

/// A parsed pattern.
pub struct Shape {
    pub ast: Ast,
    pub hir: Hir,
}

impl Shape {
    /// Parses a pattern as the engine does: over bytes, with Unicode classes only where it cannot do without. The error is the reason.
    pub fn of(regex: &str) -> Result<Self, String> {
        let ast = Parser::new().parse(regex).map_err(|error| error.kind().to_string())?;
        let read = |unicode| TranslatorBuilder::new().utf8(false).unicode(unicode).build().translate(regex, &ast);
        let hir = read(false).or_else(|_| read(true)).map_err(|error| error.kind().to_string())?;
        Ok(Self { ast, hir })
    }

    /// It may match without taking a character.
    pub fn takes_nothing(&self) -> bool {
        self.hir.properties().minimum_len() == Some(0)
    }

    /// About how many states it needs.
    pub fn weight(&self) -> usize {
        weight(&self.hir)
    }

    /// How many bytes of text in a row every match holds at least. A choice of a few characters counts as one byte of text.
    pub fn text(&self) -> usize {
        runs(&self.hir).best
    }

    /// Why no line can match, if that is certain.
    pub fn never(&self) -> Option<String> {
        never(&self.hir, false, false)
    }

    /// Sets of texts; every match holds at least one text of each set.
    pub fn texts(&self) -> Vec<Vec<Vec<u8>>> {
        let mut sets = match texts(&self.hir) {
            Texts::Exact(set) => vec![set],
            Texts::Within(sets) => sets,
        };
        sets.retain(|set| !set.is_empty() && set.iter().all(|text| !text.is_empty()));
        sets
    }

    /// Whether a match depends on what stands around it.
    pub fn looks_around(&self) -> bool {
        !self.hir.properties().look_set().is_empty()
    }

    /// The only text that it matches, whatever must stand around it.
    pub fn only_text(&self) -> Option<String> {
        match texts(&self.hir) {
            Texts::Exact(mut set) if set.len() == 1 => String::from_utf8(set.pop()?).ok(),
            _ => None,
        }
    }
}

fn weight(hir: &Hir) -> usize {
    let all = |subs: &[Hir]| subs.iter().fold(1usize, |sum, sub| sum.saturating_add(weight(sub)));
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len().max(1),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().max(1),
        HirKind::Capture(capture) => weight(&capture.sub).saturating_add(2),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => all(subs),
        HirKind::Repetition(rep) => {
            let times = rep.max.unwrap_or(rep.min.saturating_add(1)).max(1);
            weight(&rep.sub).saturating_add(1).saturating_mul(times as usize)
        }
    }
}

/// Guaranteed text: anywhere, at the start, at the end; and whether nothing but text is between start and end.
#[derive(Clone, Copy)]
struct Runs {
    best: usize,
    head: usize,
    tail: usize,
    whole: bool,
}

impl Runs {
    const NONE: Self = Self { best: 0, head: 0, tail: 0, whole: false };

    const fn whole(len: usize) -> Self {
        Self { best: len, head: len, tail: len, whole: true }
    }

    fn then(self, next: Self) -> Self {
        Self {
            best: self.best.max(next.best).max(self.tail.saturating_add(next.head)),
            head: if self.whole { self.head.saturating_add(next.head) } else { self.head },
            tail: if next.whole { next.tail.saturating_add(self.tail) } else { next.tail },
            whole: self.whole && next.whole,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            best: self.best.min(other.best),
            head: self.head.min(other.head),
            tail: self.tail.min(other.tail),
            whole: self.whole && other.whole,
        }
    }
}

fn runs(hir: &Hir) -> Runs {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Runs::whole(0),
        HirKind::Literal(literal) => Runs::whole(literal.0.len()),
        HirKind::Class(class) => few(class).map_or(Runs::NONE, |_| Runs::whole(1)),
        HirKind::Capture(capture) => runs(&capture.sub),
        HirKind::Concat(subs) => subs.iter().map(runs).fold(Runs::whole(0), Runs::then),
        HirKind::Alternation(subs) => subs.iter().map(runs).reduce(Runs::or).unwrap_or(Runs::NONE),
        HirKind::Repetition(rep) if rep.min == 0 => Runs::NONE,
        HirKind::Repetition(rep) => {
            let once = runs(&rep.sub);
            match once.whole {
                true if rep.max == Some(rep.min) => Runs::whole(once.best.saturating_mul(rep.min as usize)),
                true => Runs { whole: false, ..Runs::whole(once.best.saturating_mul(rep.min as usize)) },
                false => once,
            }
        }
    }
}

/// The characters of a small class.
fn few(class: &Class) -> Option<Vec<Vec<u8>>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    match class {
        Class::Bytes(class) => {
            let mut bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            all.extend(bytes.by_ref().take(FEW + 1).map(|byte| vec![byte]));
        }
        Class::Unicode(class) => {
            let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            all.extend(chars.take(FEW + 1).map(|c| c.to_string().into_bytes()));
        }
    }
    (!all.is_empty() && all.len() <= FEW).then_some(all)
}

/// Every class that the pattern asks for holds a byte that is shown; and nothing must stand before `^` or after `$`. `before` and `after`
/// say that the match holds at least one character on that side.
fn never(hir: &Hir, before: bool, after: bool) -> Option<String> {
    let unshown = |byte: u8| NEVER_SHOWN.iter().find(|(never, _)| *never == byte).map(|(_, name)| *name);
    let holds = |name: &str| format!("no shown line holds {name}");
    match hir.kind() {
        HirKind::Empty => None,
        HirKind::Literal(literal) => literal.0.iter().find_map(|byte| unshown(*byte)).map(holds),
        HirKind::Class(Class::Bytes(class)) => {
            let mut name = Some("such a character");
            for range in class.ranges() {
                name = (range.start()..=range.end()).map(unshown).try_fold(name, |_, unshown| unshown.map(Some))?;
            }
            name.map(holds)
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut name = Some("such a character");
            for range in class.ranges() {
                let mut bytes = (range.start()..=range.end()).map(|c| u8::try_from(c).ok().and_then(unshown));
                name = bytes.try_fold(name, |_, unshown| unshown.map(Some))?;
            }
            name.map(holds)
        }
        HirKind::Look(look) => match look {
            Look::Start | Look::StartLF | Look::StartCRLF if before => {
                Some("`^` is the start of the line, but something must stand before it".to_owned())
            }
            Look::End | Look::EndLF | Look::EndCRLF if after => {
                Some("`$` is the end of the line, but something must stand after it".to_owned())
            }
            _ => None,
        },
        HirKind::Capture(capture) => never(&capture.sub, before, after),
        HirKind::Repetition(Repetition { min: 0, .. }) => None,
        HirKind::Repetition(rep) => never(&rep.sub, before, after),
        HirKind::Alternation(subs) => {
            let mut reason = None;
            for sub in subs {
                reason = Some(never(sub, before, after)?);
            }
            reason
        }
        HirKind::Concat(subs) => {
            // A part that cannot match has no length; it is found when its turn comes.
            let takes = |hir: &Hir| hir.properties().minimum_len().is_none_or(|len| len > 0);
            let last = subs.iter().rposition(takes);
            let mut before = before;
            for (at, sub) in subs.iter().enumerate() {
                let reason = never(sub, before, after || last.is_some_and(|last| last > at));
                if reason.is_some() {
                    return reason;
                }
                before |= takes(sub);
            }
            None
        }
    }
}

enum Texts {
    /// The part matches one of these and nothing else.
    Exact(Vec<Vec<u8>>),
    Within(Vec<Vec<Vec<u8>>>),
}

fn texts(hir: &Hir) -> Texts {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Texts::Exact(vec![Vec::new()]),
        HirKind::Literal(literal) => Texts::Exact(vec![literal.0.to_vec()]),
        HirKind::Class(class) => few(class).map_or(Texts::Within(Vec::new()), Texts::Exact),
        HirKind::Capture(capture) => texts(&capture.sub),
        HirKind::Repetition(Repetition { min: 0, .. }) => Texts::Within(Vec::new()),
        HirKind::Repetition(rep) => match texts(&rep.sub) {
            Texts::Exact(set) => Texts::Within(vec![set]),
            within @ Texts::Within(_) => within,
        },
        HirKind::Alternation(subs) => alternatives(subs),
        HirKind::Concat(subs) => {
            let mut sets = Vec::new();
            let mut run = vec![Vec::new()];
            let mut exact = true;
            for sub in subs {
                match texts(sub) {
                    Texts::Exact(set) if run.len().saturating_mul(set.len()) <= MOST_TEXTS => {
                        let joined =
                            run.iter().flat_map(|a| set.iter().map(move |b| [a.as_slice(), b.as_slice()].concat()));
                        run = joined.collect();
                    }
                    other => {
                        exact = false;
                        sets.push(std::mem::replace(&mut run, vec![Vec::new()]));
                        match other {
                            Texts::Exact(set) => run = set,
                            Texts::Within(inner) => sets.extend(inner),
                        }
                    }
                }
            }
            if exact {
                return Texts::Exact(run);
            }
            sets.push(run);
            Texts::Within(sets)
        }
    }
}

fn alternatives(subs: &[Hir]) -> Texts {
    let mut all = Vec::new();
    let mut exact = true;
    for sub in subs {
        // Of each alternative the set whose shortest text is longest.
        let best = match texts(sub) {
            Texts::Exact(set) => Some(set),
            Texts::Within(sets) => {
                exact = false;
                sets.into_iter().max_by_key(|set| set.iter().map(Vec::len).min())
            }
        };
        all.extend(best.unwrap_or_else(|| vec![Vec::new()]));
        if all.len() > MOST_TEXTS {
            return Texts::Within(Vec::new());
        }
    }
    if exact { Texts::Exact(all) } else { Texts::Within(vec![all]) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use super::*;

    fn shape(regex: &str) -> Shape {
        Shape::of(regex).unwrap_or_else(|reason| panic!("{regex}: {reason}"))
    }

    #[test]
    fn the_text_that_every_match_holds_is_measured() {
        for (regex, len) in [
            ("abc", 3),
            (r"a\d+bcd", 3),
            ("(?i)abc", 3),
            ("abc|de", 2),
            ("x(?:abc|de)y", 4),
            ("(?:ab)+", 2),
            ("(?:ab){3}", 6),
            (".*", 0),
            (r"\d{9}", 0),
            ("[Cc]ould", 5),
            (r"\bKilled\b", 6),
            ("a?b", 1),
            ("5[00|02|03]", 2),
            ("^$", 0),
        ] {
            assert_eq!(shape(regex).text(), len, "{regex}");
        }
    }

    #[test]
    fn what_can_never_match_is_told_and_nothing_else() {
        for regex in [
            r"a\nb",
            r"a\tb",
            r"\x1b\[31m",
            "a^b",
            "a$b",
            "(?:a$|b$)c",
            r"[\n\r]a",
            r"(?m)a^b",
            "a(^b)",
            "(a$)+b",
            r"[^\s\S]",
            r"\d^",
        ] {
            assert!(shape(regex).never().is_some(), "{regex}");
        }
        for regex in [
            "a",
            "^a$",
            "a*^b",
            "a$b*",
            "a|b^c",
            r"[\n ]a",
            r"\sa",
            r"a\n?",
            "(?:^|a)b",
            "a(?:$|b)",
            r"[^a]",
            r"(?:\n)*a",
            "é^*",
        ] {
            assert_eq!(shape(regex).never(), None, "{regex}");
        }
    }

    #[test]
    fn texts_are_held_by_every_match() {
        let texts = |regex: &str| -> Vec<Vec<String>> {
            let text = |text: Vec<u8>| String::from_utf8(text).unwrap();
            shape(regex).texts().into_iter().map(|set| set.into_iter().map(text).collect()).collect()
        };
        assert_eq!(texts("ab(c|d)e"), [["abce", "abde"]]);
        assert_eq!(texts(r"ab\d+cd"), [["ab"], ["cd"]]);
        assert_eq!(texts(r"ab\d+|cd\d"), [["ab", "cd"]]);
        assert_eq!(texts("ab*"), [["a"]]);
        assert_eq!(texts(r"\d|ab"), Vec::<Vec<String>>::new());
        assert_eq!(shape("^Killed$").only_text().as_deref(), Some("Killed"));
    }

    #[test]
    fn counts_multiply() {
        assert!(shape("(?:(?:(?:a{100}){100}){100}){100}").weight() > 1_000_000);
        assert!(shape(r"\w+ of \S+").weight() < 100);
    }

    proptest! {
        /// On any line, a claim about all matches holds for this one.
        #[test]
        fn claims_hold(regex in r"(\^|\$|a|b|ab|[ab]|a\*|b\+|\(a\|b\)|\(\^a\|b\$\)|\.|\\n|\?|\\t){1,8}", line in "[ab]{0,6}") {
            let Ok(shape) = Shape::of(&regex) else { return Ok(()) };
            let built = RegexBuilder::new(&regex).unicode(false).build().unwrap();
            if let Some(found) = built.find(line.as_bytes()) {
                prop_assert_eq!(shape.never(), None);
                prop_assert!(found.len() >= shape.text());
                for set in shape.texts() {
                    prop_assert!(set.iter().any(|text| memchr::memmem::find(found.as_bytes(), text).is_some()), "{:?}", set);
                }
            }
        }
    }
}
