//! Short lines of text for a terminal of 80 columns.
//!
//! Sentences are broken between words. An address or a hash that alone is longer than a line stays whole, so that it can be copied.

use super::package;

const WIDTH: usize = 80;

/// Lines that grow.
#[derive(Debug, Default)]
pub struct Lines(Vec<String>);

impl Lines {
    /// Adds a text behind `lead`, which may hold spaces. What does not fit on the first line stands `hang` further in.
    pub fn say(&mut self, lead: &str, hang: usize, text: &str) {
        self.add(lead, hang, text.split_whitespace());
    }

    /// Adds a list that is broken between its items only, and says how many more there are.
    pub fn list(&mut self, lead: &str, hang: usize, items: impl IntoIterator<Item = String>, more: usize) {
        let mut items: Vec<String> = items.into_iter().collect();
        let ended = items.len().saturating_sub(1);
        items.iter_mut().take(ended).for_each(|item| item.push(','));
        if more > 0 {
            items.push(format!("and {more} more"));
        }
        self.add(lead, hang, items.iter().map(String::as_str));
    }

    fn add<'a>(&mut self, lead: &str, hang: usize, units: impl Iterator<Item = &'a str>) {
        let mut line = lead.to_owned();
        let mut width = line.chars().count();
        let mut is_fresh = true;
        for word in units {
            let wide = word.chars().count();
            if !is_fresh && width + 1 + wide > WIDTH {
                self.0.push(std::mem::replace(&mut line, " ".repeat(hang)));
                width = hang;
                is_fresh = true;
            }
            if !is_fresh {
                line.push(' ');
                width += 1;
            }
            line.push_str(word);
            width += wide;
            is_fresh = false;
        }
        self.0.push(line.trim_end().to_owned());
    }

    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// `1 job`, `2 jobs`.
pub fn number(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The first few of a list, and how many more there are.
pub fn few<T: AsRef<str>>(items: &[T], most: usize) -> String {
    let shown: Vec<&str> = items.iter().take(most).map(AsRef::as_ref).collect();
    match items.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The start of a text.
pub fn cut(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let mut start: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        start.push('…');
    }
    start
}

/// An element of the configuration. Of the specs that an entry is for, the one that names the package is shown.
pub fn origin_in_short(origin: &str, spec: &str) -> String {
    let whole = origin.split_once(" (match ").and_then(|(place, rest)| Some((place, rest.strip_suffix(')')?)));
    let Some((place, list)) = whole else { return origin.to_owned() };
    let names_it = |item: &&str| {
        let rest = item.strip_prefix(package(spec));
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')))
    };
    let mut items = list.split(", ");
    let first = items.next().unwrap_or_default();
    let Some(second) = items.next() else { return origin.to_owned() };
    let shown = [first, second].into_iter().chain(items).find(names_it).unwrap_or(first);
    format!("{place} (match {shown}, …)")
}

/// The elements that a configuration has, and those built-in ones that come after all of it and only correct it. Without a configuration,
/// what is built in stands for itself.
pub fn without_final_checks(set_by: &[String]) -> (&[String], &[String]) {
    let end = set_by.iter().rposition(|element| !element.starts_with("built in ")).map_or(set_by.len(), |at| at + 1);
    set_by.split_at_checked(end).unwrap_or((set_by, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_between_words_and_addresses_stay_whole() {
        let address = format!("s3://{}", "x".repeat(90));
        let mut lines = Lines::default();
        lines.say("keep   ", 9, &format!("{} at {address} and then some", "word ".repeat(20)));
        let lines = lines.into_vec();
        assert!(lines[0].starts_with("keep   word") && lines[1].starts_with("         word"), "{lines:#?}");
        for line in &lines {
            assert!(line.chars().count() <= 80 || line.trim() == address, "{line}");
        }
        let mut lines = Lines::default();
        lines.say("", 2, "one\ntwo\u{2028}three");
        lines.say("  ", 2, "");
        assert_eq!(lines.into_vec(), ["one two three", ""]);
    }

    #[test]
    fn long_matches_show_the_one_that_names_the_package() {
        let origin = "linux.yaml pipeline-gen[3] submapping[12] (match hdf5-vol, hdf5 +mpi, zlib)";
        let short = |spec| origin_in_short(origin, spec);
        assert_eq!(short("hdf5@1.14"), "linux.yaml pipeline-gen[3] submapping[12] (match hdf5 +mpi, …)");
        assert_eq!(short("other@1"), "linux.yaml pipeline-gen[3] submapping[12] (match hdf5-vol, …)");
        assert_eq!(origin_in_short("built in pipeline-gen[4]", "x@1"), "built in pipeline-gen[4]");
        assert_eq!(origin_in_short("a submapping[0] (match x)", "x@1"), "a submapping[0] (match x)");
    }

    #[test]
    fn counts_and_cuts() {
        assert_eq!((number(1, "job"), number(0, "job")), ("1 job".to_owned(), "0 jobs".to_owned()));
        assert_eq!(few(&["a", "b", "c", "d"], 3), "a, b, c and 1 more");
        assert_eq!(few::<&str>(&[], 3), "");
        assert_eq!((cut("äöü", 2), cut("äö", 2)), ("äö…".to_owned(), "äö".to_owned()));
    }
}
