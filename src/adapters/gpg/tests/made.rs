//! Keys and signatures that no Spack would make.

use super::maker::Maker;
use super::*;

const TEXT: &str = "{\n\"version\":3,\n\"data\":[]\n}\n";

fn bad(keys: &[KeyFile], bytes: &[u8]) -> String {
    match verdict(keys, bytes) {
        Signature::Bad(why) => why.to_string(),
        other => panic!("{other}"),
    }
}

#[test]
fn what_has_expired_or_was_revoked_is_bad() {
    let maker = Maker::new();
    let old = maker.key("old", "2020-02-01");
    let long = maker.key("long", "never");
    let gone = maker.key("gone", "never");
    let public = |name: &str| [maker.public(name)];

    assert_eq!(verdict(&public("long"), &maker.sign("long", &[], TEXT)), Signature::Good(long.as_str().into()));
    assert_eq!(bad(&public("old"), &maker.sign("old", &[], TEXT)), format!("the key {} has expired", &old[24..]));
    let brief = maker.sign("long", &["--default-sig-expire", "1d"], TEXT);
    assert_eq!(bad(&public("long"), &brief), "the signature has expired");

    let signed = maker.sign("gone", &[], TEXT);
    assert_eq!(verdict(&public("gone"), &signed).state(), SignatureState::Good);
    let file = maker.home().join(format!("openpgp-revocs.d/{gone}.rev"));
    let certificate = std::fs::read_to_string(file).unwrap().replace(":-----BEGIN", "-----BEGIN");
    maker.gpg(&["--import"], certificate.as_bytes());
    assert_eq!(bad(&public("gone"), &signed), format!("the key {} was revoked", &gone[24..]));
}

#[test]
fn weak_double_and_foreign_signatures_are_not_good() {
    let maker = Maker::new();
    let (one, two) = (maker.key("one", "never"), maker.key("two", "never"));
    let both = [maker.public("one"), maker.public("two")];
    let weak = maker.sign("one", &["--digest-algo", "SHA1"], TEXT);
    assert_eq!(bad(&both, &weak), "its checksum is of a kind that can be forged");
    let double = maker.sign("one", &["-u", "two"], TEXT);
    assert_eq!(bad(&both, &double), "it has more than one signature");
    assert_eq!(bad(&both[..1], &double), "it has more than one signature");
    assert_eq!(verdict(&both[..1], &maker.sign("two", &[], TEXT)), Signature::UnknownKey(two.as_str().into()));
    let whole =
        maker.gpg(&["--faked-system-time", "20200110T000000", "-u", "one", "--armor", "--sign"], TEXT.as_bytes());
    assert_eq!(bad(&both, &whole), "it is neither signed nor whole JSON");
    // A signature over one text does not fit another.
    let signed = String::from_utf8(maker.sign("one", &[], TEXT)).unwrap();
    let other = String::from_utf8(maker.sign("one", &[], "{}\n")).unwrap();
    let cut = |text: &str| text.find("-----BEGIN PGP SIGNATURE").unwrap();
    let mixed = format!("{}{}", &signed[..cut(&signed)], &other[cut(&other)..]);
    assert_eq!(bad(&both, mixed.as_bytes()), "the text is not what was signed");
    assert_eq!(verdict(&both, signed.as_bytes()), Signature::Good(one.as_str().into()));
}

#[test]
fn a_subkey_signs_for_its_primary_key() {
    let maker = Maker::new();
    let primary = maker.key("main", "never");
    maker
        .gpg(&["--faked-system-time", "20200102T000000", "--quick-add-key", &primary, "ed25519", "sign", "never"], b"");
    let signed = maker.sign("main", &[], TEXT);
    assert_eq!(verdict(&[maker.public("main")], &signed), Signature::Good(primary.as_str().into()));
}
