//! Sends one request that changes the fleet. Nodes and pods are tried out first, and named by their uid, so that another of the same name is
//! left alone.

use std::sync::Arc;

use super::FleetOutside;
use crate::adapters::alertmanager::NewSilence;
use crate::adapters::clock::Clock;
use crate::adapters::gitlab::GitLab;
use crate::adapters::kube::{Allowed, Cluster, Id, Run};
use crate::ci::RunnerId;
use crate::console::actions::{AT_WORK, InCluster, Object, Outcome, PAUSED, Silence, Target, Verb};
use crate::console::fault::{Fault, FaultKind};

/// Who acts, and by what.
pub(in crate::controller) struct Actor<'a> {
    pub fleet: &'a FleetOutside,
    pub gitlab: &'a GitLab,
    pub clock: &'a Arc<dyn Clock>,
    pub who: &'a str,
}

impl Actor<'_> {
    /// Does it, if the configuration lets it be done and it still is as shown.
    pub async fn act(&self, verb: Verb, target: &Target) -> Outcome {
        match (verb, &target.object) {
            (Verb::Pause, Object::Runner(id)) => self.set_runner(true, *id, target).await,
            (Verb::Resume, Object::Runner(id)) => self.set_runner(false, *id, target).await,
            (Verb::Cordon, Object::Node(node)) => self.set_node(true, node).await,
            (Verb::Uncordon, Object::Node(node)) => self.set_node(false, node).await,
            (Verb::Delete, Object::Pod(pod)) => self.delete_pod(pod).await,
            (Verb::Silence, Object::Silence(silence)) => self.silence(silence).await,
            _ => Outcome::Failed { reason: format!("not sent: that is nothing to {}", verb.word()) },
        }
    }

    /// Pauses or resumes a runner, if it still is as shown.
    async fn set_runner(&self, is_paused: bool, id: RunnerId, target: &Target) -> Outcome {
        let gitlab = self.gitlab;
        if !self.fleet.may.runners {
            return off();
        }
        let status = match gitlab.runner(id).await {
            Err(fault) => return unread(&fault),
            Ok(now) => now.is_paused.map(|is_paused| if is_paused { PAUSED } else { AT_WORK }),
        };
        if status != Some(&*target.status) {
            let now = status.unwrap_or("unknown");
            return Outcome::Skipped { reason: format!("changed under you: {} → {now}", target.status) };
        }
        match gitlab.set_paused(id, is_paused).await {
            Ok(now) if now.is_paused == Some(is_paused) => Outcome::Done { new_job: None },
            Ok(_) => Outcome::Uncertain { reason: "GitLab took it, and does not say that it is so".to_owned() },
            Err(fault) if fault.is_uncertain() => match gitlab.runner(id).await {
                Ok(now) if now.is_paused == Some(is_paused) => Outcome::Done { new_job: None },
                Ok(_) => Outcome::Uncertain { reason: format!("{fault}; it has not changed; look again") },
                Err(again) => Outcome::Uncertain { reason: format!("{fault}; and it could not be re-read: {again}") },
            },
            Err(fault) => Outcome::refused(&fault),
        }
    }

    /// Closes a node for new pods, or opens it again.
    async fn set_node(&self, is_closed: bool, node: &InCluster) -> Outcome {
        let Some(allowed) = Allowed::by_configuration(self.fleet.may.nodes) else { return off() };
        let (cluster, id) = match self.cluster().await {
            Ok(cluster) => (cluster, identity(node)),
            Err(fault) => return unread(&fault),
        };
        let change = async |run| {
            if is_closed { cluster.cordon(allowed, &id, run).await } else { cluster.uncordon(allowed, &id, run).await }
        };
        tried(change(Run::Dry).await, async || change(Run::Real).await).await
    }

    /// Deletes a pod. The plan saw that its job is over, and a job that is over stays so.
    async fn delete_pod(&self, pod: &InCluster) -> Outcome {
        let Some(allowed) = Allowed::by_configuration(self.fleet.may.pods) else { return off() };
        let (cluster, id) = match self.cluster().await {
            Ok(cluster) => (cluster, identity(pod)),
            Err(fault) => return unread(&fault),
        };
        let delete = async |run| cluster.delete_pod(allowed, &id, run).await;
        tried(delete(Run::Dry).await, async || delete(Run::Real).await).await
    }

    /// Silences an alert that still fires, by exactly its labels.
    async fn silence(&self, silence: &Silence) -> Outcome {
        let failed = |reason: String| Outcome::Failed { reason };
        if !self.fleet.may.silences {
            return off();
        }
        let Some(alertmanager) = &self.fleet.alertmanager else { return off() };
        let alerts = match alertmanager.alerts().await {
            Ok(alerts) => alerts,
            Err(fault) => return unread(&fault),
        };
        let Some(alert) = alerts.into_iter().find(|alert| *alert.fingerprint == *silence.fingerprint) else {
            return Outcome::Skipped { reason: "changed under you: it no longer fires".to_owned() };
        };
        let now = self.clock.now();
        let labels = alert.labels.into_iter().collect();
        match NewSilence::new(labels, now, Some(silence.until.since(now)), self.who, &silence.why) {
            Err(why) => failed(why.to_string()),
            Ok(new) => match alertmanager.silence(&new).await {
                Ok(_) => Outcome::Done { new_job: None },
                Err(fault) if fault.is_uncertain() => {
                    Outcome::Uncertain { reason: format!("{fault}; look at the silences before you make it again") }
                }
                Err(fault) => Outcome::refused(&fault),
            },
        }
    }

    async fn cluster(&self) -> Result<Cluster, Fault> {
        match &self.fleet.cluster {
            Some(cluster) => Cluster::new(cluster.settings.clone(), Arc::clone(self.clock)).await,
            None => Err(Fault::new(FaultKind::Local, "reach the cluster", "none is configured")),
        }
    }
}

fn identity(thing: &InCluster) -> Id {
    Id { namespace: thing.namespace.to_string(), name: thing.name.to_string(), uid: thing.uid.to_string() }
}

/// Sends for good what went well when it was tried out.
async fn tried<T>(trial: Result<T, Fault>, send: impl AsyncFnOnce() -> Result<T, Fault>) -> Outcome {
    if let Err(fault) = trial {
        return match fault.kind {
            FaultKind::Refused { .. } | FaultKind::NotFound => Outcome::refused(&fault),
            _ => Outcome::Failed { reason: format!("not sent, it was refused when it was tried out: {fault}") },
        };
    }
    match send().await {
        Ok(_) => Outcome::Done { new_job: None },
        Err(fault) if fault.is_uncertain() => {
            Outcome::Uncertain { reason: format!("{fault}; the cluster shows what became of it") }
        }
        Err(fault) => Outcome::refused(&fault),
    }
}

fn unread(fault: &Fault) -> Outcome {
    Outcome::Failed { reason: format!("not sent, could not re-read it: {fault}") }
}

fn off() -> Outcome {
    Outcome::Failed { reason: "not sent: the configuration does not allow it".to_owned() }
}
