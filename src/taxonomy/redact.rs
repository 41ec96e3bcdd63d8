//! Secrets in the text of evidence are blacked out before anybody sees, copies or stores it.
//!
//! Better a word too many than a secret too few: whoever needs the whole line finds it in GitLab by its number. Where a secret is named
//! (`TOKEN=…`, `Authorization: …`), the name stays.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in the place of a secret.
const BLACK: &str = "████";
/// A value after a colon is taken for a secret from this length on, if it has a digit: `unexpected token: end` is none.
const SECRET: usize = 8;
/// A line that is nothing but so much base64 is taken for the body of a key.
const KEY_BODY: usize = 60;

const PEM_BEGINS: &str = "-----BEGIN ";
const PEM_ENDS: &str = "-----END ";
const PEM_KEY: &str = "PRIVATE KEY";

struct Forms {
    /// Tokens that are told by their first letters, which stay.
    token: Regex,
    jwt: Regex,
    header: Regex,
    bearer: Regex,
    userinfo: Regex,
    assigned: Regex,
    option: Regex,
}

static FORMS: LazyLock<Option<Forms>> = LazyLock::new(|| Forms::compiled().ok());

impl Forms {
    fn compiled() -> Result<Self, regex::Error> {
        let word = r"(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|credentials?|signature)";
        Ok(Self {
            token: Regex::new(
                r"\b(gl(?:pat|rtr?|dt|cbt|ptt|ft|soat|imt|agent|ffct|oas|wt)-|gh[pousr]_|github_pat_|AKIA|ASIA|xox[abprs]-|hf_|npm_|sk-)[A-Za-z0-9_.=-]{12,}",
            )?,
            jwt: Regex::new(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")?,
            header: Regex::new(
                r#"(?i)\b((?:proxy-)?authorization|(?:private|job|deploy|x-vault|x-amz-security|x-auth)-token|(?:set-)?cookie)(["']?\s*[:=]\s*["']?)[^"'\r\n]+"#,
            )?,
            bearer: Regex::new(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]{12,}")?,
            userinfo: Regex::new(r#"([A-Za-z][A-Za-z0-9+.-]*://)([^/\s@"'<>]+)@"#)?,
            assigned: Regex::new(&format!(
                r#"(?i)([a-z0-9_.-]*{word}[a-z0-9_.-]*)(["']?\s*(?:=|:=|=>|:)\s*)("[^"]*"|'[^']*'|[^\s"',;&=][^\s"',;&]*)"#
            ))?,
            option: Regex::new(&format!(r"(?i)(--?[a-z0-9-]*{word}[a-z0-9-]*) +([^\s-]\S*)"))?,
        })
    }
}

/// Blacks out the secrets of one line.
pub fn redact(text: &str) -> Cow<'_, str> {
    let Some(forms) = FORMS.as_ref() else { return Cow::Borrowed(BLACK) };
    let mut text = Cow::Borrowed(text);
    let keep = |groups: &Captures<'_>, n: usize| groups.get(n).map_or("", |group| group.as_str()).to_owned();
    let named = |groups: &Captures<'_>| format!("{}{}{BLACK}", keep(groups, 1), keep(groups, 2));
    replace(&mut text, &forms.jwt, |_| BLACK.to_owned());
    replace(&mut text, &forms.header, named);
    replace(&mut text, &forms.bearer, |groups| format!("{} {BLACK}", keep(groups, 1)));
    replace(&mut text, &forms.userinfo, |groups| {
        let (scheme, user) = (keep(groups, 1), keep(groups, 2));
        // The name alone (`ssh://git@host`) is no secret where programs do not send tokens as names.
        let bare = !user.contains(':') && !scheme.to_ascii_lowercase().starts_with("http");
        if bare { format!("{scheme}{user}@") } else { format!("{scheme}{BLACK}@") }
    });
    replace(&mut text, &forms.token, |groups| format!("{}{BLACK}", keep(groups, 1)));
    replace(&mut text, &forms.assigned, |groups| {
        let (between, value) = (keep(groups, 2), keep(groups, 3));
        let bare = value.trim_matches(['"', '\'']);
        let secret = between.contains('=') || (bare.len() >= SECRET && bare.bytes().any(|b| b.is_ascii_digit()));
        if secret && !bare.is_empty() && !bare.starts_with('$') { named(groups) } else { keep(groups, 0) }
    });
    replace(&mut text, &forms.option, |groups| {
        let value = keep(groups, 2);
        if value.starts_with('$') { keep(groups, 0) } else { format!("{} {BLACK}", keep(groups, 1)) }
    });
    if let Some(at) = private_key(&text) {
        let end = text.get(at..).and_then(|rest| rest.find(PEM_ENDS)).map(|end| at + end);
        let after = end.and_then(|end| text.get(end..)).unwrap_or_default();
        let begin = text.get(..at).unwrap_or_default();
        text = Cow::Owned(format!("{begin}{PEM_BEGINS}{PEM_KEY}-----{BLACK}{after}"));
    } else if is_key_body(&text) {
        text = Cow::Borrowed(BLACK);
    }
    text
}

/// Blacks out the secrets of lines that follow each other: a key's block is black from its first line to its last.
pub fn redact_lines(lines: &mut [String]) {
    let mut inside = false;
    for line in lines {
        let ends = line.contains(PEM_ENDS);
        if inside && !ends {
            BLACK.clone_into(line);
            continue;
        }
        inside = private_key(line).is_some() && !ends;
        if let Cow::Owned(redacted) = redact(line) {
            *line = redacted;
        } else if is_key_body(line) {
            BLACK.clone_into(line);
        }
    }
}

fn replace(text: &mut Cow<'_, str>, form: &Regex, with: impl Fn(&Captures<'_>) -> String) {
    if let Cow::Owned(replaced) = form.replace_all(text, |groups: &Captures<'_>| with(groups)) {
        *text = Cow::Owned(replaced);
    }
}

fn private_key(text: &str) -> Option<usize> {
    let at = text.find(PEM_BEGINS)?;
    text.get(at..)?.split("-----").nth(1)?.ends_with(PEM_KEY).then_some(at)
}

/// Base64 and nothing else, in letters of both cases: hashes are written in one.
fn is_key_body(text: &str) -> bool {
    let text = text.trim();
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    text.len() >= KEY_BODY
        && text.bytes().all(base64)
        && text.bytes().any(|b| b.is_ascii_uppercase())
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && text.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_black_and_their_names_stay() {
        for (text, want) in [
            ("fatal: token glpat-AbCdEfGhIjKlMnOpQrSt is bad", "fatal: token glpat-████ is bad"),
            (
                "glrt-t1_abcdefghijklmnop glcbt-64_abcdefghijklmnopqrst gldt-abcdefghijklmnop",
                "glrt-████ glcbt-████ gldt-████",
            ),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789 x", "ghp_████ x"),
            ("github_pat_11ABCDEFG_abcdefghijklmnop", "github_pat_████"),
            ("using AKIAIOSFODNN7EXAMPLE here", "using AKIA████ here"),
            ("export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "export AWS_SECRET_ACCESS_KEY=████"),
            (r#"{"api_key": "abc12345", "x": 1}"#, r#"{"api_key": ████, "x": 1}"#),
            ("password='two words' rest", "password=████ rest"),
            (
                "unable to access 'https://gitlab-ci-token:secret@gitlab.spack.io/spack.git/'",
                "unable to access 'https://████@gitlab.spack.io/spack.git/'",
            ),
            ("git clone https://oauth2@host/x", "git clone https://████@host/x"),
            ("Authorization: Bearer abc.def", "Authorization: ████"),
            ("curl -H 'PRIVATE-TOKEN: abcdef' https://x", "curl -H 'PRIVATE-TOKEN: ████' https://x"),
            ("got bearer abcdefghijklmnop", "got bearer ████"),
            ("id eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln end", "id ████ end"),
            ("login --password hunter2 --user me", "login --password ████ --user me"),
            (
                "key -----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- x",
                "key -----BEGIN PRIVATE KEY-----████-----END RSA PRIVATE KEY----- x",
            ),
            (
                "https://s3/x?X-Amz-Credential=abc&X-Amz-Signature=0123&y=1",
                "https://s3/x?X-Amz-Credential=████&X-Amz-Signature=████&y=1",
            ),
        ] {
            assert_eq!(redact(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "error: expected ';' before '}' token",
            "syntax error, unexpected token: end",
            "gpg: signing failed: No secret key",
            "ssh://git@github.com/x: Permission denied",
            "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "export GITLAB_TOKEN=$CI_JOB_TOKEN",
            "user@host: no such file",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn the_block_of_a_key_is_black() {
        let body = "MIIEpAIBAAKCAQEA7v1u2kJq3W0c1qk3h0f8VbZr5yWq8mX1c2d3e4f5g6h7i8j9";
        let mut lines: Vec<String> =
            ["a", "-----BEGIN OPENSSH PRIVATE KEY-----", "short", body, "-----END OPENSSH PRIVATE KEY-----", "b", body]
                .map(str::to_owned)
                .to_vec();
        redact_lines(&mut lines);
        let want =
            ["a", "-----BEGIN PRIVATE KEY-----████", BLACK, BLACK, "-----END OPENSSH PRIVATE KEY-----", "b", BLACK];
        assert_eq!(lines, want);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_black_stays_black(text in "\\PC{0,200}") {
            let once = redact(&text).into_owned();
            prop_assert_eq!(redact(&once).into_owned(), once);
        }

        #[test]
        fn a_token_is_never_told(before in "[ -~]{0,30}", secret in "[A-Za-z0-9]{20,40}", after in "[ -~]{0,30}") {
            let text = format!("{before} glpat-{secret} {after}");
            prop_assert!(!redact(&text).contains(&secret));
        }
    }
}
