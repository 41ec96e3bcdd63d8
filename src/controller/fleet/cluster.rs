//! The cluster: one watch for each kind, read into objects before anybody else sees them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use super::batch::MOST;
use super::follower::Teller;
use super::{ClusterOutside, Pace, Unheard};
use crate::adapters::clock::Clock;
use crate::adapters::kube::{self, Cluster, State, Update};
use crate::console::fleet::{Change, News, Phase, Source};
use crate::fleet::{Kind, Object, Uid};

/// Updates of one watch that wait to be read.
const ROOM: usize = 256;

/// The types of machines that are there: what prices are asked for.
pub(super) type Types = watch::Sender<BTreeSet<Arc<str>>>;

/// Sets up access, and follows each source until nobody listens.
pub(super) async fn follow(
    outside: ClusterOutside,
    tellers: Vec<Teller>,
    clock: Arc<dyn Clock>,
    types: Arc<Types>,
    pace: Pace,
) -> Result<(), Unheard> {
    let cluster = loop {
        match Cluster::new(outside.settings.clone(), Arc::clone(&clock)).await {
            Ok(cluster) => break cluster,
            Err(fault) => {
                for teller in &tellers {
                    teller.failed(fault.clone()).await?;
                }
                sleep(pace.again).await;
            }
        }
    };
    let mut watches = JoinSet::new();
    for teller in tellers {
        let kind = match teller.source() {
            Source::Nodes => kube::Kind::Nodes,
            Source::Events => kube::Kind::Events,
            Source::Claims => kube::Kind::NodeClaims,
            Source::Pools => kube::Kind::NodePools,
            Source::Managers => kube::Kind::Pods { namespace: outside.manager_namespace.clone(), labels: None },
            _ => kube::Kind::Pods { namespace: outside.namespace.clone(), labels: None },
        };
        let (cluster, types) = (cluster.clone(), Arc::clone(&types));
        watches.spawn(async move {
            let (out, updates) = mpsc::channel(ROOM);
            let reader = Watched { teller, types, unreadable: HashSet::new() };
            let watch = async { cluster.follow(kind, out).await };
            // When nobody listens the reader ends, and with its end of the channel the watch.
            let ((), heard) = tokio::join!(watch, reader.run(updates));
            heard
        });
    }
    while let Some(ended) = watches.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(Unheard)) => return Err(Unheard),
            // The supervisor begins all of them anew.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(Unheard),
        }
    }
    Ok(())
}

/// What a watch tells, and what of it cannot be used.
struct Watched {
    teller: Teller,
    types: Arc<Types>,
    unreadable: HashSet<Uid>,
}

impl Watched {
    async fn run(mut self, mut updates: mpsc::Receiver<Update>) -> Result<(), Unheard> {
        let Some(kind) = self.teller.source().kind() else { return Ok(()) };
        while let Some(update) = updates.recv().await {
            match update {
                Update::Change(kube::Change::Reset(objects)) => self.reset(kind, objects).await?,
                Update::Change(kube::Change::Applied(object)) => {
                    let was_whole = self.unreadable.is_empty();
                    let mut changes: Vec<Change> = self.read(kind, &object).into_iter().collect();
                    self.wholeness(was_whole, &mut changes);
                    self.changed(changes).await?;
                }
                Update::Change(kube::Change::Deleted { id, .. }) => {
                    let was_whole = self.unreadable.is_empty();
                    let uid = Uid(id.uid.as_str().into());
                    self.unreadable.remove(&uid);
                    let mut changes = vec![Change::Gone(kind, uid)];
                    self.wholeness(was_whole, &mut changes);
                    self.changed(changes).await?;
                }
                Update::State(state) => self.fares(state).await?,
            }
        }
        Ok(())
    }

    /// A whole list, in pieces; only at its end it is known what is gone.
    async fn reset(&mut self, kind: Kind, objects: Vec<kube::Object>) -> Result<(), Unheard> {
        self.unreadable.clear();
        let mut seen = HashSet::with_capacity(objects.len());
        let mut objects = objects.into_iter();
        loop {
            let mut changes = Vec::new();
            for object in objects.by_ref().take(MOST) {
                seen.insert(Uid(object.id.uid.as_str().into()));
                changes.extend(self.read(kind, &object));
            }
            if changes.is_empty() && objects.len() == 0 {
                break;
            }
            self.changed(changes).await?;
            yield_now().await;
        }
        let is_whole = self.unreadable.is_empty();
        self.changed(vec![Change::Listed { seen: Arc::new(seen) }, Change::Unreadable(!is_whole)]).await
    }

    /// Reads one object. One that cannot be used stays as it was known before, and nothing counts as absent meanwhile.
    fn read(&mut self, kind: Kind, object: &kube::Object) -> Option<Change> {
        let uid = Uid(object.id.uid.as_str().into());
        match Object::read(kind, &object.json()) {
            Ok(read) => {
                self.unreadable.remove(&uid);
                let machine = match &read {
                    Object::Node(node) => node.instance_type(),
                    Object::Claim(claim) => claim.instance_type.as_ref(),
                    _ => None,
                };
                if let Some(machine) = machine {
                    self.types.send_if_modified(|types| types.insert(machine.clone()));
                }
                Some(Change::Put(read))
            }
            Err(error) => {
                tracing::debug!(%error, "an object of the cluster was left out");
                self.unreadable.insert(uid);
                None
            }
        }
    }

    fn wholeness(&self, was_whole: bool, changes: &mut Vec<Change>) {
        let is_whole = self.unreadable.is_empty();
        if is_whole != was_whole {
            changes.push(Change::Unreadable(!is_whole));
        }
    }

    async fn changed(&self, changes: Vec<Change>) -> Result<(), Unheard> {
        if changes.is_empty() {
            return Ok(());
        }
        self.teller.say(News::Changed { source: self.teller.source(), changes }).await
    }

    async fn fares(&self, told: State) -> Result<(), Unheard> {
        let (phase, fault) = match told.phase {
            kube::Phase::Starting => (Phase::Starting, None),
            kube::Phase::Live { .. } => (Phase::Live, None),
            kube::Phase::Stale { fault, .. } => (Phase::Stale, Some(fault)),
            kube::Phase::Denied { right, fault, .. } => (Phase::Denied { right }, Some(fault)),
            kube::Phase::Absent { .. } => (Phase::Absent, None),
        };
        let unreadable = self.unreadable.len();
        self.teller
            .fares(|state| {
                (state.phase, state.heard, state.fault) = (phase, told.heard, fault);
                state.unreadable = unreadable;
            })
            .await
    }
}
