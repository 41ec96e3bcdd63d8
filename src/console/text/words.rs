//! Numbers with their nouns, the way every screen writes them.

/// Writes a number with thousands separated: `14,233`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a number in at most five columns: `512`, `4.0k`, `12k`, `1.2M`. Never rounds up.
pub fn count_short(n: u64) -> String {
    const UNITS: [(u64, char); 4] = [(1_000_000_000_000, 'T'), (1_000_000_000, 'G'), (1_000_000, 'M'), (1_000, 'k')];
    for (unit, letter) in UNITS {
        if n >= unit {
            let tenths = n / (unit / 10);
            return if tenths < 100 {
                format!("{}.{}{letter}", tenths / 10, tenths % 10)
            } else {
                format!("{}{letter}", tenths / 10)
            };
        }
    }
    n.to_string()
}

/// Writes a number with its noun: `1 job`, `1,204 jobs`, `2 matches`, `3 retries`.
pub fn plural(n: u64, noun: &str) -> String {
    let number = count(n);
    if n == 1 {
        return format!("{number} {noun}");
    }
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        Some(stem) => format!("{number} {stem}ies"),
        None if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => format!("{number} {noun}es"),
        None => format!("{number} {noun}s"),
    }
}

/// Writes a number of bytes: `812 B`, `31 kB`, `2.1 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let short = count_short(bytes);
    match short.split_at_checked(short.len().saturating_sub(1)) {
        Some((number, unit)) => format!("{number} {unit}B"),
        None => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_the_mocks() {
        assert_eq!([0, 999, 1_000, 14_233, 1_234_567].map(count), ["0", "999", "1,000", "14,233", "1,234,567"]);
        assert_eq!(
            [0, 512, 4_021, 9_999, 12_345, 999_999, 1_200_000, 7_000_000_000].map(count_short),
            ["0", "512", "4.0k", "9.9k", "12k", "999k", "1.2M", "7.0G"]
        );
        assert_eq!([5, 31_000, 2_100_000, 41_200_000_000_000].map(size), ["5 B", "31 kB", "2.1 MB", "41 TB"]);
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(plural(1, "job"), "1 job");
        assert_eq!(plural(0, "job"), "0 jobs");
        assert_eq!(plural(1_204, "job"), "1,204 jobs");
        assert_eq!([plural(2, "match"), plural(3, "retry"), plural(2, "day")], ["2 matches", "3 retries", "2 days"]);
    }
}
