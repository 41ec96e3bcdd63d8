//! Finds out what decisions wait for, until none does.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt, stream};

use super::Outside;
use crate::adapters::git::mirror::{MirrorError, Wanted};
use crate::bridge::{self, Looked, PassInput, PassOutput, Reason, RefReason, StatusHold, Want};
use crate::forge::{BranchName, PrNumber, Sha};

/// A decision wants one thing after the other: how a head lies, then its merge. More rounds than this are a circle.
const ROUNDS: usize = 6;
/// So many processes of git at once.
const AT_ONCE: usize = 4;

/// Decides, looks, and decides again.
pub(super) async fn decide(outside: &Outside, input: &mut PassInput) -> PassOutput {
    // A ref is fetched once in a pass: all decisions are about the same moment.
    let mut fetched: HashMap<Wanted, Result<Sha, MirrorError>> = HashMap::new();
    for _ in 0..ROUNDS {
        let output = input.decide();
        let wants = Wants::of(&output);
        if wants.is_empty() && !forget_lost(outside, input, &output).await {
            return output;
        }
        wants.look(outside, input, &mut fetched).await;
    }
    input.decide()
}

/// Whether something was decided that this mirror cannot push: merges that were made in another one, or so long ago that they are packed away. They
/// are known no longer, and made again.
async fn forget_lost(outside: &Outside, input: &mut PassInput, output: &PassOutput) -> bool {
    let commits: Vec<&Sha> = output.prs.iter().filter_map(|one| Some(&one.update.as_ref()?.commit)).collect();
    let lost = outside.mirror.lacking(&commits).await.unwrap_or_else(|error| {
        // The push will tell.
        tracing::warn!(%error, "whether all is here that is to be pushed is not known");
        Vec::new()
    });
    let is_lost = |one: &&bridge::PrDecision| one.update.as_ref().is_some_and(|update| lost.contains(&&update.commit));
    let prs: BTreeSet<PrNumber> = output.prs.iter().filter(is_lost).map(|one| one.pr).collect();
    for one in input.prs.iter_mut().filter(|one| prs.contains(&one.pr.number)) {
        one.merge = Looked::NotYet;
        one.test_merge = Looked::NotYet;
    }
    !prs.is_empty()
}

/// What one round asks for.
struct Wants {
    prs: Vec<(PrNumber, Want)>,
    /// Branches, with where they are on GitLab and where on GitHub.
    branches: Vec<(BranchName, Sha, Sha)>,
    subjects: Vec<Sha>,
}

/// What was found about a pull request.
enum Fact {
    Ancestry(Looked<bridge::Ancestry>),
    Merge(Looked<bridge::Merge>),
    TestMerge(Looked<bridge::TestMerge>),
}

impl Wants {
    fn of(output: &PassOutput) -> Self {
        let of_pr = |one: &bridge::PrDecision| match &one.reason {
            Reason::Look(want) => Some((one.pr, want.clone())),
            _ => None,
        };
        let of_branch = |one: &bridge::RefDecision| match &one.reason {
            RefReason::Look(Want::FastForward { old, new }) => {
                Some((BranchName::parse(&one.name).ok()?, old.clone(), new.clone()))
            }
            _ => None,
        };
        let held = output.statuses.held.iter().filter(|held| held.why == StatusHold::Look);
        Self {
            prs: output.prs.iter().filter_map(of_pr).collect(),
            branches: output.branches.iter().filter_map(of_branch).collect(),
            subjects: held.map(|held| held.sha.clone()).collect(),
        }
    }

    const fn is_empty(&self) -> bool {
        self.prs.is_empty() && self.branches.is_empty() && self.subjects.is_empty()
    }

    /// The refs that have to be here for it.
    fn refs(&self, main: Option<&BranchName>) -> BTreeSet<Wanted> {
        let mut refs: BTreeSet<Wanted> = self.branches.iter().map(|(name, ..)| Wanted::Branch(name.clone())).collect();
        for (pr, want) in &self.prs {
            match want {
                Want::Ancestry { .. } | Want::Merge { .. } => {
                    refs.insert(Wanted::PrHead(*pr));
                    refs.extend(main.cloned().map(Wanted::Branch));
                }
                Want::TestMerge { .. } => drop(refs.insert(Wanted::TestMerge(*pr))),
                Want::FastForward { .. } => {}
            }
        }
        refs
    }

    async fn look(
        self,
        outside: &Outside,
        input: &mut PassInput,
        fetched: &mut HashMap<Wanted, Result<Sha, MirrorError>>,
    ) {
        let main = input.rules.main.clone();
        let missing: Vec<Wanted> =
            self.refs(main.as_ref()).into_iter().filter(|one| !fetched.contains_key(one)).collect();
        if !missing.is_empty() {
            fetched.extend(outside.mirror.fetch(missing).await);
        }
        let of = |wanted: &Wanted| {
            fetched.get(wanted).cloned().unwrap_or_else(|| {
                Err(MirrorError::Garbled {
                    doing: format!("fetch {wanted}"),
                    what: "nothing was said of it".to_owned(),
                })
            })
        };
        let main = main.as_ref();
        let facts: Vec<(PrNumber, Fact)> = stream::iter(self.prs)
            .map(|(pr, want)| async move { Some((pr, fact(outside, pr, want, main, &of).await?)) })
            .buffered(AT_ONCE)
            .filter_map(|found| async { found })
            .collect()
            .await;
        let mut places: HashMap<PrNumber, usize> = HashMap::new();
        for (at, one) in input.prs.iter().enumerate() {
            places.insert(one.pr.number, at);
        }
        for (pr, fact) in facts {
            let Some(one) = places.get(&pr).and_then(|at| input.prs.get_mut(*at)) else { continue };
            match fact {
                Fact::Ancestry(found) => one.ancestry = found,
                Fact::Merge(found) => one.merge = found,
                Fact::TestMerge(found) => one.test_merge = found,
            }
        }
        for (name, old, new) in self.branches {
            let found = match of(&Wanted::Branch(name.clone())) {
                Ok(_) => outside.mirror.is_ahead(&old, &new).await,
                Err(error) => Err(error),
            };
            if let Some(one) = input.branches.iter_mut().find(|one| *one.name == *name.as_str()) {
                one.is_ahead = looked(found);
            }
        }
        if !self.subjects.is_empty() {
            let subjects = outside.mirror.subjects(&self.subjects).await;
            if let Looked::Found(pipelines) = &mut input.pipelines {
                for seen in pipelines.iter_mut().filter(|seen| seen.subject == Looked::NotYet) {
                    if let Some(found) = subjects.get(&seen.sha) {
                        seen.subject = looked(found.clone());
                    }
                }
            }
        }
    }
}

async fn fact(
    outside: &Outside,
    pr: PrNumber,
    want: Want,
    main: Option<&BranchName>,
    of: &impl Fn(&Wanted) -> Result<Sha, MirrorError>,
) -> Option<Fact> {
    let mirror = &outside.mirror;
    Some(match want {
        Want::Ancestry { head, onto } => {
            Fact::Ancestry(looked(match (of(&Wanted::PrHead(pr)), of(&Wanted::Branch(main?.clone()))) {
                (Ok(fetched), Ok(_)) => mirror.ancestry(&head, &fetched, &onto, main?).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            }))
        }
        Want::Merge { head, onto } => Fact::Merge(looked(match of(&Wanted::PrHead(pr)) {
            Ok(_) => mirror.merge(&head, &onto).await,
            Err(error) => Err(error),
        })),
        Want::TestMerge { commit } => Fact::TestMerge(looked(match of(&Wanted::TestMerge(pr)) {
            Ok(fetched) => mirror.test_merge(&commit, &fetched).await,
            Err(error) => Err(error),
        })),
        Want::FastForward { .. } => return None,
    })
}

fn looked<T>(found: Result<T, MirrorError>) -> Looked<T> {
    found.map_or_else(|error| Looked::Failed((&error).into()), Looked::Found)
}
