//! Rows about bytes: of memory, of a frame.

use crate::timing::Sheet;

/// Resident bytes of this process, where the system tells them.
pub fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages * 4_096)
}

/// Prints how many bytes something takes and holds them against the most it may take: bytes do not depend on the machine, so there is no margin.
pub fn row(sheet: &mut Sheet, what: &str, bytes: usize, most: Option<usize>) {
    let kept = most.is_none_or(|most| bytes <= most);
    sheet.print(what, &said(bytes), &most.map(said).unwrap_or_default(), kept);
}

fn said(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
