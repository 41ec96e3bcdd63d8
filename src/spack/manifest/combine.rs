//! Puts constraints together into one spec, and compares a spec with an exclusion.
//!
//! Both work on the text. What only a package recipe knows (which values a variant has, which package provides a virtual one) is not asked.

use super::tokens::canonical;

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

/// Whether an exclusion names this spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excluded {
    Yes,
    No,
    /// Everything fits but a range of versions, which would have to be understood.
    Unclear,
}

/// Whether the spec has every token of the exclusion, node by node.
pub(super) fn excluded(spec: &str, exclusion: &str) -> Excluded {
    let (spec, exclusion) = (canonical(spec), canonical(exclusion));
    let (have, want) = (Node::all(&spec), Node::all(&exclusion));
    let Some((root, dependencies)) = want.split_first() else { return Excluded::No };
    let Some((own_root, own_dependencies)) = have.split_first() else { return Excluded::No };
    let mut verdict = own_root.fits(root);
    for wanted in dependencies {
        let fits = own_dependencies.iter().filter(|own| own.direct || !wanted.direct).map(|own| own.fits(wanted));
        let best = fits.fold(Excluded::No, |best, next| match (best, next) {
            (Excluded::Yes, _) | (_, Excluded::Yes) => Excluded::Yes,
            (Excluded::No, Excluded::No) => Excluded::No,
            _ => Excluded::Unclear,
        });
        verdict = worse(verdict, best);
    }
    verdict
}

const fn worse(a: Excluded, b: Excluded) -> Excluded {
    match (a, b) {
        (Excluded::No, _) | (_, Excluded::No) => Excluded::No,
        (Excluded::Unclear, _) | (_, Excluded::Unclear) => Excluded::Unclear,
        _ => Excluded::Yes,
    }
}

/// One node of a spec in canonical form.
struct Node<'a> {
    tokens: Vec<&'a str>,
    /// It hangs on the root by `%`.
    direct: bool,
}

impl<'a> Node<'a> {
    /// The root, then its dependencies; what hangs on a dependency counts as a dependency.
    fn all(canonical: &'a str) -> Vec<Self> {
        let groups = canonical.split(" ^").enumerate();
        groups
            .flat_map(|(group, text)| {
                text.split(" %").enumerate().map(move |(at, node)| Self {
                    tokens: node.split(' ').filter(|token| !token.is_empty()).collect(),
                    direct: group == 0 && at > 0,
                })
            })
            .collect()
    }

    fn fits(&self, wanted: &Self) -> Excluded {
        wanted.tokens.iter().map(|token| self.has(token)).fold(Excluded::Yes, worse)
    }

    fn has(&self, wanted: &str) -> Excluded {
        if self.tokens.contains(&wanted) || wanted == "@:" {
            return Excluded::Yes;
        }
        let Some(version) = wanted.strip_prefix('@') else { return Excluded::No };
        let Some(own) = self.tokens.iter().find_map(|token| token.strip_prefix('@')) else { return Excluded::No };
        if version.contains([':', ',']) || own.contains([':', ',']) {
            return Excluded::Unclear;
        }
        // `@1.2` is every 1.2.x; `@=1.2` is only itself.
        let own = own.trim_start_matches('=');
        let is_within =
            own == version || own.strip_prefix(version).is_some_and(|rest| rest.starts_with(['.', '-', '_']));
        if is_within { Excluded::Yes } else { Excluded::No }
    }
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

    #[test]
    fn an_exclusion_asks_for_all_of_its_tokens() {
        for (spec, exclusion, want) in [
            ("libdwarf %gcc@4.9.3", "libdwarf%gcc@4.9.3", Excluded::Yes),
            ("libdwarf %gcc@7.1.0", "libdwarf%gcc@4.9.3", Excluded::No),
            ("libdwarf %gcc@7.1.0", "%gcc", Excluded::Yes),
            ("zlib@1.2.8 +shared", "zlib@1.2", Excluded::Yes),
            ("zlib@1.22", "zlib@1.2", Excluded::No),
            ("zlib@1.2.8", "zlib@=1.2", Excluded::No),
            ("zlib@1.2.8", "zlib@:1.3", Excluded::Unclear),
            ("zlib@1.2.8", "hdf5@:1.3", Excluded::No),
            ("zlib", "zlib@:1.3", Excluded::No),
            ("zlib", "zlib@:", Excluded::Yes),
            ("hdf5+mpi ^mpich@4 %gcc", "hdf5 ^mpich", Excluded::Yes),
            ("hdf5+mpi %gcc", "hdf5 ^gcc", Excluded::Yes),
            ("hdf5+mpi ^gcc", "hdf5 %gcc", Excluded::No),
            ("hdf5+mpi", "hdf5~mpi", Excluded::No),
            ("hdf5+mpi", "+mpi", Excluded::Yes),
        ] {
            assert_eq!(excluded(spec, exclusion), want, "{spec} / {exclusion}");
        }
    }
}
