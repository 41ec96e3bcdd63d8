//! Reads what `gpg --status-fd` says about each file of a batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cache::Signature;

/// SHA-256, SHA-384 and SHA-512, by their numbers in OpenPGP. Everything else is broken or nobody uses it.
const HASHES: [&str; 3] = ["8", "9", "10"];
/// A signature over a text, as clear-signing makes it.
const TEXT: &str = "01";

/// The verdicts about the files that are named `0`, `1`, …, in order, as far as gpg got; and whether it gave up within the next one.
pub(super) fn verdicts(said: &[u8], keys: &BTreeSet<Arc<str>>) -> (Vec<Signature>, bool) {
    let mut done = Vec::new();
    let mut file: Option<File> = None;
    for line in said.split(|byte| *byte == b'\n') {
        let Some(line) = line.strip_prefix(b"[GNUPG:] ") else { continue };
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        match (words.next().unwrap_or_default(), &mut file) {
            // Each file in its turn; anything else is no answer to what was asked.
            ("FILE_START", None) if words.nth(1) == Some(done.len().to_string().as_str()) => {
                file = Some(File::default());
            }
            ("FILE_DONE", open @ Some(_)) => done.extend(open.take().map(|file| file.verdict(keys))),
            ("FILE_START" | "FILE_DONE" | "FILE_ERROR", _) => return (done, false),
            (keyword, Some(file)) => file.take(keyword, &words.collect::<Vec<_>>()),
            _ => {}
        }
    }
    (done, file.is_some())
}

/// What was said about one file.
#[derive(Default)]
struct File {
    signatures: usize,
    good: usize,
    valid: Vec<Valid>,
    unknown: Option<Arc<str>>,
    wrong: Option<String>,
}

struct Valid {
    hash: String,
    class: String,
    primary: Arc<str>,
}

impl File {
    fn take(&mut self, keyword: &str, words: &[&str]) {
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let mut wrong = |why: &str| {
            self.wrong.get_or_insert_with(|| why.to_owned());
        };
        match keyword {
            "NEWSIG" => self.signatures += 1,
            "GOODSIG" => self.good += 1,
            "VALIDSIG" => self.valid.push(Valid {
                hash: word(7).to_owned(),
                class: word(8).to_owned(),
                primary: word(9).to_ascii_uppercase().into(),
            }),
            "BADSIG" => wrong("the text is not what was signed"),
            "EXPSIG" => wrong("the signature has expired"),
            "EXPKEYSIG" => wrong(&format!("the key {} has expired", word(0))),
            "REVKEYSIG" => wrong(&format!("the key {} was revoked", word(0))),
            // The reason 9 stands for a key that is not there.
            "ERRSIG" if word(5) == "9" => {
                let fingerprint = Some(word(6)).filter(|text| text.len() >= 40);
                self.unknown = Some(fingerprint.unwrap_or(word(0)).into());
            }
            "ERRSIG" => wrong("gpg cannot check signatures of this kind"),
            "NODATA" | "UNEXPECTED" | "BADARMOR" | "ERROR" | "FAILURE" => wrong("the signature is damaged"),
            // Contents besides the text.
            "PLAINTEXT" | "BEGIN_DECRYPTION" | "DECRYPTION_INFO" => wrong("it holds more than a signature"),
            _ => {}
        }
    }

    fn verdict(self, keys: &BTreeSet<Arc<str>>) -> Signature {
        let bad = |why: &str| Signature::Bad(why.into());
        match (self.signatures, self.wrong, self.unknown, self.valid.as_slice()) {
            (2.., ..) => bad("it has more than one signature"),
            (_, Some(why), ..) => bad(&why),
            (1, None, Some(key), []) if self.good == 0 => Signature::UnknownKey(key),
            (1, None, None, [valid]) if self.good == 1 => match valid {
                Valid { hash, .. } if !HASHES.contains(&hash.as_str()) => {
                    bad("its checksum is of a kind that can be forged")
                }
                Valid { class, .. } if class != TEXT => bad("the signature is not over a text"),
                Valid { primary, .. } if keys.contains(primary) => Signature::Good(Arc::clone(primary)),
                Valid { primary, .. } => Signature::UnknownKey(Arc::clone(primary)),
            },
            _ => bad("gpg finds no signature in it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "BC93F3B5F2F424D7D560E33BCFFC52F967901E31";
    const GOOD: &str = "NEWSIG|GOODSIG CFFC52F967901E31 A|VALIDSIG BC93F3B5F2F424D7D560E33BCFFC52F967901E31 2026-11-23 1795461707 0 4 0 1 10 01 BC93F3B5F2F424D7D560E33BCFFC52F967901E31";

    fn said(files: &[&str]) -> String {
        let file = |(at, lines): (usize, &&str)| format!("FILE_START 1 {at}|{lines}|FILE_DONE|");
        files
            .iter()
            .enumerate()
            .map(file)
            .collect::<String>()
            .replace('|', "\n")
            .lines()
            .fold(String::new(), |all, line| all + "[GNUPG:] " + line + "\n")
    }

    fn verdict(lines: &str) -> String {
        let keys = BTreeSet::from([Arc::from(KEY)]);
        let (verdicts, gave_up) = verdicts(said(&[lines]).as_bytes(), &keys);
        assert!(!gave_up && verdicts.len() == 1, "{verdicts:?}");
        verdicts[0].to_string()
    }

    #[test]
    fn a_good_signature_is_not_enough() {
        assert_eq!(verdict(GOOD), format!("signed by {KEY}"));
        for (lines, expected) in [
            (GOOD.replace("|VALIDSIG", "|X"), "no signature"),
            (GOOD.replace("GOODSIG", "X"), "no signature"),
            (GOOD.replace("NEWSIG|", ""), "no signature"),
            (format!("{GOOD}|{GOOD}"), "more than one"),
            (format!("{GOOD}|NEWSIG|ERRSIG X 1 10 01 1 9 -"), "more than one"),
            (format!("NODATA 3|{GOOD}"), "damaged"),
            (format!("PLAINTEXT 62 0 x|{GOOD}"), "more than a signature"),
            (GOOD.replace(" 10 01 ", " 2 01 "), "can be forged"),
            (GOOD.replace(" 10 01 ", " 10 00 "), "not over a text"),
            (GOOD.replace("GOODSIG", "EXPSIG"), "signature has expired"),
            (GOOD.replace("GOODSIG", "EXPKEYSIG"), "the key CFFC52F967901E31 has expired"),
            (GOOD.replace("GOODSIG", "REVKEYSIG"), "the key CFFC52F967901E31 was revoked"),
            (GOOD.replace(&format!("01 {KEY}"), "01 0BAEFFB2"), "signed by 0BAEFFB2, which is not among"),
            ("NEWSIG|ERRSIG 7AE22346BC9ECCD4 1 10 01 1795464633 9 -".to_owned(), "signed by 7AE22346BC9ECCD4, which"),
            ("NEWSIG|ERRSIG 7AE22346BC9ECCD4 99 10 01 1795464633 4 -".to_owned(), "of this kind"),
            (String::new(), "no signature"),
        ] {
            let found = verdict(&lines);
            assert!(found.contains(expected), "{lines}: {found}");
        }
    }

    #[test]
    fn only_answers_in_their_turn_count() {
        let keys = BTreeSet::from([Arc::from(KEY)]);
        let count = |text: &str| (verdicts(text.as_bytes(), &keys).0.len(), verdicts(text.as_bytes(), &keys).1);
        let two = said(&[GOOD, "NODATA 1"]);
        assert_eq!(count(&two), (2, false));
        assert_eq!(count(&two.replace("FILE_START 1 1", "FILE_START 1 7")), (1, false));
        assert_eq!(count(&two.replacen("[GNUPG:] FILE_DONE\n", "", 1)), (0, false));
        let cut = two.rfind("[GNUPG:] FILE_DONE").unwrap();
        assert_eq!(count(&two[..cut]), (1, true));
        assert_eq!(count("noise\n[GNUPG:]\n\u{fffd}"), (0, false));
    }
}
