use super::super::proof::{Keys, Tokens};
use super::*;

fn fits(secrets: &[&str], body: &[u8], header: Option<&str>) -> bool {
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    let mut sums = Keys::new(&secrets).begin();
    // As it comes in: in pieces.
    body.chunks(7).for_each(|piece| sums.add(piece));
    sums.fit(header.map(str::as_bytes))
}

#[test]
fn the_example_of_githubs_documentation_fits() {
    let sum = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert!(fits(&["It's a Secret to Everybody"], b"Hello, World!", Some(sum)));
    assert!(!fits(&["It's a Secret to Everybody"], b"Hello, World?", Some(sum)));
}

#[test]
fn case_B36_nothing_but_the_whole_signature_of_these_bytes() {
    let body = br#"{"a": 1, "b": "x"}"#;
    let good = sign(SECRET, body);
    assert!(fits(&[SECRET], body, Some(&good)));
    let reserialised = serde_json::from_slice::<serde_json::Value>(body).unwrap().to_string();
    assert_ne!(reserialised.as_bytes(), body);
    assert!(!fits(&[SECRET], reserialised.as_bytes(), Some(&good)));
    let long = format!("{good}00");
    let bad_digit = good.replace(&good[60..61], "g");
    let sha1 = "sha1=0123456789abcdef0123456789abcdef01234567";
    let zeros = format!("sha256={}", "0".repeat(64));
    for wrong in
        ["", "sha256=", &good[7..], &good[..good.len() - 2], &good[..good.len() - 1], &long, &bad_digit, sha1, &zeros]
    {
        assert!(!fits(&[SECRET], body, Some(wrong)), "{wrong}");
    }
    assert!(!fits(&[SECRET], body, None));
    assert!(!fits(&["another"], body, Some(&good)));
    assert!(!fits(&[], body, Some(&good)), "without a key nothing fits");
}

#[test]
fn case_B37_while_a_secret_is_replaced_both_fit() {
    for secret in ["old", "new"] {
        assert!(fits(&["old", "new"], b"{}", Some(&sign(secret, b"{}"))));
    }
    assert!(!fits(&["old", "new"], b"{}", Some(&sign("older", b"{}"))));
}

#[test]
fn case_B53_a_token_fits_whole_or_not_at_all() {
    let tokens = Tokens::new(&["one".into(), "two".into()]);
    assert!(tokens.fit(Some(b"one")) && tokens.fit(Some(b"two")));
    for wrong in [&b""[..], b"on", b"onee", b"One", b"\xff\xfe", &[b'x'; 5_000]] {
        assert!(!tokens.fit(Some(wrong)));
    }
    assert!(!tokens.fit(None) && !Tokens::new(&[]).fit(Some(b"")));
}
