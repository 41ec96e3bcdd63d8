//! What commits on GitLab say that nobody here remembers: single commits without history or files, in a repository of their own.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::MirrorError;
use super::objects::Commit;
use super::open::Mirror;
use super::program::{Run, Said};
use super::settings::Side;
use crate::forge::Sha;

/// The subject of each commit; `None` where it has none that is UTF-8.
pub type Subjects = HashMap<Sha, Result<Option<Arc<str>>, MirrorError>>;

impl Mirror {
    /// Reads the subjects of commits of GitLab: from here where they are, else from GitLab, all in one request.
    pub async fn subjects(&self, commits: &[Sha]) -> Subjects {
        let mut known = Subjects::new();
        for in_subjects in [false, true] {
            let open: Vec<&Sha> = commits.iter().filter(|one| !known.contains_key(*one)).collect();
            match self.commits(&open, in_subjects).await {
                Ok(found) => known.extend(found.into_iter().map(|(sha, commit)| (sha, subject(commit)))),
                Err(error) => known.extend(open.into_iter().map(|sha| (sha.clone(), Err(error.clone())))),
            }
        }
        let mut groups: Vec<Vec<&Sha>> = vec![commits.iter().filter(|one| !known.contains_key(*one)).collect()];
        while let Some(mut group) = groups.pop().filter(|group| !group.is_empty()) {
            let error = match self.bring_commits(&group).await {
                Ok(()) => match self.commits(&group, true).await {
                    Ok(mut found) => {
                        for sha in group {
                            let missing = || Err(MirrorError::Missing(sha.clone()));
                            known.insert(sha.clone(), found.remove(sha).map_or_else(missing, subject));
                        }
                        continue;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let named = match &error {
                MirrorError::NoRef { name, .. } => group.iter().position(|sha| sha.as_str() == name),
                _ => None,
            };
            if let Some(at) = named {
                known.insert(group.swap_remove(at).clone(), Err(error));
                groups.push(group);
            } else if group.len() > 1 && !error.is_about_all() {
                let second = group.split_off(group.len() / 2);
                groups.extend([second, group]);
            } else {
                known.extend(group.into_iter().map(|sha| (sha.clone(), Err(error.clone()))));
            }
        }
        known
    }

    async fn bring_commits(&self, commits: &[&Sha]) -> Result<(), MirrorError> {
        let doing = "read commits of GitLab";
        // Where GitLab allows no filter it says so and sends the files too: of one commit each.
        let options = [
            "fetch",
            "--quiet",
            "--depth=1",
            "--filter=tree:0",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            Side::GitLab.remote(),
        ];
        let arguments: Vec<&str> = options.into_iter().chain(commits.iter().map(|sha| sha.as_str())).collect();
        let deadline = self.git.settings.deadlines.fetch;
        let run = Run { doing, arguments: &arguments, environment: &[], input: None, deadline, in_subjects: true };
        let judge = |said: &Said| match said.code {
            Some(0) => Ok(()),
            code => Err(MirrorError::of_remote(Side::GitLab, doing, code, &said.complaint)),
        };
        self.git.remote(Side::GitLab, run, judge).await
    }
}

fn subject(commit: Result<Commit, MirrorError>) -> Result<Option<Arc<str>>, MirrorError> {
    Ok(commit?.subject.map(Arc::from))
}
