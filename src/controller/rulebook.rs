//! The rules that a core judges by: read when they are first needed, and again when somebody changed them. A bad file leaves what was there.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::console::fault::{Fault, FaultKind};
use crate::taxonomy::{Compiled, Draft};

/// What a reading came to. The error names file, line and remedy.
pub type ReadRules = Result<Arc<Compiled>, String>;

type Save = dyn Fn(&Draft) -> Result<String, String> + Send + Sync;

/// The rules, and how they are read.
pub struct Rulebook {
    read: Box<dyn Fn() -> ReadRules + Send + Sync>,
    save: Box<Save>,
    now: Mutex<Held>,
}

/// The rules that judge.
#[derive(Default)]
struct Held {
    /// `None`: nobody has needed them, or they were never good.
    rules: Option<Arc<Compiled>>,
    /// A reading of them found a fault, and nobody has been told yet that it is mended.
    is_faulty: bool,
}

impl Rulebook {
    /// Rules that nobody has needed yet. `save` adds one to the user's own and tells where that was.
    pub fn new(
        read: impl Fn() -> ReadRules + Send + Sync + 'static,
        save: impl Fn(&Draft) -> Result<String, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { read: Box::new(read), save: Box::new(save), now: Mutex::default() })
    }

    /// Adds a rule to the user's own and judges by it from now on. Tells where it was saved.
    pub async fn add(self: &Arc<Self>, draft: Arc<Draft>) -> Result<(String, Arc<Compiled>), Fault> {
        let book = Arc::clone(self);
        let fault = |detail: String| Fault::new(FaultKind::Local, "save the rule", detail);
        let saved = tokio::task::spawn_blocking(move || (book.save)(&draft)).await;
        let place = saved.map_err(|error| fault(error.to_string()))?.map_err(fault)?;
        let mut now = self.now.lock().await;
        let rules = self.fresh().await?;
        *now = Held { rules: Some(Arc::clone(&rules)), is_faulty: false };
        Ok((place, rules))
    }

    /// The rules, read by now. That a fault is mended is left for [`Self::reread`] to tell.
    pub async fn get(self: &Arc<Self>) -> Result<Arc<Compiled>, Fault> {
        let mut now = self.now.lock().await;
        if let Some(rules) = &now.rules {
            return Ok(Arc::clone(rules));
        }
        let rules = self.fresh().await;
        now.rules = rules.as_ref().ok().map(Arc::clone);
        now.is_faulty |= rules.is_err();
        rules
    }

    /// Reads them again. `None` when they are what they were, and were good; a fault changes nothing.
    pub async fn reread(self: &Arc<Self>) -> Result<Option<Arc<Compiled>>, Fault> {
        let mut now = self.now.lock().await;
        let rules = match self.fresh().await {
            Ok(rules) => rules,
            Err(fault) => {
                now.is_faulty = true;
                let judging = if now.rules.is_some() { "the rules before it still judge" } else { "nothing is judged" };
                return Err(Fault { detail: format!("{}; {judging} until it is mended", fault.detail), ..fault });
            }
        };
        let is_same = now.rules.as_ref().is_some_and(|held| held.rules().hash == rules.rules().hash);
        let is_news = !is_same || now.is_faulty;
        *now = Held { rules: Some(Arc::clone(&rules)), is_faulty: false };
        Ok(is_news.then_some(rules))
    }

    /// Compiling some hundred patterns takes a moment that no other task should wait for.
    async fn fresh(self: &Arc<Self>) -> Result<Arc<Compiled>, Fault> {
        let book = Arc::clone(self);
        let fault = |detail: String| Fault::new(FaultKind::Local, "read the rules", detail);
        let read = tokio::task::spawn_blocking(move || (book.read)()).await;
        read.map_err(|error| fault(error.to_string()))?.map_err(fault)
    }
}

impl std::fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rulebook").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::taxonomy::load_shipped;

    #[tokio::test]
    async fn a_mended_fault_is_told_though_a_judge_met_the_good_rules_first() {
        let good = Compiled::of(&load_shipped().unwrap()).map(Arc::new).unwrap();
        let is_good = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_good);
        let read = move || mended.load(Ordering::Relaxed).then(|| Arc::clone(&good)).ok_or_else(|| "bad".to_owned());
        let book = Rulebook::new(read, |_| Err("nothing is saved here".to_owned()));
        book.get().await.unwrap_err();
        is_good.store(true, Ordering::Relaxed);
        book.get().await.unwrap();
        assert!(book.reread().await.unwrap().is_some());
        assert!(book.reread().await.unwrap().is_none(), "told once");
    }
}
