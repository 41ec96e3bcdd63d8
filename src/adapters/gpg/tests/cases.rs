//! What real Spacks and a real gpg made. Numbered cases are those of the reference on binary caches.

use super::*;
use crate::spack::Hash;
use crate::spack::buildcache::{Manifest, Metadata, clearsign, v2, v3};

/// Every damaged variant of one manifest, and what its verdict says.
const CASES: [(&str, &[u8], &str); 9] = [
    ("good", GOOD, "signed by BC93F3B5F2F424D7D560E33BCFFC52F967901E31"),
    // Only what it is about is wrong.
    ("swapped", include_bytes!("../testdata/swapped.json"), "signed by BC93F3B5F2F424D7D560E33BCFFC52F967901E31"),
    (
        "tampered-body",
        include_bytes!("../testdata/tampered-body.json"),
        "bad signature: the text is not what was signed",
    ),
    (
        "tampered-signature",
        include_bytes!("../testdata/tampered-signature.json"),
        "bad signature: the signature is damaged",
    ),
    (
        "signed-by-other-key",
        include_bytes!("../testdata/signed-by-other-key.json"),
        "signed by 0BAEFFB243DE65B6B6AEA89E7AE22346BC9ECCD4, which is not among the given keys",
    ),
    ("unsigned", include_bytes!("../testdata/unsigned.json"), "unsigned"),
    ("truncated", include_bytes!("../testdata/truncated.json"), "bad signature: its signature has no end"),
    (
        "text-outside",
        include_bytes!("../testdata/text-outside.json"),
        "bad signature: there is text before its signed block",
    ),
    ("empty", include_bytes!("../testdata/empty.json"), "bad signature: it is empty"),
];

#[test]
fn case_01_and_02_every_damage_is_found_and_named() {
    let items = CASES.iter().map(|(name, bytes, said)| ((*name, *said), bytes.to_vec())).collect();
    for ((name, said), signature) in judged(&[key_a()], items) {
        assert_eq!(signature.to_string(), said, "{name}");
    }
    // With both keys given, the other one is as good.
    let other = verdict(&[key_a(), key_b()], CASES[4].1);
    assert_eq!(other, Signature::Good("0BAEFFB243DE65B6B6AEA89E7AE22346BC9ECCD4".into()));
}

#[test]
fn more_than_one_block_and_odd_bytes_are_bad() {
    let text = String::from_utf8(GOOD.to_vec()).unwrap();
    let block = text.find("\n{").unwrap() + 1;
    for bytes in [
        [GOOD, GOOD].concat(),
        [GOOD, b"{}"].concat(),
        [b"\xef\xbb\xbf", GOOD].concat(),
        [&GOOD[..block], b"\xff", &GOOD[block..]].concat(),
        GOOD[..block].to_vec(),
        vec![0],
        b"null".to_vec(),
        b"{\"version\":3,".to_vec(),
        b"-----BEGIN PGP MESSAGE-----\n\nx\n-----END PGP MESSAGE-----\n".to_vec(),
        text.replace("Hash: SHA512", "NotDashEscaped: x").into_bytes(),
        vec![b' '; 17 << 20],
        flate2_bomb(),
    ] {
        let signature = verdict(&[key_a()], &bytes);
        assert_eq!(
            signature.state(),
            SignatureState::Bad,
            "{signature}: {}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        );
    }
    // Other ends of lines and blanks at their ends are part of no signature.
    assert_eq!(verdict(&[key_a()], text.replace('\n', "\r\n").as_bytes()).state(), SignatureState::Good);
    assert_eq!(verdict(&[key_a()], text.replace("[\n", "[ \t\n").as_bytes()).state(), SignatureState::Good);
}

fn flate2_bomb() -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, &vec![b' '; 20 << 20]).unwrap();
    packer.finish().unwrap()
}

#[test]
fn case_53_one_bad_manifest_of_many_is_named() {
    let bad = 317;
    let bytes = |at| if at == bad { CASES[2].1.to_vec() } else { GOOD.to_vec() };
    let judged = judged(&[key_a()], (0..500).map(|at| (at, bytes(at))).collect());
    assert_eq!(judged.iter().map(|(at, _)| *at).collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
    let wrong: Vec<_> = judged.into_iter().filter(|(_, found)| found.state() != SignatureState::Good).collect();
    assert_eq!(wrong, [(bad, Signature::Bad("the text is not what was signed".into()))]);
}

/// Whatever is changed: what is still called good says what was signed.
#[test]
fn a_thousand_mutants_say_what_was_signed_or_are_not_good() {
    let signed = |bytes: &[u8]| {
        let (text, is_signed) = clearsign::open(bytes).unwrap();
        assert!(is_signed);
        text.lines().map(|line| line.trim_end_matches([' ', '\t', '\r']).to_owned()).collect::<Vec<_>>()
    };
    let mut state = 0x5eed_u64;
    let mut roll = |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % sides
    };
    let mut mutants = Vec::new();
    for nth in 0..1_000 {
        let mut bytes = GOOD.to_vec();
        let at = roll(bytes.len());
        let piece = bytes[at..(at + roll(60)).min(bytes.len())].to_vec();
        match roll(6) {
            0 => bytes[at] ^= 1 << roll(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..at + piece.len())),
            3 => drop(bytes.splice(at..at, piece)),
            4 => bytes.insert(at, b"\n -\"{}\t\r0=+"[roll(11)]),
            _ => drop(bytes.splice(at..at, GOOD[..roll(GOOD.len())].to_vec())),
        }
        mutants.push(((nth, bytes.clone()), bytes));
    }
    let mut good = 0;
    for ((nth, bytes), signature) in judged(&[key_a()], mutants) {
        if let Signature::Good(key) = signature {
            assert_eq!((&*key, signed(&bytes)), (KEY_A, signed(GOOD)), "mutant {nth}");
            good += 1;
        }
    }
    assert!((1..500).contains(&good), "{good} mutants are good");
}

#[test]
fn both_real_caches_are_good_and_about_their_names() {
    let Some(root) = fixtures() else { return };
    let mut manifests = Vec::new();
    for folder in std::fs::read_dir(root.join("buildcache-v3-signed/v3/manifests/spec")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            manifests.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    let judged_v3 = judged(&[key_a()], manifests);
    assert_eq!(judged_v3.len(), 38);
    for (path, signature) in judged_v3 {
        let manifest = Manifest::parse(&std::fs::read(&path).unwrap()).unwrap();
        let blob = std::fs::read(root.join("buildcache-v3-signed").join(manifest.spec().unwrap().0.path())).unwrap();
        let named = v3::hash(path.file_name().unwrap().to_str().unwrap()).unwrap();
        assert_eq!(signature.of_binary(&named, &manifest, &blob), Signature::Good(KEY_A.into()), "{}", path.display());
    }
    let mut signed = Vec::new();
    for file in std::fs::read_dir(root.join("buildcache-v2-signed/build_cache")).unwrap() {
        let path = file.unwrap().path();
        if let Some(hash) = path.file_name().and_then(|name| v2::hash(name.to_str()?)) {
            let bytes = std::fs::read(&path).unwrap();
            signed.push(((hash, bytes.clone()), bytes));
        }
    }
    assert_eq!(signed.len(), 22);
    for ((hash, bytes), signature) in judged(&[key_a()], signed) {
        assert_eq!(signature.of_metadata(&hash, &bytes), Signature::Good(KEY_A.into()), "{hash}");
        assert!(Metadata::read(&bytes).unwrap().is_signed);
    }
}

#[test]
fn a_good_manifest_under_the_name_of_another_is_bad() {
    let lz4 = Hash::parse("4cqnjcr7ly34qazkfhrjkd6iv76zflqh").unwrap();
    let [good, swapped] = [CASES[0].1, CASES[1].1].map(|bytes| Manifest::parse(bytes).unwrap());
    let (blob, other): (&[u8], &[u8]) =
        (include_bytes!("../testdata/good.spec.json.gz"), include_bytes!("../testdata/swapped.spec.json.gz"));
    let signature = verdict(&[key_a()], CASES[1].1);
    assert_eq!(signature.state(), SignatureState::Good);
    let joined = signature.clone().of_binary(&lz4, &swapped, other).to_string();
    assert!(
        joined.starts_with("bad signature: it is about ") && joined.ends_with("not about what its name says"),
        "{joined}"
    );
    let joined = signature.clone().of_binary(&lz4, &swapped, blob).to_string();
    assert!(joined.contains("not those that it was made with"), "{joined}");
    assert_eq!(signature.of_binary(&lz4, &good, blob).state(), SignatureState::Good);
}
