//! Many pieces of news as one event: a burst of a watch must not be a burst of frames.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::console::event::Event;
use crate::console::fleet::{Change, News};
use crate::fleet::Uid;

/// News that wait to be gathered; then sources wait.
pub(super) const ROOM: usize = 256;
/// Changes in one event; a long list is several events, so that keys come between them.
pub(super) const MOST: usize = 500;

/// Gathers what comes within a moment, and passes it on.
pub(super) async fn run(mut news: mpsc::Receiver<News>, answers: mpsc::Sender<Event>, moment: Duration) {
    let mut not_before = Instant::now();
    while let Some(first) = news.recv().await {
        let end = not_before.max(Instant::now() + moment / 4);
        let (mut gathered, mut weight) = (Vec::new(), weight(&first));
        gathered.push(first);
        while weight < MOST {
            match timeout_at(end, news.recv()).await {
                Ok(Some(more)) => {
                    weight += self::weight(&more);
                    gathered.push(more);
                }
                Ok(None) | Err(_) => break,
            }
        }
        // A full one need not wait: there is more behind it.
        if weight < MOST {
            sleep_until(end).await;
        }
        not_before = Instant::now() + moment;
        if answers.send(Event::FleetTold(gather(gathered).into())).await.is_err() {
            return;
        }
    }
}

fn weight(news: &News) -> usize {
    match news {
        News::Changed { changes, .. } => changes.len().max(1),
        _ => 1,
    }
}

/// Joins what belongs together, and leaves out what was overtaken.
fn gather(news: Vec<News>) -> Vec<News> {
    let mut out: Vec<News> = Vec::new();
    for one in news {
        match (one, out.last_mut()) {
            (News::Changed { source, changes }, Some(News::Changed { source: last, changes: before }))
                if *last == source =>
            {
                before.extend(changes);
            }
            (News::Seen { source, state }, Some(News::Seen { source: last, state: before })) if *last == source => {
                *before = state;
            }
            (one, _) => out.push(one),
        }
    }
    for one in &mut out {
        if let News::Changed { changes, .. } = one {
            overtaken(changes);
        }
    }
    out
}

/// Drops changes of objects that changed again before the next list.
fn overtaken(changes: &mut Vec<Change>) {
    let mut later: HashSet<Uid> = HashSet::new();
    let mut kept: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes.drain(..).rev() {
        let uid = match &change {
            Change::Put(object) => object.uid().clone(),
            Change::Gone(_, uid) => uid.clone(),
            Change::Listed { .. } | Change::Unreadable(_) => {
                later.clear();
                kept.push(change);
                continue;
            }
        };
        if later.insert(uid) {
            kept.push(change);
        }
    }
    kept.reverse();
    *changes = kept;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::fleet::{Source, SourceState};
    use crate::fleet::{Kind, Object, Phase, Pod};

    fn pod(uid: &str, name: &str) -> Change {
        Change::Put(Object::Pod(Arc::new(Pod::new(uid, name, Phase::Pending))))
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let one = |change: &Change| match change {
            Change::Put(Object::Pod(pod)) => pod.name.to_string(),
            Change::Gone(_, uid) => format!("-{}", uid.0),
            Change::Listed { .. } => "listed".to_owned(),
            other => format!("{other:?}"),
        };
        changes.iter().map(one).collect()
    }

    #[test]
    fn only_the_last_state_of_an_object_is_told_and_never_across_a_list() {
        let gone = Change::Gone(Kind::Pod, Uid("b".into()));
        let list = Change::Listed { seen: Arc::default() };
        let mut changes =
            vec![pod("a", "a1"), pod("b", "b1"), list, pod("a", "a2"), pod("b", "b2"), pod("a", "a3"), gone];
        overtaken(&mut changes);
        assert_eq!(told(&changes), ["a1", "b1", "listed", "a3", "-b"]);
    }

    #[test]
    fn what_one_source_tells_in_a_row_is_one() {
        let changed = |source, uid: &str| News::Changed { source, changes: vec![pod(uid, uid)] };
        let seen = |unreadable| News::Seen {
            source: Source::Pods,
            state: SourceState { unreadable, ..SourceState::default() },
        };
        let news =
            vec![changed(Source::Pods, "a"), changed(Source::Pods, "b"), seen(1), seen(2), changed(Source::Nodes, "c")];
        let joined = gather(news);
        assert_eq!(joined.len(), 3);
        assert!(matches!(&joined[0], News::Changed { changes, .. } if changes.len() == 2));
        assert!(matches!(&joined[1], News::Seen { state, .. } if state.unreadable == 2));
    }

    #[tokio::test]
    async fn a_burst_is_few_events_and_nothing_is_lost() {
        let (out, news) = mpsc::channel(ROOM);
        let (answers, mut events) = mpsc::channel(10_000);
        let moment = Duration::from_millis(50);
        let begun = Instant::now();
        let task = tokio::spawn(run(news, answers, moment));
        for n in 0..MOST - 1 {
            out.send(News::Changed { source: Source::Pods, changes: vec![pod(&n.to_string(), "p")] }).await.unwrap();
        }
        drop(out);
        task.await.unwrap();
        let moments = begun.elapsed().as_secs_f64() / moment.as_secs_f64();
        let (mut count, mut changes) = (0, 0);
        while let Some(Event::FleetTold(news)) = events.recv().await {
            count += 1;
            changes += news.iter().map(weight).sum::<usize>();
        }
        assert_eq!(changes, MOST - 1);
        assert!(f64::from(count) <= moments + 1.0, "{count} events in {moments} moments");
    }
}
