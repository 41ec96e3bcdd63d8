//! Whether a delivery comes from who knows the secret. All comparisons take equally long, whatever is wrong.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, Digest, SHA256};
use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};

/// What GitHub signs with. While a secret is replaced there are two.
pub struct Keys(Vec<hmac::Key>);

impl Keys {
    pub fn new(secrets: &[SecretString]) -> Self {
        Self(
            secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes())).collect(),
        )
    }

    /// Begins to sum up a body.
    pub fn begin(&self) -> Sums {
        Sums(self.0.iter().map(hmac::Context::with_key).collect())
    }
}

/// A body, summed up as it comes in.
pub struct Sums(Vec<hmac::Context>);

impl Sums {
    pub fn add(&mut self, bytes: &[u8]) {
        for sum in &mut self.0 {
            sum.update(bytes);
        }
    }

    /// Whether the header `X-Hub-Signature-256` fits. Without one, as much is compared.
    pub fn fit(self, header: Option<&[u8]>) -> bool {
        let given = header.and_then(signature);
        let compared = given.unwrap_or_default();
        let fits = |sum: hmac::Context| verify_slices_are_equal(sum.sign().as_ref(), &compared).is_ok();
        // Every key is tried.
        self.0.into_iter().map(fits).fold(false, |any, one| any | one) && given.is_some()
    }
}

/// `sha256=` and 64 hex digits.
fn signature(header: &[u8]) -> Option<[u8; 32]> {
    let hex = header.strip_prefix(b"sha256=").filter(|hex| hex.len() == 64)?;
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| digits.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

/// What GitLab's deliveries carry; kept as digests, which are all of one length.
pub struct Tokens(Vec<Digest>);

impl Tokens {
    pub fn new(secrets: &[SecretString]) -> Self {
        Self(secrets.iter().map(|secret| digest::digest(&SHA256, secret.expose_secret().as_bytes())).collect())
    }

    /// Whether the header `X-Gitlab-Token` is one of them.
    pub fn fit(&self, header: Option<&[u8]>) -> bool {
        let given = digest::digest(&SHA256, header.unwrap_or_default());
        let fits = |known: &Digest| verify_slices_are_equal(known.as_ref(), given.as_ref()).is_ok();
        self.0.iter().map(fits).fold(false, |any, one| any | one) && header.is_some()
    }
}
