//! Strings that come again and again (stages, tags, runners), kept once each, so that 5,000 jobs stay small.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::ci::{RunnerId, RunnerRef};

/// The most words of one kind; a GitLab that sends more of them sends noise, and the set starts anew.
const MOST: usize = 8192;

/// The words seen so far.
#[derive(Default)]
pub(super) struct Words {
    single: HashSet<Arc<str>>,
    tags: HashSet<Arc<[Arc<str>]>>,
    runners: HashSet<Arc<RunnerRef>>,
}

impl Words {
    /// The one copy of a word.
    pub fn word(&mut self, text: &str) -> Arc<str> {
        self.single.get(text).cloned().unwrap_or_else(|| keep(&mut self.single, Arc::from(text)))
    }

    /// The one copy of a list of tags.
    pub fn tags<'t>(&mut self, tags: impl IntoIterator<Item = &'t str>) -> Arc<[Arc<str>]> {
        let list: Vec<_> = tags.into_iter().map(|tag| self.word(tag)).collect();
        self.tags.get(list.as_slice()).cloned().unwrap_or_else(|| keep(&mut self.tags, Arc::from(list)))
    }

    /// The one copy of a runner.
    pub fn runner(&mut self, id: RunnerId, description: &str) -> Arc<RunnerRef> {
        let runner = RunnerRef { id, description: self.word(description) };
        self.runners.get(&runner).cloned().unwrap_or_else(|| keep(&mut self.runners, Arc::new(runner)))
    }
}

fn keep<T: Eq + Hash + Clone>(set: &mut HashSet<T>, item: T) -> T {
    if set.len() >= MOST {
        set.clear();
    }
    set.insert(item.clone());
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_copy_each_and_never_too_many() {
        let mut words = Words::default();
        assert!(Arc::ptr_eq(&words.tags(["spack", "large"]), &words.tags(["spack", "large"])));
        assert!(Arc::ptr_eq(&words.runner(RunnerId(3), "runner-a"), &words.runner(RunnerId(3), "runner-a")));
        assert_ne!(words.runner(RunnerId(3), "runner-a"), words.runner(RunnerId(4), "runner-a"));
        for i in 0..3 * MOST {
            words.word(&format!("noise-{i}"));
        }
        assert!(words.single.len() <= MOST);
    }
}
