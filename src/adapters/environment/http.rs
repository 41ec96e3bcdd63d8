//! The client for what lies elsewhere.

use std::sync::OnceLock;

use reqwest::Client;
use reqwest::redirect::Policy;

/// A client that goes only where the configuration points. It is made when something is first asked for: the roots of TLS are hundreds of
/// files on some machines, and most environments include nothing remote.
#[derive(Debug, Default)]
pub struct Http(OnceLock<Client>);

impl Http {
    /// The client. It fails where the machine's TLS cannot be set up.
    pub fn client(&self) -> reqwest::Result<&Client> {
        if let Some(made) = self.0.get() {
            return Ok(made);
        }
        let name = concat!("stackhand/", env!("CARGO_PKG_VERSION"));
        let made = Client::builder().redirect(Policy::none()).user_agent(name).build()?;
        Ok(self.0.get_or_init(|| made))
    }
}

impl From<Client> for Http {
    fn from(client: Client) -> Self {
        Self(OnceLock::from(client))
    }
}
