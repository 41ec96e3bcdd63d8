//! Takes the text out of a clear-signed message. Whether the signature is good is not asked here.
//!
//! GnuPG calls a message good although unsigned text stands around the signed block, so that any such text is refused here. So is what GnuPG
//! would read otherwise than we do: lines that it cuts off, headers that change how lines are read, blanks that are none for it.

use std::borrow::Cow;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";
/// GnuPG cuts longer lines off and verifies the rest.
const MAX_LINE: usize = 19_995;
/// What GnuPG passes over at the end of a line.
const BLANK: [char; 3] = [' ', '\t', '\r'];

/// The text of a file that may be clear-signed, and whether it is.
pub fn open(bytes: &[u8]) -> Result<(Cow<'_, str>, bool), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    if !text.starts_with(BEGIN) {
        let has_block = text.lines().any(|line| line.trim_start().starts_with(BEGIN));
        return if has_block { Err("there is text before its signed block") } else { Ok((text.into(), false)) };
    }
    let mut lines = text.lines();
    if lines.next().map(|line| line.trim_end_matches(BLANK)) != Some(BEGIN) {
        return Err("its signed block does not begin with a line of its own");
    }
    loop {
        match lines.next() {
            None => return Err("its signed block has no end"),
            Some(line) if line.trim_end_matches(BLANK).is_empty() => break,
            Some(line) if line.starts_with("Hash: ") => {}
            Some(_) => return Err("its signed block has a header other than `Hash`"),
        }
    }
    let mut signed = String::new();
    loop {
        let line = lines.next().ok_or("it has no signature after the signed block")?;
        if line.trim_end_matches(BLANK) == SIGNATURE {
            break;
        }
        if line.starts_with('-') && !line.starts_with("- ") {
            return Err("its signed block holds a line that begins with `-`");
        }
        if line.len() > MAX_LINE {
            return Err("its signed block has a line that is too long to be signed whole");
        }
        signed.push_str(line.strip_prefix("- ").unwrap_or(line));
        signed.push('\n');
    }
    loop {
        match lines.next() {
            None => return Err("its signature has no end"),
            Some(line) if line.trim_end_matches(BLANK) == END => break,
            Some(line) if line.starts_with('-') => return Err("its signature is cut off by another block"),
            Some(_) => {}
        }
    }
    if lines.any(|line| !line.trim().is_empty()) {
        return Err("there is text after its signature");
    }
    Ok((signed.into(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_signed_is_taken() {
        let message = |text: &str| format!("{BEGIN}\nHash: SHA512\n\n{text}\n{SIGNATURE}\n\niQIz\n=O72s\n{END}\n");
        assert_eq!(open(b"{}").unwrap(), ("{}".into(), false));
        assert_eq!(open(message("{}").as_bytes()).unwrap(), ("{}\n".into(), true));
        assert_eq!(open(message("- -1").replace('\n', "\r\n").as_bytes()).unwrap(), ("-1\n".into(), true));
        for (text, reason) in [
            (format!("{{}}\n{}", message("{}")), "before"),
            (format!("\n{}", message("{}")), "before"),
            (format!("{}{{}}", message("{}")), "after"),
            (format!("{}{}", message("{}"), message("{}")), "after"),
            (message("{}").replace("\n\n{}", "\n{}"), "header"),
            (message("{}").replace("Hash: SHA512", "Comment: {}"), "header"),
            (message("{}").replace("=O72s", BEGIN), "cut off"),
            (message(&message("{}")), "begins with `-`"),
            (message("{}").replace(END, ""), "no end"),
            (message("{}").replace(SIGNATURE, ""), "begins with `-`"),
            (format!("{BEGIN}\nHash: SHA512\n\n{{}}"), "no signature"),
            (BEGIN.to_owned(), "no end"),
            (format!("{BEGIN}{{}}"), "a line of its own"),
            (message(&" ".repeat(MAX_LINE + 1)), "too long"),
            (message("{}").replace("SHA512\n\n", "SHA512\n\u{a0}\n{}\n\n"), "header"),
            (message("{}").replace("Hash: SHA512", "Hash: SHA512\nNotDashEscaped: yes"), "header"),
        ] {
            let error = open(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(open(&[0xff]).is_err());
    }
}
