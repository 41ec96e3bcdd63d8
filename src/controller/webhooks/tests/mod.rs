#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

mod door;
mod durable;
mod proof;

use std::sync::Arc;

use aws_lc_rs::hmac;
use secrecy::SecretString;

use super::*;
use crate::adapters::clock::SystemClock;
use crate::adapters::testing::Scratch;
use crate::bridge::wake::Forge;

const SECRET: &str = "canary-hook-secret";
const SHA: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";

/// A door on loopback, and everything behind it.
struct House {
    store: Store,
    wakes: Wakes,
    hooks: Hooks,
    url: String,
    client: reqwest::Client,
    server: tokio::task::JoinHandle<()>,
}

fn settings() -> Settings {
    Settings { github_secrets: vec![SECRET.into()], gitlab_tokens: vec![SECRET.into()], ..Settings::default() }
}

async fn file(scratch: &Scratch) -> Store {
    Store::open(&scratch.path().join("stackhand.db"), SystemClock.now()).await.unwrap()
}

impl House {
    async fn open(store: Store, settings: Settings) -> Self {
        Self::behind(Hooks::open(store, Arc::new(SystemClock), settings).unwrap()).await
    }

    async fn behind(hooks: Hooks) -> Self {
        let (store, wakes, router) = (hooks.store.clone(), hooks.wakes(), hooks.router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { store, wakes, hooks, url, client: reqwest::Client::new(), server }
    }

    async fn in_memory() -> Self {
        Self::open(Store::in_memory(SystemClock.now()).await.unwrap(), settings()).await
    }

    /// As if the process had died: nobody is asked, nothing is tidied up but the file handle, which a process gives back as well.
    async fn die(self) {
        self.server.abort();
        self.store.close().await;
    }

    /// A delivery as GitHub makes it.
    fn github(&self, event: &str, id: &str, body: impl Into<Vec<u8>>) -> reqwest::RequestBuilder {
        let body = body.into();
        self.unsigned(Forge::GitHub, &body)
            .header("x-github-event", event)
            .header("x-github-delivery", id)
            .header("x-hub-signature-256", sign(SECRET, &body))
    }

    /// A delivery as GitLab makes it.
    fn gitlab(&self, event: &str, id: &str, body: impl Into<Vec<u8>>) -> reqwest::RequestBuilder {
        self.unsigned(Forge::GitLab, &body.into())
            .header("x-gitlab-event", event)
            .header("x-gitlab-event-uuid", "of-the-recursion")
            .header("idempotency-key", id)
            .header("x-gitlab-token", SECRET)
    }

    fn unsigned(&self, forge: Forge, body: &[u8]) -> reqwest::RequestBuilder {
        let url = format!("{}/{forge}", self.url);
        self.client.post(url).header("content-type", "application/json").body(body.to_vec())
    }
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn sign(secret: &str, body: &[u8]) -> String {
    let sum = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
    format!("sha256={}", sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())
}

fn pull(action: &str, number: u64) -> String {
    format!(
        r#"{{"action":"{action}","number":{number},"pull_request":{{"head":{{"sha":"{SHA}"}}}},"repository":{{"full_name":"spack/spack"}}}}"#
    )
}

fn pipeline(id: u64, status: &str) -> String {
    format!(
        r#"{{"object_kind":"pipeline","object_attributes":{{"id":{id},"ref":"pr7_x","sha":"{SHA}","status":"{status}"}},"project":{{"path_with_namespace":"spack/spack"}}}}"#
    )
}
