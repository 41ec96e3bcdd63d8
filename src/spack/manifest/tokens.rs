//! The tokens of an abstract spec, in one order: what an `exclude` of a matrix is compared by.
//!
//! Blanks go, attributes and lists of values are sorted within their node. Nothing is resolved or looked up.

use std::mem::take;

/// The form in which equal requests are equal texts. It is only good for comparing.
pub fn canonical(text: &str) -> String {
    let mut nodes = Nodes::default();
    let mut after_blank = true;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => nodes.grow(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if c.is_whitespace() => nodes.end_token(),
            (None, '^' | '%') => nodes.begin_node(c),
            // `-mpi` is `~mpi` at the start of a word; within one the dash belongs to a name.
            (None, '-') if after_blank => nodes.begin_token('~'),
            // `++x` and `~~x` reach the dependencies as well and stay what they are.
            (None, '+' | '~') if nodes.token == c.to_string() => nodes.grow(c),
            (None, '+' | '~' | '@') if !nodes.in_value() => nodes.begin_token(c),
            (None, _) => nodes.grow(c),
        }
        after_blank = quote.is_none() && c.is_whitespace();
    }
    nodes.finish()
}

/// The nodes of one request: the root, then what follows each `^` (any dependency) or `%` (a direct one).
#[derive(Default)]
struct Nodes {
    /// `^` groups that are complete; each is a node followed by its own `%` nodes; each node is its tokens.
    groups: Vec<Group>,
    /// The group, the node and the token that are being read. A request that starts with a sigil has a nameless root.
    group: Group,
    node: Vec<String>,
    token: String,
}

type Group = Vec<Vec<String>>;

impl Nodes {
    fn grow(&mut self, c: char) {
        self.token.push(c);
    }

    fn in_value(&self) -> bool {
        self.token.contains('=')
    }

    fn begin_token(&mut self, first: char) {
        self.end_token();
        self.token.push(first);
    }

    fn begin_node(&mut self, sigil: char) {
        self.end_token();
        self.group.push(take(&mut self.node));
        if sigil == '^' {
            self.groups.push(take(&mut self.group));
        }
    }

    fn end_token(&mut self) {
        let token = take(&mut self.token);
        if token.is_empty() {
            return;
        }
        let token = match token.split_once('=') {
            Some((key, values)) => {
                let mut values: Vec<_> = values.split(',').collect();
                values.sort_unstable();
                format!("{key}={}", values.join(","))
            }
            None => token,
        };
        self.node.push(token);
    }

    fn finish(mut self) -> String {
        self.begin_node('^');
        let mut groups: Vec<String> = self.groups.into_iter().map(group_text).collect();
        if let Some((_, dependencies)) = groups.split_first_mut() {
            dependencies.sort_unstable();
        }
        groups.join(" ^")
    }
}

fn group_text(group: Group) -> String {
    let mut nodes: Vec<String> = group
        .into_iter()
        .map(|mut tokens| {
            tokens.sort_unstable();
            tokens.join(" ")
        })
        .collect();
    if let Some((_, direct)) = nodes.split_first_mut() {
        direct.sort_unstable();
    }
    nodes.join(" %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_equals_what_spack_prints() {
        for (written, printed) in [
            ("zlib", " zlib "),
            ("trilinos +ml -epetra  +amesos gotype=long_long", "trilinos+amesos~epetra+ml gotype=long_long"),
            ("py-h5py@3.1 -mpi", "py-h5py@3.1~mpi"),
            ("julia ^llvm ~clang targets=nvptx,amdgpu", "julia ^llvm~clang targets=amdgpu,nvptx"),
            ("axom %gcc@12 ^hdf5+mpi ^conduit", "axom%gcc@12 ^conduit ^hdf5+mpi"),
            ("zlib cflags=\"-O2 -g\"", "zlib cflags='-O2 -g'"),
            ("kokkos-fft +tests host_backend=fftw-openmp", "kokkos-fft+tests host_backend=fftw-openmp"),
        ] {
            assert_eq!(canonical(written), canonical(printed), "{written}");
        }
    }

    #[test]
    fn different_requests_stay_different() {
        let texts = [
            "hdf5",
            "hdf5+mpi",
            "hdf5~mpi",
            "hdf5++mpi",
            "hdf5@1.14",
            "hdf5 ^mpi",
            "hdf5 %mpi",
            "hdf5 mpi=yes",
            "hdf5-mpi",
            "mpi ^hdf5",
            "a ^b+x",
            "a+x ^b",
            "a %b ^c",
            "a ^c %b",
            "x=a,b",
            "x=a y=b",
            "",
            "^hdf5",
            "%hdf5",
        ];
        for (i, a) in texts.iter().enumerate() {
            for b in &texts[..i] {
                assert_ne!(canonical(a), canonical(b), "{a} / {b}");
            }
        }
    }
}
