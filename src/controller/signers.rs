//! Whose signatures count for the console: the keys that were named, imported when something is first verified.

use std::path::PathBuf;

use tokio::sync::OnceCell;

use crate::adapters::gpg::{KeyFile, Verifier};

/// Where the keys are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keyring {
    /// Nobody named any: signatures tell who signed, and none is good.
    #[default]
    None,
    File(PathBuf),
    /// The key itself, armored.
    Given(String),
}

/// Those keys, and gpg once it knows them.
#[derive(Debug, Default)]
pub struct Signers {
    keyring: Keyring,
    verifier: OnceCell<Verifier>,
}

impl Signers {
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring, verifier: OnceCell::new() }
    }

    /// Verifies by these keys. What goes wrong is tried anew the next time.
    pub async fn verifier(&self) -> Result<&Verifier, String> {
        self.verifier.get_or_try_init(|| self.import()).await
    }

    async fn import(&self) -> Result<Verifier, String> {
        let file = match &self.keyring {
            Keyring::None => return Verifier::without_keys().await.map_err(|error| error.to_string()),
            Keyring::Given(armored) => KeyFile { name: "the given key".to_owned(), bytes: armored.clone().into() },
            Keyring::File(path) => {
                let name = path.display().to_string();
                let read = tokio::fs::read(path).await;
                let bytes = read.map_err(|error| format!("cache.keyring: {name}: {error}; name a readable file"))?;
                KeyFile { name, bytes }
            }
        };
        Verifier::new(&[file]).await.map_err(|error| error.to_string())
    }
}
