//! Puts constraints together into one spec.
//!
//! It works on the text. What only a package recipe knows (which values a variant has, which package provides a virtual one) is not asked.

/// One constraint, cut where its nodes begin.
#[derive(Debug, Default)]
struct Parts {
    /// What concerns the root.
    head: String,
    /// Direct dependencies, each from its `%` on.
    direct: Vec<String>,
    /// Other dependencies, each from its `^` on, with what hangs on it.
    deep: Vec<String>,
}

impl Parts {
    fn of(text: &str) -> Self {
        let mut parts = Self::default();
        let mut quote = None;
        let mut brackets = 0_usize;
        for c in text.chars() {
            match (quote, c) {
                (Some(open), _) if open == c => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                // `^[virtuals=mpi] mpich`
                (None, '[') => brackets += 1,
                (None, ']') => brackets = brackets.saturating_sub(1),
                (None, '^') if brackets == 0 => parts.deep.push(String::new()),
                (None, '%') if brackets == 0 && parts.deep.is_empty() => parts.direct.push(String::new()),
                _ => {}
            }
            let end = parts.deep.last_mut().or(parts.direct.last_mut());
            end.unwrap_or(&mut parts.head).push(c);
        }
        parts
    }

    /// The package that the head names.
    fn name(&self) -> &str {
        let head = self.head.trim_start();
        let end = head.find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).unwrap_or(head.len());
        let (name, rest) = head.split_at(end);
        // `target=x86_64` names no package, and neither does `-mpi`.
        if rest.starts_with('=') || rest.starts_with(":=") || name.starts_with('-') { "" } else { name }
    }
}

/// The spec that satisfies all constraints of one combination, as Spack would constrain the first by the others: what concerns the root
/// comes before every dependency, so that nothing lands on the wrong node. Fails with the two names if they are for different packages.
pub(super) fn combine(constraints: &[String]) -> Result<String, (String, String)> {
    let mut name = String::new();
    let mut heads: Vec<String> = Vec::new();
    let mut direct: Vec<String> = Vec::new();
    let mut deep: Vec<String> = Vec::new();
    for constraint in constraints {
        let mut parts = Parts::of(constraint);
        let other = parts.name().to_owned();
        if name.is_empty() && !other.is_empty() {
            name.clone_from(&other);
            heads.insert(0, parts.head.trim().to_owned());
        } else if !other.is_empty() && other != name {
            return Err((name, other));
        } else {
            let head = parts.head.trim();
            heads.push(head.strip_prefix(other.as_str()).unwrap_or(head).trim().to_owned());
        }
        direct.append(&mut parts.direct);
        deep.append(&mut parts.deep);
    }
    let mut words: Vec<String> = Vec::new();
    for word in heads.into_iter().chain(direct).chain(deep) {
        let word = word.trim().to_owned();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(constraints: &[&str]) -> Result<String, (String, String)> {
        combine(&constraints.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn constraints_land_on_the_root() {
        for (constraints, want) in [
            (&["hdf5+mpi", "^mvapich2@2.3.1", "%gcc@8.1.0"][..], "hdf5+mpi %gcc@8.1.0 ^mvapich2@2.3.1"),
            (&["axom %gcc ^hdf5", "+cuda cuda_arch=70"], "axom +cuda cuda_arch=70 %gcc ^hdf5"),
            (&["%gcc", "zlib"], "zlib %gcc"),
            (&["zlib@1.2", "zlib+shared"], "zlib@1.2 +shared"),
            (&["zlib", "zlib"], "zlib"),
            (&["zlib", "target=x86_64"], "zlib target=x86_64"),
            (&["zlib", "-shared"], "zlib -shared"),
            (&["visit", "^[virtuals=gl] osmesa %gcc", "~gui"], "visit ~gui ^[virtuals=gl] osmesa %gcc"),
            (&["zlib cflags='-O2 ^x %y'", "%gcc"], "zlib cflags='-O2 ^x %y' %gcc"),
            (&["", " "], ""),
        ] {
            assert_eq!(all(constraints), Ok(want.to_owned()), "{constraints:?}");
        }
        assert_eq!(all(&["zlib", "hdf5"]), Err(("zlib".to_owned(), "hdf5".to_owned())));
    }
}
