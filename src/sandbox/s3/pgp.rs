//! The keys that sign the practice world's binaries: OpenPGP with Ed25519, as far as Spack's clear-signed manifests need it.
//!
//! Signatures are real and real gpg accepts them, but the keys follow from the seed of the world, so that the same world signs the same
//! bytes: they protect nothing. All signatures have one length, so that sizes are known before anything is signed.

use aws_lc_rs::digest::{self, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA512};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use super::super::rng::Rng;
use super::super::world::EPOCH;
use super::manifest::hex;
use crate::ci::Timestamp;

/// A key pair with the name of its owner.
pub struct Key {
    pair: Ed25519KeyPair,
    /// The public key's packet, without its head.
    public: Vec<u8>,
    fingerprint: [u8; 20],
    owner: &'static str,
    made: u32,
}

/// The keys of the practice world.
pub struct Keys {
    /// Signs what users may trust.
    pub reputational: Key,
    /// Signs what build jobs push, until the signing job has looked at it.
    pub intermediate: Key,
    /// Signs what it should not.
    pub stranger: Key,
}

impl Keys {
    pub fn of(seed: u64) -> Option<Self> {
        let key = |owner, days: i64| Key::of(seed, owner, EPOCH.shifted(-days * 86_400_000));
        Some(Self {
            reputational: key("Practice Public Binaries <binaries@example.invalid>", 700)?,
            intermediate: key("Practice Build Jobs <builds@example.invalid>", 400)?,
            stranger: key("Somebody Else <somebody@example.invalid>", 300)?,
        })
    }
}

const TAG_SIGNATURE: u8 = 2;
const TAG_PUBLIC_KEY: u8 = 6;
const TAG_USER_ID: u8 = 13;
const EDDSA: u8 = 22;
const SHA512_ID: u8 = 10;
const CERTIFICATION: u8 = 0x13;
const TEXT: u8 = 0x01;
/// How an Ed25519 key says what it is.
const ED25519: [u8; 10] = [9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

const HEAD: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n";
const SIGNATURE: &str = "PGP SIGNATURE";
/// What signing adds to a text.
pub const OVERHEAD: u64 = HEAD.len() as u64 + 1 + 228;

impl Key {
    /// The key of that owner in the world of that seed; `None` when the seed gives no key, which no 32 bytes do.
    pub fn of(seed: u64, owner: &'static str, made: Timestamp) -> Option<Self> {
        let mut rng = Rng::named(seed, "signing key", owner);
        let secret: Vec<u8> = (0..4).flat_map(|_| rng.next().to_be_bytes()).collect();
        let pair = Ed25519KeyPair::from_seed_unchecked(&secret).ok()?;
        let made = seconds(made);
        let mut public = vec![4];
        public.extend(made.to_be_bytes());
        public.push(EDDSA);
        public.extend(ED25519);
        public.extend(263u16.to_be_bytes());
        public.push(0x40);
        public.extend(pair.public_key().as_ref());
        let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        digest.update(&framed(&public));
        let fingerprint = digest.finish().as_ref().try_into().ok()?;
        Some(Self { pair, public, fingerprint, owner, made })
    }

    /// 40 capital hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex(&self.fingerprint).to_uppercase()
    }

    /// The public key as it is handed out.
    pub fn armored(&self) -> String {
        let mut bound = framed(&self.public);
        bound.push(0xb4);
        bound.extend((self.owner.len() as u32).to_be_bytes());
        bound.extend(self.owner.as_bytes());
        // May certify and sign.
        let flags = [2, 27, 3];
        let mut all = packet(TAG_PUBLIC_KEY, &self.public);
        all.extend(packet(TAG_USER_ID, self.owner.as_bytes()));
        all.extend(self.signature(CERTIFICATION, &bound, self.made, &flags));
        armor("PGP PUBLIC KEY BLOCK", &all)
    }

    /// The text, clear-signed. It must not end with a line break, nor have lines that start with a dash or end with a blank.
    pub fn sign(&self, text: &str, at: Timestamp) -> String {
        let canonical = text.replace('\n', "\r\n");
        let signature = self.signature(TEXT, canonical.as_bytes(), seconds(at), &[]);
        format!("{HEAD}{text}\n{}", armor(SIGNATURE, &signature))
    }

    /// A signature packet. Numbers with leading zeros would be written shorter: then it is made a second later.
    fn signature(&self, kind: u8, what: &[u8], at: u32, more: &[u8]) -> Vec<u8> {
        let mut at = at;
        loop {
            let mut body = vec![4, kind, EDDSA, SHA512_ID];
            body.extend((29 + more.len() as u16).to_be_bytes());
            body.extend([22, 33, 4]);
            body.extend(self.fingerprint);
            body.extend([5, 2]);
            body.extend(at.to_be_bytes());
            body.extend(more);
            let mut digest = Context::new(&SHA512);
            digest.update(what);
            digest.update(&body);
            digest.update(&[4, 0xff]);
            digest.update(&(body.len() as u32).to_be_bytes());
            let digest = digest.finish();
            let signed = self.pair.sign(digest.as_ref());
            let (r, s) = signed.as_ref().split_at(signed.as_ref().len() / 2);
            let bits = |number: &[u8]| number.first().map_or(0, |byte| 256 - byte.leading_zeros() as u16);
            if r.first() == Some(&0) || s.first() == Some(&0) {
                at += 1;
                continue;
            }
            body.extend([0, 10, 9, 16]);
            body.extend(self.fingerprint.iter().skip(12));
            body.extend(digest.as_ref().iter().take(2));
            for number in [r, s] {
                body.extend(bits(number).to_be_bytes());
                body.extend(number);
            }
            return packet(TAG_SIGNATURE, &body);
        }
    }
}

fn seconds(at: Timestamp) -> u32 {
    (at.millis() / 1_000) as u32
}

/// A public key as signatures and fingerprints cover it.
fn framed(public: &[u8]) -> Vec<u8> {
    let mut framed = vec![0x99];
    framed.extend((public.len() as u16).to_be_bytes());
    framed.extend(public);
    framed
}

/// A packet of at most 191 bytes, with its head.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xc0 | tag, body.len() as u8];
    packet.extend(body);
    packet
}

fn armor(kind: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN {kind}-----\n\n");
    let coded = base64(bytes);
    for line in coded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    let sum = crc24(bytes).to_be_bytes();
    [text.as_str(), "=", &base64(sum.get(1..).unwrap_or_default()), "\n-----END ", kind, "-----\n"].concat()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let held = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS.get((held >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'A');
            text.push(if i <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn crc24(bytes: &[u8]) -> u32 {
    let mut sum = 0x00b7_04ce;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4cfb;
            }
        }
    }
    sum & 0x00ff_ffff
}

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::sandbox::EPOCH;

    const TEXT: &str = "{\n\"version\":3,\n\"data\":[\n]\n}";

    #[test]
    fn signing_adds_always_the_same_length_and_never_other_bytes() {
        let key = Key::of(7, "Practice <practice@example.invalid>", EPOCH).unwrap();
        let signed: Vec<String> = (0..600).map(|n| key.sign(TEXT, EPOCH.shifted(n * 1_000))).collect();
        assert!(signed.iter().all(|s| s.len() as u64 == TEXT.len() as u64 + OVERHEAD), "{}", signed[0]);
        assert_eq!(Key::of(7, "Practice <practice@example.invalid>", EPOCH).unwrap().sign(TEXT, EPOCH), signed[0]);
        assert_eq!((base64(b"any carnal pleas"), base64(b"a")), ("YW55IGNhcm5hbCBwbGVhcw==".into(), "YQ==".into()));
    }

    /// Real gpg has the last word, where there is one.
    #[test]
    fn gpg_accepts_what_was_signed_and_nothing_else() {
        let home = std::env::temp_dir().join(format!("sh-pgp-{}", std::process::id()));
        let gpg = |arguments: &[&str]| {
            let mut command = Command::new("gpg");
            command.arg("--homedir").arg(&home).args(["--batch", "--no-tty", "--no-autostart", "--status-fd", "1"]);
            let output = command.args(arguments).stderr(Stdio::null()).output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        if Command::new("gpg").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: gpg not found");
            return;
        }
        let mut folder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&home).unwrap();
        let key = Key::of(42, "Practice <practice@example.invalid>", EPOCH).unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(home.join(name), text).unwrap();
            home.join(name).display().to_string()
        };
        let (imported, said) = gpg(&["--import", &file("key", &key.armored())]);
        assert!(imported && said.contains(&key.fingerprint()), "{said}");
        let signed = key.sign(TEXT, EPOCH.shifted(60_000));
        let (good, said) = gpg(&["--verify", &file("signed", &signed)]);
        assert!(good && said.contains("GOODSIG") && said.contains(&key.fingerprint()), "{said}");
        let (bad, said) = gpg(&["--verify", &file("changed", &signed.replace("\"version\":3", "\"version\":4"))]);
        assert!(!bad && said.contains("BADSIG"), "{said}");
        std::fs::remove_dir_all(&home).unwrap();
    }
}
