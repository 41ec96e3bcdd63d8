//! The many wordings of one cause, one a line, as tools of several years print them. They stand in `wordings.tsv`: a table is read faster than code.

use std::sync::LazyLock;

use super::Case;

/// Every wording.
pub static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    include_str!("wordings.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [want, kind, reason, exit_code, body] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("five columns: {line}");
            };
            // A table of tests lives as long as they do.
            let body = body.replace("\\\\", "\0").replace("\\n", "\n").replace('\0', "\\");
            Case { want, kind, reason, exit_code: exit_code.parse().unwrap(), body: body.leak() }
        })
        .collect()
});
