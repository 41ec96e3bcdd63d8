//! The handle on a practice world: where everything is, what was asked of it, and what tests do to it behind everybody's back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::SandboxError;
use super::faults::Fault;
use super::github::{Endpoint as GitHubEndpoint, GitHub, Hub};
use super::hooks::{Deliveries, HookTarget};
use super::kube::{Endpoint as KubeEndpoint, Kube, WatchEnd};
use super::s3::{BUCKETS, Endpoint, Listed as S3Object, S3};
use super::server::{Shared, lock};
use super::world::World;

/// A practice world that is being served. Dropping it stops the server.
pub struct Running {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Namespace and name of the project.
    pub project: &'static str,
    /// A token that may do everything.
    pub token: String,
    /// A token that may only read.
    pub read_token: String,
    /// Where the buckets are.
    pub s3: Endpoint,
    /// Where a Prometheus answers, `http://127.0.0.1:PORT`.
    pub prometheus: String,
    /// Where the cluster's API is.
    pub kubernetes: KubeEndpoint,
    /// Where the GitHub is.
    pub github: GitHubEndpoint,
    pub(super) hub: Arc<GitHub>,
    pub(super) buckets: Arc<S3>,
    pub(super) kube: Arc<Kube>,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: Vec<oneshot::Sender<()>>,
}

impl Running {
    /// What tells other programs where everything is. The cluster's API is in a kubeconfig, which whoever serves the world writes.
    pub fn endpoints(&self) -> serde_json::Value {
        let Endpoint { url, region, access_key, secret_key, public_key } = &self.s3;
        let mut told = serde_json::json!({
            "gitlab": {
                "url": self.url,
                "token": self.token,
                "project": self.project,
                "git_url": self.git_url(),
            },
            "github": {
                "url": self.github.url,
                "token": self.github.token,
                "repo": self.github.repo,
                "git_url": self.github.git_url,
            },
            "s3": {
                "url": url,
                "region": region,
                "access_key": access_key,
                "secret_key": secret_key,
                "buckets": BUCKETS,
                "public_key": public_key,
                // Tarballs have a size and no bytes.
                "sparse": true,
            },
            "prometheus": { "url": self.prometheus },
        });
        if let (Some(told), Some(target)) = (told.as_object_mut(), self.shared.postman.target()) {
            let hooks = serde_json::json!({
                "github": { "url": target.github, "secret": target.secret },
                "gitlab": { "url": target.gitlab, "token": target.secret },
            });
            told.insert("hooks".to_owned(), hooks);
        }
        told
    }

    /// What git clones from the GitLab, and pushes to with any user and the token as password.
    pub fn git_url(&self) -> String {
        format!("{}/{}.git", self.url, self.project)
    }

    /// How many requests of git have arrived at the GitLab.
    pub fn git_requests(&self) -> u64 {
        self.shared.git_requests.load(Ordering::Relaxed)
    }

    /// Requests at the GitLab's API that ask for a change, with method, path and query; the first ten thousand. GraphQL is among them.
    pub fn writes(&self) -> Vec<String> {
        lock(&self.shared.writes).clone()
    }

    /// Refuses pushes to these refs of the GitLab, each by itself.
    pub fn refuse_pushes(&self, refs: &[&str]) -> std::io::Result<()> {
        self.shared.repository.refuse(refs)
    }

    /// Looks at the GitHub, or lets somebody do something there.
    pub fn hub<R>(&self, look: impl FnOnce(&mut Hub) -> R) -> R {
        self.hub.look(look)
    }

    /// How many requests have arrived at the GitHub: at its API, and from git.
    pub fn github_requests(&self) -> (u64, u64) {
        self.hub.requests()
    }

    /// Makes the GitHub misbehave, its git included. A fault's route is looked for in path and query as they were sent.
    pub fn github_fault(&self, fault: Fault) {
        self.hub.fault(fault);
    }

    /// Gives clients of the GitHub another budget of requests an hour.
    pub fn github_budget(&self, budget: u64) {
        self.hub.set_budget(budget);
    }

    /// From now on, webhooks go there; or nowhere.
    pub fn aim_hooks(&self, target: Option<HookTarget>) {
        // From now on it is written down what happens.
        self.shared.world().take_notes();
        self.shared.postman.aim(target);
    }

    /// How webhooks have fared.
    pub fn deliveries(&self) -> Deliveries {
        self.shared.postman.deliveries()
    }

    /// How many requests have arrived at the S3.
    pub fn s3_requests(&self) -> u64 {
        self.buckets.requests()
    }

    /// Makes the S3 misbehave. A fault's route is looked for in path and query, both decoded.
    pub fn s3_fault(&self, fault: Fault) {
        self.buckets.fault(fault);
    }

    /// Every object of a bucket at this moment, by key.
    pub fn s3_objects(&self, bucket: &str) -> Result<Vec<S3Object>, SandboxError> {
        self.buckets.look(|storage| storage.everything(bucket))?
    }

    /// The armored public keys of binaries: the one that users trust, and that of build jobs.
    pub fn s3_public_keys(&self) -> Result<[String; 2], SandboxError> {
        self.buckets.look(|storage| storage.public_keys())
    }

    /// How many requests have arrived at the cluster's API.
    pub fn kube_requests(&self) -> u64 {
        self.kube.requests()
    }

    /// How many of them were to change something, tries and refused ones too; and how many did.
    pub fn kube_mutations(&self) -> (u64, u64) {
        self.kube.mutations()
    }

    /// How many watches are open there.
    pub fn kube_watchers(&self) -> usize {
        self.kube.watchers()
    }

    /// Makes the cluster's API misbehave. A fault's route is looked for in path and query, both decoded.
    pub fn kube_fault(&self, fault: Fault) {
        self.kube.fault(fault);
    }

    /// Ends every watch that is open there.
    pub fn kube_end_watches(&self, how: WatchEnd) {
        self.kube.end_watches(how);
    }

    /// How many requests have arrived at the GitLab.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Lets so much of the world's time go by at once.
    pub fn let_pass(&self, time: Duration) {
        self.shared.let_pass(time);
    }

    /// Looks into the world, or changes it behind everybody's back.
    pub fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.shared.world())
    }

    /// Makes the GitLab misbehave. A fault's route is looked for in method, path and query as they were sent: `POST /api/v4/`.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.faults).add(fault);
    }

    /// Ends all misbehaviour.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
        self.buckets.heal();
        self.hub.heal();
        self.kube.heal();
    }

    /// Stops the server and cuts its connections.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for stop in self.stop.drain(..) {
            // The server may have ended by itself; then there is nobody to tell.
            stop.send(()).ok();
        }
        self.shared.folder.remove();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
