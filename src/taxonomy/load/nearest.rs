//! The known word that a mistyped one was probably meant to be.

/// `; did you mean …`-like help: the nearest word if one is near, else all of them.
pub(super) fn meant(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied())
        .map_or_else(|| format!("use one of: {}", known.join(", ")), |near| format!("did you mean `{near}`?"))
}

/// The nearest candidate, if one is near enough to be worth naming.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long word is no slip of the fingers, and distance takes time.
    let word: Vec<char> = word.chars().take(64).collect();
    let allowed = (word.len() / 3).max(1);
    let near = known.into_iter().map(|candidate| (distance(&word, candidate), candidate));
    near.filter(|(steps, _)| *steps <= allowed).min().map(|(_, candidate)| candidate)
}

/// How many characters must be added, dropped or replaced to turn one word into the other.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut last = i + 1;
        let mut next = vec![last];
        for (pair, y) in row.windows(2).zip(&b) {
            if let [diagonal, above] = *pair {
                last = (diagonal + usize::from(x != y)).min(above + 1).min(last + 1);
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
    fn near_words_are_named_and_far_ones_bring_the_list() {
        assert_eq!(meant("infrastucture", &["infrastructure", "package"]), "did you mean `infrastructure`?");
        assert_eq!(meant("spack", &["package", "spack-core"]), "use one of: package, spack-core");
        assert_eq!(meant("yse", &["yes", "no"]), "use one of: yes, no");
        assert_eq!(nearest("precedense", ["precedence", "recovers"]), Some("precedence"));
    }
}
