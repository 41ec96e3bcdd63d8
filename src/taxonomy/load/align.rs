//! What a few lines have in common, in order, and what stands between it in each of them.

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Equal in every line.
    Text(String),
    /// What each line has here, one entry per line.
    Gap(Vec<String>),
}

/// Aligns lines word by word. Equal neighbours are joined.
pub(super) fn align(lines: &[&str]) -> Vec<Part> {
    let mut rest = lines.iter();
    let Some(first) = rest.next() else { return Vec::new() };
    let mut parts: Vec<Part> = words(first).into_iter().map(|word| Part::Text(word.to_owned())).collect();
    for (done, line) in (1..).zip(rest) {
        parts = merge(parts, &words(line), done);
    }
    joined(tidied(parts))
}

fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more)) => text.push_str(&more),
            (_, part) => joined.push(part),
        }
    }
    joined
}

/// Signs between two gaps say nothing when one of the gaps is loose: they become one gap.
fn tidied(parts: Vec<Part>) -> Vec<Part> {
    let loose = |gap: &[String]| gap.iter().any(|text| text.is_empty() || text.contains(char::is_whitespace));
    let mut out: Vec<Part> = Vec::new();
    for part in joined(parts) {
        let Part::Gap(gap) = part else {
            out.push(part);
            continue;
        };
        match out.as_mut_slice() {
            [.., Part::Gap(before), Part::Text(signs)]
                if !signs.contains(char::is_alphanumeric) && (loose(before) || loose(&gap)) =>
            {
                for (text, more) in before.iter_mut().zip(&gap) {
                    text.push_str(signs);
                    text.push_str(more);
                }
                out.pop();
            }
            _ => out.push(Part::Gap(gap)),
        }
    }
    out.into_iter().flat_map(apart).collect()
}

/// Signs at the edges of a gap that all lines have are text.
fn apart(part: Part) -> Vec<Part> {
    let Part::Gap(mut gap) = part else { return vec![part] };
    let common = |gap: &[String], at: fn(&str) -> Option<char>| {
        let first = gap.first().and_then(|text| at(text)).filter(|c| !c.is_alphanumeric())?;
        gap.iter().all(|text| at(text) == Some(first)).then_some(first)
    };
    let (mut head, mut tail) = (String::new(), String::new());
    while let Some(c) = common(&gap, |text| text.chars().next()) {
        head.push(c);
        for text in &mut gap {
            text.remove(0);
        }
    }
    while let Some(c) = common(&gap, |text| text.chars().next_back()) {
        tail.insert(0, c);
        for text in &mut gap {
            text.pop();
        }
    }
    let mut parts = vec![Part::Text(head), Part::Gap(gap), Part::Text(tail)];
    parts.retain(|part| match part {
        Part::Text(text) => !text.is_empty(),
        Part::Gap(texts) => texts.iter().any(|text| !text.is_empty()),
    });
    parts
}

/// Runs of letters and digits, runs of blanks, and everything else by itself.
pub(super) fn words(line: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let same = |c: &char| kind(first) != 2 && kind(*c) == kind(first);
        let len: usize = rest.chars().take_while(same).map(char::len_utf8).sum();
        let (word, after) = rest.split_at_checked(len.max(first.len_utf8())).unwrap_or((rest, ""));
        words.push(word);
        rest = after;
    }
    words
}

/// Words say more than signs, and long ones more than short ones.
fn worth(word: &str) -> u32 {
    match word.chars().next() {
        Some(c) if c.is_alphanumeric() => 4 * word.len() as u32,
        Some(c) if c.is_whitespace() => 1,
        _ => 2,
    }
}

/// Joins one more line: what is common stays, everything else becomes gaps. `done` lines are in `parts` already.
fn merge(parts: Vec<Part>, words: &[&str], done: usize) -> Vec<Part> {
    let equal = |part: &Part, word: &str| matches!(part, Part::Text(text) if text == word);
    // best[i][j]: what the parts from i and the words from j have in common at most.
    let mut best = vec![vec![0u32; words.len() + 1]; parts.len() + 1];
    let at = |best: &[Vec<u32>], i: usize, j: usize| best.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, part) in parts.iter().enumerate().rev() {
        for (j, word) in words.iter().enumerate().rev() {
            let skip = at(&best, i + 1, j).max(at(&best, i, j + 1));
            let take = if equal(part, word) { at(&best, i + 1, j + 1) + worth(word) } else { 0 };
            if let Some(cell) = best.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = skip.max(take);
            }
        }
    }
    let mut out = Vec::new();
    let mut gap = vec![String::new(); done + 1];
    let flush = |gap: &mut Vec<String>, out: &mut Vec<Part>| {
        if gap.iter().any(|text| !text.is_empty()) {
            out.push(Part::Gap(std::mem::replace(gap, vec![String::new(); done + 1])));
        }
    };
    let mut j = 0;
    for (i, part) in parts.into_iter().enumerate() {
        // Words that come before what this part is equal to.
        while let Some(word) = words.get(j).filter(|word| {
            !(equal(&part, word) && at(&best, i, j) == at(&best, i + 1, j + 1) + worth(word))
                && at(&best, i, j) == at(&best, i, j + 1)
                && at(&best, i, j) > at(&best, i + 1, j)
        }) {
            if let Some(last) = gap.last_mut() {
                last.push_str(word);
            }
            j += 1;
        }
        let common = words
            .get(j)
            .is_some_and(|word| equal(&part, word) && at(&best, i, j) == at(&best, i + 1, j + 1) + worth(word));
        if common {
            flush(&mut gap, &mut out);
            out.push(part);
            j += 1;
            continue;
        }
        match part {
            Part::Text(text) => gap.iter_mut().take(done).for_each(|old| old.push_str(&text)),
            Part::Gap(texts) => gap.iter_mut().zip(texts).for_each(|(old, text)| old.push_str(&text)),
        }
    }
    if let Some(last) = gap.last_mut() {
        last.push_str(&words.get(j..).unwrap_or_default().concat());
    }
    flush(&mut gap, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_common_stays_in_order() {
        let text = |text: &str| Part::Text(text.to_owned());
        let gap = |texts: &[&str]| Part::Gap(texts.iter().map(|&text| text.to_owned()).collect());
        let lines = ["push of zlib-1 failed: 503", "push of hdf5-2 failed: 429", "push of x failed: 500"];
        let expected =
            [text("push of "), gap(&["zlib-1", "hdf5-2", "x"]), text(" failed: "), gap(&["503", "429", "500"])];
        assert_eq!(align(&lines), expected);
        assert_eq!(align(&["same"; 3]), [text("same")]);
        assert_eq!(align(&["a", "b"]), [gap(&["a", "b"])]);
    }

    proptest! {
        #[test]
        fn every_line_can_be_put_together_again(lines in prop::collection::vec("[ab1 :]{0,12}", 1..5)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let parts = align(&lines);
            for (n, line) in lines.iter().enumerate() {
                let of = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Gap(texts) => texts[n].clone(),
                };
                prop_assert_eq!(&parts.iter().map(of).collect::<String>(), line);
            }
        }
    }
}
