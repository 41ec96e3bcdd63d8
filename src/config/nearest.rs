//! The known name that a mistyped one was probably meant to be.

/// The nearest candidate, if one is near enough to be worth naming.
pub fn nearest<T: AsRef<str>>(name: &str, candidates: impl IntoIterator<Item = T>) -> Option<String> {
    let allowed = (name.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| {
            let candidate = candidate.as_ref();
            // Somebody who forgot the section got all of the rest right.
            let tail = candidate.rsplit_once('.').is_some_and(|(_, tail)| tail == name);
            (if tail { 0 } else { distance(name, candidate) }, candidate.to_owned())
        })
        .filter(|(steps, _)| *steps <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be added, dropped or replaced to turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut last = i + 1;
        let mut next = vec![last];
        for (pair, y) in row.windows(2).zip(&b) {
            if let [diagonal, above] = *pair {
                last = (diagonal + usize::from(x != *y)).min(above + 1).min(last + 1);
                next.push(last);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted() {
        for (a, b, steps) in
            [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), steps, "{a} {b}");
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["gitlab.url", "gitlab.project", "ui.theme", "ui.keymap"];
        assert_eq!(nearest("gitlab.projekt", known).as_deref(), Some("gitlab.project"));
        assert_eq!(nearest("theme", known).as_deref(), Some("ui.theme"));
        assert_eq!(nearest("ui.colour_of_the_sky", known), None);
    }
}
