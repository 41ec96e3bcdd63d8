//! What a single word is: a path, a URL, a spec, a number. Used by the masker; knows words by their form, never by a list of what was seen.

/// The holes of a template.
pub(super) const ANY: &str = "<*>";
pub(super) const NUMBER: &str = "<n>";
pub(super) const SPEC: &str = "<spec>";
pub(super) const NAME: &str = "<name>";
pub(super) const PACKAGE: &str = "<package>";
pub(super) const REF: &str = "<ref>";
pub(super) const PATH: &str = "<path>";
const URL: &str = "<url>";
const S3: &str = "<s3>";
const HASH: &str = "<hash>";
const HEX: &str = "<hex>";
const ID: &str = "<id>";
const POD: &str = "<pod>";
const HOST: &str = "<host>";
pub(super) const TIME: &str = "<time>";

/// Spack's DAG hashes have 32 characters, and 7 where they are shortened.
const HASH_LEN: usize = 32;
const SHORT_HASH_LEN: usize = 7;

/// Ends of file names. A dotted word with another end is a name (`json.decoder.JSONDecodeError`).
const EXTENSIONS: &[&str] = &[
    "a", "ac", "am", "asc", "bz2", "c", "cc", "cfg", "cmake", "conf", "cpp", "cu", "cuh", "cxx", "db", "diff", "exe",
    "f", "f03", "f08", "f90", "for", "gpg", "gz", "h", "hh", "hpp", "htm", "html", "hxx", "in", "ini", "jar", "java",
    "js", "json", "key", "la", "lock", "log", "m4", "mk", "mod", "o", "out", "patch", "pc", "pem", "pl", "py", "pyc",
    "rej", "rs", "rst", "sh", "sig", "so", "spack", "sqlite", "tar", "tbz", "tcl", "tgz", "tmp", "toml", "txt", "whl",
    "xml", "xz", "yaml", "yml", "zip", "zst",
];

/// Ends of host names: a dotted word with one of these is a machine.
const DOMAINS: &[&str] = &[
    "ch",
    "cloud",
    "com",
    "de",
    "dev",
    "edu",
    "es",
    "eu",
    "example",
    "fr",
    "gov",
    "internal",
    "invalid",
    "io",
    "it",
    "jp",
    "local",
    "localdomain",
    "net",
    "nl",
    "org",
    "svc",
    "test",
    "uk",
    "us",
];

/// The hole that stands for this word; `None` when the word itself says something.
pub(super) fn shape(word: &str) -> Option<&'static str> {
    if !word.bytes().any(|b| b.is_ascii_digit() || matches!(b, b'/' | b'@' | b'.' | b'\\' | b'-'))
        && word.len() < HASH_LEN
    {
        return None;
    }
    url(word)
        .or_else(|| spec(word))
        .or_else(|| path(word))
        .or_else(|| identity(word))
        .or_else(|| quantity(word))
        .or_else(|| host(word))
}

/// The hole of an address with a scheme.
pub(super) fn url(word: &str) -> Option<&'static str> {
    let (scheme, rest) = word.split_once(":/")?;
    let named =
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'));
    (named && rest.starts_with('/')).then_some(if scheme.eq_ignore_ascii_case("s3") { S3 } else { URL })
}

/// `hdf5@1.14.5%gcc@13`, `git@host`, `zlib-1.3.1-<hash>`, `zlib-1.3.1`, `/5c4lpyt`.
fn spec(word: &str) -> Option<&'static str> {
    if word.strip_prefix('/').is_some_and(|rest| matches!(rest.len(), SHORT_HASH_LEN | HASH_LEN) && is_base32(rest)) {
        return Some(HASH);
    }
    let (before, _) = word.split_once('@').unwrap_or(("", ""));
    if before.bytes().any(|b| b.is_ascii_alphanumeric()) && !before.contains('/') {
        return Some(SPEC);
    }
    if word.contains('/') {
        return None;
    }
    let (name, last) = word.rsplit_once('-')?;
    let hashed = last.len() == HASH_LEN && is_base32(last);
    let versioned = last.starts_with(|c: char| c.is_ascii_digit())
        && last.contains('.')
        && extension(last).is_none()
        && last.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+'));
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && (hashed || versioned)).then_some(SPEC)
}

/// Absolute and relative paths, files by their extension, all with or without `:line:column`.
fn path(word: &str) -> Option<&'static str> {
    let word = without_position(word);
    if word.contains("runner-") && (word.contains("-concurrent-") || word.contains("-gitlab-runner-")) {
        return Some(POD);
    }
    let rooted = ["/", "./", "../", "~/", "$", "\\\\"].iter().any(|start| word.starts_with(start)) && word.len() > 1;
    let drive = word.get(1..3).is_some_and(|s| matches!(s, ":\\" | ":/"));
    if drive || (rooted && (word.contains('/') || word.contains('\\'))) || extension(word).is_some() {
        return Some(PATH);
    }
    let mut parts = word.split('/').filter(|part| !part.is_empty());
    let (first, second, more) = (parts.next()?, parts.next()?, parts.next());
    // `net/http`, `and/or`, `HTTP/2` are words; `a/b/c` and `spack/e4s-2` are places.
    let word_like = first.bytes().all(|b| b.is_ascii_uppercase()) || !second.bytes().any(|b| b.is_ascii_digit());
    (more.is_some() || !word_like).then_some(PATH)
}

fn extension(word: &str) -> Option<&str> {
    let (stem, mut end) = word.rsplit_once('.')?;
    if let Some((_, so)) = word.rsplit_once(".so.").filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    {
        end = if so.is_empty() { end } else { "so" };
    }
    let known = EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(end));
    (known && stem.bytes().any(|b| b.is_ascii_alphanumeric())).then_some(end)
}

/// Takes off `:12` and `:12:3`.
fn without_position(word: &str) -> &str {
    let once = |w: &'_ str| -> usize {
        let head = w.trim_end_matches(|c: char| c.is_ascii_digit());
        if head.len() < w.len() && head.len() > 1 && head.ends_with(':') { head.len() - 1 } else { w.len() }
    };
    let first = word.get(..once(word)).unwrap_or(word);
    first.get(..once(first)).unwrap_or(first)
}

/// Hashes, digests, addresses, ids of pods and sessions.
fn identity(word: &str) -> Option<&'static str> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
    let all_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if (all_hex && hex.len() < word.len()) || (all_hex && hex.len() >= 8 && (1..hex.len()).contains(&digits)) {
        return Some(HEX);
    }
    if word.len() == HASH_LEN && is_base32(word) {
        return Some(HASH);
    }
    if word.len() == SHORT_HASH_LEN
        && is_base32(word)
        && switches(word) >= 2
        && !word.starts_with("python")
        && digits > 1
    {
        return Some(HASH);
    }
    let parts = || word.split(['-', '_', '.', ':', '/']);
    if !parts().all(|part| part.bytes().all(|b| b.is_ascii_alphanumeric())) {
        return None;
    }
    let uuid =
        word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let random = |part: &str| part.len() >= 7 && switches(part) >= 3;
    (uuid || parts().any(|part| random(part) || (part.len() == HASH_LEN && is_base32(part)))).then_some(ID)
}

/// Times, versions, sizes, durations, shares: everything that starts with a digit.
fn quantity(word: &str) -> Option<&'static str> {
    let bare = word.trim_start_matches(['-', '+', '#', 'v', '~', '=', '<', '>', '*']);
    if !bare.starts_with(|c: char| c.is_ascii_digit()) || word.starts_with("--") {
        return None;
    }
    let mut groups = [0_usize; 2];
    for (byte, count) in [b':', b'-'].iter().zip(&mut groups) {
        *count = bare.bytes().filter(|b| b == byte).count();
    }
    let year = bare.get(..4).is_some_and(|y| y.bytes().all(|b| b.is_ascii_digit()))
        && matches!(bare.get(4..5), Some("-" | "/"));
    if (year && bare.len() >= 10)
        || (groups == [2, 0] && bare.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b',')))
    {
        return Some(TIME);
    }
    let octets = bare.split_once([':', '/']).map_or(bare, |(ip, _)| ip);
    if octets.split('.').count() == 4 && octets.split('.').all(|part| part.parse::<u8>().is_ok()) {
        return Some(HOST);
    }
    let plain = bare.bytes().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'%' | b'_' | b'+' | b'-' | b':' | b'/' | b'*' | b'^')
    });
    plain.then_some(NUMBER)
}

/// Machines, with or without a port.
fn host(word: &str) -> Option<&'static str> {
    let name = word.split_once(':').map_or(word, |(name, _)| name);
    let (rest, domain) = name.rsplit_once('.')?;
    let letters =
        rest.split('.').all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    (letters && DOMAINS.contains(&domain)).then_some(HOST)
}

fn is_base32(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

/// How often letters turn to digits and back: words do so twice at most (`sha256sum`), random ids more often.
fn switches(word: &str) -> usize {
    let kinds = word.bytes().map(|b| b.is_ascii_digit());
    kinds.clone().zip(kinds.skip(1)).filter(|(a, b)| a != b).count()
}

/// A word without a hole of its own, with its longer numbers taken out: `GLIBC_2.34`, `worker-12`. Short ones belong to names (`cc1plus`).
pub(super) fn without_numbers(word: &str, out: &mut String) {
    const NAMES: &[&str] = &["x86_64", "x86-64", "utf-8", "sha-256", "base-64"];
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let joined = word.bytes().all(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
    if digits == 0
        || (joined && digits <= 3 && word.len() <= 16)
        || NAMES.iter().any(|name| name.eq_ignore_ascii_case(word))
    {
        out.push_str(word);
        return;
    }
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_ascii_digit() {
            out.push(c);
            continue;
        }
        out.push_str(NUMBER);
        while chars.peek().is_some_and(|c| c.is_ascii_digit() || *c == '.') {
            chars.next();
        }
    }
}
