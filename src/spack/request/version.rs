//! Versions in Spack's order, and the sets of them that follow an `@`.
//!
//! A version is its numbers and words; separators do not count. A word comes before every number, `develop` and its kin
//! come after, and `alpha`, `beta` and `rc` at the end come before the release that they lead to. A range ends *after*
//! everything that begins with its upper bound, so it is kept as the first version beyond it.

/// Versions beyond every number, lowest first.
const ENDLESS: [&str; 7] = ["stable", "nightly", "trunk", "head", "master", "main", "develop"];

const STAGES: [&str; 4] = ["alpha", "beta", "rc", "final"];
const FINAL: usize = 3;

/// One version. The order of the fields and of the variants below is Spack's order of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    release: Vec<Part>,
    /// An index of [`STAGES`].
    stage: usize,
    build: Option<Digits>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Word(String),
    Number(Digits),
    /// An index of [`ENDLESS`].
    Endless(usize),
}

/// A number of any size: decimal digits without leading zeros, the shorter one is the smaller one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Digits {
    len: usize,
    text: String,
}

impl Digits {
    fn read(text: &str) -> Self {
        let text = text.trim_start_matches('0').to_owned();
        Self { len: text.len(), text }
    }

    fn next(&self) -> Self {
        let head = self.text.trim_end_matches('9');
        let zeros = "0".repeat(self.len - head.len());
        let mut digits = head.to_owned();
        let last = digits.pop().map_or('1', |digit| char::from_u32(u32::from(digit) + 1).unwrap_or('9'));
        digits.push(last);
        Self::read(&(digits + &zeros))
    }
}

impl Part {
    fn read(text: &str) -> Self {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return Self::Number(Digits::read(text));
        }
        ENDLESS.iter().position(|word| *word == text).map_or_else(|| Self::Word(text.to_owned()), Self::Endless)
    }

    fn next(&self) -> Self {
        match self {
            Self::Number(digits) => Self::Number(digits.next()),
            Self::Endless(index) => Self::Endless(index + 1),
            Self::Word(word) => {
                let mut next = next_word(word);
                while ENDLESS.contains(&next.as_str()) {
                    next = next_word(&next);
                }
                Self::Word(next)
            }
        }
    }
}

/// The word after this one, where the letters run from A to Z and from a to z.
fn next_word(word: &str) -> String {
    let mut next = word.to_owned();
    match next.pop() {
        None => next.push('A'),
        Some('z') => next.push_str("zA"),
        Some('Z') => next.push('a'),
        Some(letter) => next.push(char::from_u32(u32::from(letter) + 1).unwrap_or(letter)),
    }
    next
}

impl Version {
    pub fn read(text: &str) -> Self {
        let mut segments = segments(text);
        let stage_of = |word: Option<&&str>| STAGES.iter().position(|stage| Some(stage) == word);
        let numbered = segments.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
        let (mut stage, mut build) = (FINAL, None);
        if let [_, .., word, number] = segments.as_slice()
            && numbered
            && let Some(found) = stage_of(Some(word))
        {
            (stage, build) = (found, Some(Digits::read(number)));
            segments.truncate(segments.len() - 2);
        } else if let [_, .., word] = segments.as_slice()
            && let Some(found) = stage_of(Some(word))
        {
            stage = found;
            segments.pop();
        }
        Self { release: segments.into_iter().map(Part::read).collect(), stage, build }
    }

    const fn lowest() -> Self {
        Self { release: Vec::new(), stage: 0, build: None }
    }

    fn beyond_all() -> Self {
        Self { release: vec![Part::Endless(usize::MAX)], stage: FINAL, build: None }
    }

    /// The first version that is neither this one nor one that begins with it.
    fn next(&self) -> Self {
        let mut next = self.clone();
        if next.stage != FINAL {
            next.build = Some(next.build.map_or_else(|| Digits::read(""), |build| build.next()));
        } else if let Some(last) = next.release.last_mut() {
            *last = last.next();
        } else {
            next.release.push(Part::Word("A".to_owned()));
        }
        next
    }
}

/// Runs of digits and runs of letters.
fn segments(text: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    for run in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c: char| c.is_ascii_digit() != first.is_ascii_digit()).unwrap_or(rest.len());
            let (segment, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            segments.push(segment);
            rest = after;
        }
    }
    segments
}

/// All versions from `from` on that come before `end`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    from: Version,
    end: Version,
}

impl Range {
    /// `from:to` with either end open; `None` if no version lies in it.
    pub fn new(from: Option<&str>, to: Option<&str>) -> Option<Self> {
        let from = from.map_or_else(Version::lowest, Version::read);
        let end = to.map_or_else(Version::beyond_all, |to| Version::read(to).next());
        (from < end).then_some(Self { from, end })
    }

    fn holds(&self, version: &Version) -> bool {
        self.from <= *version && *version < self.end
    }
}

/// A git reference or commit, and the version that it stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitRef {
    reference: String,
    version: Option<Version>,
}

impl GitRef {
    /// `git.REF`, `git.REF=VERSION`, `COMMIT` or `COMMIT=VERSION`; `None` for a plain version.
    pub fn read(text: &str) -> Option<Self> {
        let (reference, version) = text.split_once('=').map_or((text, None), |(name, version)| (name, Some(version)));
        let version = version.map(Version::read);
        match reference.strip_prefix("git.") {
            Some(reference) => Some(Self { reference: reference.to_owned(), version }),
            None if is_commit(reference) || version.is_some() => {
                Some(Self { reference: reference.to_owned(), version })
            }
            None => None,
        }
    }
}

/// The 40 digits of a commit.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// One element of the list after an `@`.
pub enum Element {
    Range(Range),
    Exact(Version),
    Git(GitRef),
}

/// A union of versions, in a form that is equal for equal unions.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versions {
    ranges: Vec<Range>,
    exact: Vec<Version>,
    git: Option<GitRef>,
}

impl Versions {
    /// Joins ranges that touch. `None` if every version is admitted.
    pub fn of(elements: Vec<Element>) -> Option<Self> {
        let mut versions = Self::default();
        for element in elements {
            match element {
                Element::Range(range) => versions.ranges.push(range),
                Element::Exact(version) => versions.exact.push(version),
                Element::Git(git) => versions.git = Some(git),
            }
        }
        versions.ranges.sort_unstable();
        versions.ranges.dedup_by(|next, kept| {
            let touches = next.from <= kept.end;
            if touches && kept.end < next.end {
                kept.end = next.end.clone();
            }
            touches
        });
        let everything = Range { from: Version::lowest(), end: Version::beyond_all() };
        if versions.ranges.first() == Some(&everything) {
            return None;
        }
        let ranges = &versions.ranges;
        versions.exact.retain(|version| !ranges.iter().any(|range| range.holds(version)));
        versions.exact.sort_unstable();
        versions.exact.dedup();
        Some(versions)
    }

    /// Whether all of these are among others.
    pub fn lie_within(&self, wider: &Self) -> bool {
        let in_range = |version: &Version| wider.ranges.iter().any(|range| range.holds(version));
        // Ranges that touch are one range, so no range needs two to hold it.
        let is_held = |own: &Range| wider.ranges.iter().any(|range| range.from <= own.from && own.end <= range.end);
        let stands_for = |git: &GitRef| git.version.as_ref().is_some_and(in_range);
        self.ranges.iter().all(is_held)
            && self.exact.iter().all(|version| in_range(version) || wider.exact.contains(version))
            && self.git.as_ref().is_none_or(|git| wider.git.as_ref() == Some(git) || stands_for(git))
    }

    /// Whether the version of a concrete spec is one of these.
    pub fn admit(&self, concrete: &str) -> bool {
        let in_range = |version: &Version| self.ranges.iter().any(|range| range.holds(version));
        match GitRef::read(concrete) {
            Some(found) => {
                let asked = self.git.as_ref().is_some_and(|git| {
                    git.reference == found.reference && (git.version.is_none() || git.version == found.version)
                });
                asked || found.version.as_ref().is_some_and(in_range)
            }
            None => {
                let version = Version::read(concrete);
                in_range(&version) || self.exact.contains(&version)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1.2`, `=1.2`, `1.2:`, …, as the reader would take them apart.
    fn set(text: &str) -> Option<Versions> {
        let element = |text: &str| match (text.strip_prefix('='), text.split_once(':')) {
            (Some(exact), _) => Element::Exact(Version::read(exact)),
            (None, Some((from, to))) => {
                let end = |text: &'static str| (!text.is_empty()).then_some(text);
                let (from, to) = (from.to_owned().leak(), to.to_owned().leak());
                Element::Range(Range::new(end(from), end(to)).unwrap())
            }
            (None, None) => Element::Range(Range::new(Some(text), Some(text)).unwrap()),
        };
        Versions::of(text.split(',').map(element).collect())
    }

    #[test]
    fn versions_come_in_the_order_of_spack() {
        let ascending = [
            "mydevelopmentnightmare",
            "xyz.4",
            "xyz.5",
            "xyz10",
            "0.5",
            "0.5.develop",
            "1.mydevelopment",
            "1.0",
            "1.1",
            "1.develop",
            "2",
            "2.0",
            "2.0.1",
            "2.0.1a",
            "2.0.1aa",
            "2.0.1b",
            "4.999.9",
            "5.5p1",
            "5.5p2",
            "5.5p10",
            "6.0alpha",
            "6.0alpha0",
            "6.0alpha1",
            "6.0beta",
            "6.0beta0",
            "6.0rc",
            "6.0rc0",
            "6.0rc10",
            "6.0",
            "6.0-1",
            "20101121",
            "20101122",
            "99999999999999999999999999999",
            "stable",
            "nightly",
            "trunk",
            "head",
            "master",
            "main",
            "develop",
            "develop.1",
            "develop.2",
        ];
        for pair in ascending.windows(2) {
            assert!(Version::read(pair[0]) < Version::read(pair[1]), "{pair:?}");
        }
        for (a, b) in
            [("2.0", "2_0"), ("2-0", "2.0"), ("10.0001", "10.1"), ("1.2.final", "1.2"), ("1.2rc1", "1.2-rc.1")]
        {
            assert_eq!(Version::read(a), Version::read(b));
        }
    }

    #[test]
    fn sets_hold_what_spack_says() {
        for (set_text, inside, outside) in [
            ("1.2", "1.2 1.2.3 1.2-5 1.2.3v2 1.2b6", "1.3 1.20 1.1 1 develop"),
            ("=1.2", "1.2 1-2 1_2", "1.2.0 1.2.3 1.3"),
            ("1.2:1.4", "1.2 1.2.5 1.3.5-7 1.4 1.4.2 1.4z", "1.1 1.5 1.40 develop"),
            ("1.2.7:1.4.0", "1.2.8 1.4.0 1.4.0.1", "1.2.5 1.4.1"),
            (":1.5", "0 1.5.9 abc 1.5rc1 1.6rc1", "1.6 1.6.0rc1 main"),
            ("1.2:", "1.2 1.2.0rc3 2 develop main.x", "1.1 1.2rc3 abc"),
            ("1.2.1:", "1.2.1", "1.2.1alpha1 1.2.1rc3"),
            (":1.2.0rc345", "1.2.0rc345 1.2.0rc1", "1.2.0 1.2.0rc346"),
            ("1.2,1.4:", "1.2.1 1.4 9", "1.3 1.1"),
            ("=1.2,1.4:1.5,=2", "1.2 1.4 2", "1.2.1 2.0"),
            ("develop", "develop develop.1", "main 9"),
            ("main:", "main develop", "master 9"),
            (":master", "master head 9 stable", "main develop"),
            ("2020-04", "2020-04-17", "2020-05-14"),
            ("4.0.2-fortran", "4.0.2-fortran", "4.0.2"),
            ("9.9", "9.9p1", "9.10"),
        ] {
            let versions = set(set_text).unwrap();
            for version in inside.split(' ') {
                assert!(versions.admit(version), "{version} is in {set_text}");
            }
            for version in outside.split(' ') {
                assert!(!versions.admit(version), "{version} is not in {set_text}");
            }
        }
    }

    #[test]
    fn equal_unions_are_equal() {
        for (a, b) in
            [("1.2,1.3", "1.2:1.3"), ("1.3:1.5", "1.3,1.3.1,1.4:1.5"), ("1.3,=1.3.1", "1.3"), ("=1.2,=1.2", "=1-2")]
        {
            assert_eq!(set(a), set(b), "{a} {b}");
        }
        assert_eq!(set(":"), None);
        assert_eq!(set(":,1.3"), None);
        assert_eq!(set(":1.2,1.3:"), None);
        assert_ne!(set("1.2"), set("=1.2"));
        assert!(Range::new(Some("1.5"), Some("1.2")).is_none());
    }

    #[test]
    fn the_next_version_carries_over() {
        for (version, next) in
            [("1.9", "1.10"), ("999", "1000"), ("0", "1"), ("1.a", "1.b"), ("1.z", "1.zA"), ("masteq", "mastes")]
        {
            assert_eq!(Version::read(version).next(), Version::read(next), "{version}");
        }
    }
}
