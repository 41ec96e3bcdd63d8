//! Webhooks of both forges: signed, at least once, sometimes twice, sometimes late, in no promised order. Nobody tries again what was not taken.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::Value;
use tokio::runtime::Handle;

use super::rng::Rng;
use super::server::lock;

/// GitHub calls it off when the other side takes longer.
const DEADLINE: Duration = Duration::from_secs(10);
const TWICE: f64 = 0.05;
const LATE: f64 = 0.1;

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookTarget {
    /// Of the practice GitHub.
    pub github: String,
    /// Of the practice GitLab.
    pub gitlab: String,
    /// What signs GitHub's deliveries, and what GitLab's carry as their token.
    pub secret: String,
}

impl HookTarget {
    /// Both forges' webhooks below one address: `…/github` and `…/gitlab`.
    pub fn below(url: &str) -> Self {
        let url = url.trim_end_matches('/');
        Self {
            github: format!("{url}/github"),
            gitlab: format!("{url}/gitlab"),
            secret: "practice-webhook-secret".to_owned(),
        }
    }
}

/// Whose webhook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    GitHub,
    GitLab,
}

/// Delivers webhooks.
pub struct Postman {
    seed: u64,
    target: Mutex<Option<HookTarget>>,
    client: reqwest::Client,
    runtime: Handle,
    posted: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
}

/// How deliveries fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deliveries {
    /// Events, each delivered once or twice.
    pub events: u64,
    /// Answered with success.
    pub taken: u64,
    /// Not answered in time, or refused.
    pub failed: u64,
}

impl Postman {
    /// One that delivers on this runtime.
    pub fn new(seed: u64, target: Option<HookTarget>, runtime: Handle) -> Self {
        Self {
            seed,
            target: Mutex::new(target),
            client: reqwest::Client::new(),
            runtime,
            posted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// From now on, webhooks go there; or nowhere.
    pub fn aim(&self, target: Option<HookTarget>) {
        *lock(&self.target) = target;
    }

    /// Where webhooks go.
    pub fn target(&self) -> Option<HookTarget> {
        lock(&self.target).clone()
    }

    pub fn deliveries(&self) -> Deliveries {
        Deliveries {
            events: self.posted.load(Ordering::Relaxed),
            taken: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Sends an event on its way.
    pub fn post(self: &std::sync::Arc<Self>, forge: Forge, event: &str, body: &Value) {
        let Some(target) = self.target() else { return };
        let number = self.posted.fetch_add(1, Ordering::Relaxed);
        let mut rng = Rng::of(self.seed, "delivery", number);
        let guid = uuid(&mut rng);
        let times = if rng.chance(TWICE) { 2 } else { 1 };
        let bytes = body.to_string();
        for _ in 0..times {
            let late = if rng.chance(LATE) { Duration::from_millis(rng.between(1_000, 8_000)) } else { Duration::ZERO };
            let request = self.request(forge, &target, event, &guid, &bytes);
            let postman = self.clone();
            self.runtime.spawn(async move {
                tokio::time::sleep(late).await;
                let taken = request.send().await.is_ok_and(|answer| answer.status().is_success());
                let count = if taken { &postman.delivered } else { &postman.failed };
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    fn request(
        &self,
        forge: Forge,
        target: &HookTarget,
        event: &str,
        guid: &str,
        body: &str,
    ) -> reqwest::RequestBuilder {
        let url = if forge == Forge::GitHub { &target.github } else { &target.gitlab };
        let request =
            self.client.post(url).timeout(DEADLINE).header("content-type", "application/json").body(body.to_owned());
        match forge {
            Forge::GitHub => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
                let sum = hmac::sign(&key, body.as_bytes());
                let hex = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
                request
                    .header("user-agent", "GitHub-Hookshot/practice")
                    .header("x-github-event", event)
                    .header("x-github-delivery", guid)
                    .header("x-github-hook-id", "1")
                    .header("x-github-hook-installation-target-type", "repository")
                    .header("x-hub-signature-256", format!("sha256={hex}"))
            }
            Forge::GitLab => request
                .header("user-agent", "GitLab/19.2.0-ee")
                .header("x-gitlab-event", event)
                .header("x-gitlab-token", &target.secret)
                .header("x-gitlab-event-uuid", guid)
                .header("x-gitlab-webhook-uuid", guid)
                .header("idempotency-key", guid),
        }
    }
}

fn uuid(rng: &mut Rng) -> String {
    let hex = rng.hex(32);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
