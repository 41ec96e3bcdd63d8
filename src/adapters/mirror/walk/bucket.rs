//! Walks through a bucket: several ranges at once, big ones split.

use std::collections::{HashMap, VecDeque};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::{Page, Range, Sink, Walk, end_of};
use crate::adapters::mirror::listed::{Ask, Listed};
use crate::adapters::mirror::reader::Reader;
use crate::adapters::mirror::root::key;
use crate::cache::Gap;

/// A range is split at the earliest when so many of its pages were delivered: one that is small after all costs as many requests as before.
const SPLIT_AFTER: u32 = 2;
/// So deep it is looked for folders at which a range can be split.
const LEVELS: usize = 12;
/// So many empty pages are followed for one that is not.
const EMPTY_PAGES: usize = 100;

/// How a range comes along.
#[derive(Clone, Copy)]
struct Pace {
    pages: u32,
    /// So many pages must have come before it is looked for a split.
    split_at: u32,
}

enum Answer {
    Listed(Listed),
    /// Where the range can be split.
    Ends(Vec<String>),
}

struct Bucket<'a> {
    reader: &'a Reader,
    name: &'a str,
    /// What every key begins with.
    base: String,
}

pub(super) async fn run(reader: &Reader, name: &str, prefix: &str, walk: &mut Walk, sink: &mut Sink<'_>) -> Vec<Gap> {
    let bucket = Bucket { reader, name, base: if prefix.is_empty() { String::new() } else { key(prefix, "") } };
    let skipped = bucket.base.len();
    let at_once = reader.settings.in_flight.max(1);
    let mut gaps = Vec::new();
    let mut paces: HashMap<u64, Pace> = HashMap::new();
    let mut waiting: VecDeque<(u64, bool)> = walk.open().map(|id| (id, false)).collect();
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < at_once
            && let Some((id, splits)) = waiting.pop_front()
        {
            if let Some(range) = walk.range(id).cloned() {
                asked.push(bucket.ask(id, range, splits));
            }
        }
        let Some((id, answer)) = asked.next().await else { return gaps };
        let pace = paces.entry(id).or_insert(Pace { pages: 0, split_at: SPLIT_AFTER });
        match answer {
            Ok(Answer::Listed(listed)) => {
                walk.tell(listed.date, reader.clock.now());
                let Some(range) = walk.range(id) else { continue };
                let end = end_of(range, &listed.rows, skipped);
                let is_more = listed.is_more && end == listed.rows.len();
                let rows = listed.rows.get(..end).unwrap_or_default();
                walk.deliver(id, rows, skipped, is_more);
                if sink(&Page::of(rows, skipped), walk).is_break() {
                    return gaps;
                }
                pace.pages += 1;
                if is_more {
                    let is_idle = waiting.is_empty() && asked.len() + 1 < at_once;
                    waiting.push_back((id, is_idle && pace.pages >= pace.split_at));
                } else {
                    paces.remove(&id);
                }
            }
            Ok(Answer::Ends(ends)) => {
                // No more parts than pages came, or small ranges would be torn to shreds.
                let parts = (at_once - asked.len()).clamp(2, 2 * pace.pages.max(1) as usize);
                let split = walk.split(id, &ends, parts);
                *pace = if split.is_empty() {
                    Pace { split_at: pace.pages.saturating_mul(4), ..*pace }
                } else {
                    Pace { pages: 0, split_at: SPLIT_AFTER }
                };
                waiting.push_back((id, false));
                waiting.extend(split.into_iter().map(|id| (id, false)));
            }
            Err(why) => {
                let place = walk.range(id).map_or("", Range::folder);
                gaps.push(Gap { place: place.into(), why: why.into() });
            }
        }
    }
}

impl Bucket<'_> {
    async fn ask(&self, id: u64, range: Range, splits: bool) -> (u64, Result<Answer, String>) {
        let answer = if splits {
            Box::pin(self.ends(&range)).await.map(Answer::Ends)
        } else {
            Box::pin(self.list(&range)).await.map(Answer::Listed)
        };
        (id, answer)
    }

    /// The next page of a range. It may hold more than the range reaches.
    async fn list(&self, range: &Range) -> Result<Listed, String> {
        let mut ask = self.below(&range.prefix, range.after.as_deref());
        for _ in 0..EMPTY_PAGES {
            let listed = self.page(&ask).await?;
            if !listed.rows.is_empty() || !listed.is_more {
                return Ok(listed);
            }
            if listed.token.is_none() || listed.token == ask.token {
                break;
            }
            ask.token = listed.token;
        }
        Err(format!("{}: the server says that there is more, and does not give it", self.shown(&ask.prefix)))
    }

    /// The folders behind which a range can be split, at the highest level where there are any.
    async fn ends(&self, range: &Range) -> Result<Vec<String>, String> {
        let mut folder = range.folder().to_owned();
        for _ in 0..LEVELS {
            let listed = self.page(&Ask { splits: true, ..self.below(&folder, range.after.as_deref()) }).await?;
            let found = listed.folders.iter().filter_map(|found| found.get(self.base.len()..).map(str::to_owned));
            let found: Vec<String> = found.filter(|end| range.is_inside(end)).collect();
            if !found.is_empty() && found.is_sorted() {
                return Ok(found);
            }
            // All that is left lies where the last key does.
            let left = range.after.as_ref().and_then(|after| after.strip_prefix(&folder));
            let Some((next, _)) = left.and_then(|left| left.split_once('/')) else { break };
            folder = format!("{folder}{next}/");
        }
        Ok(Vec::new())
    }

    fn below(&self, prefix: &str, after: Option<&str>) -> Ask<'_> {
        Ask {
            bucket: self.name,
            prefix: format!("{}{prefix}", self.base),
            after: after.map(|after| format!("{}{after}", self.base)),
            splits: false,
            token: None,
        }
    }

    fn shown(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", self.name)
    }

    async fn page(&self, ask: &Ask<'_>) -> Result<Listed, String> {
        let shown = self.shown(&ask.prefix);
        self.reader.page(&shown, ask).await
    }
}
