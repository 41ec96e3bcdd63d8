//! Failures in groups: what the Errors screen shows.
//!
//! Rows are counted here and not by SQL: several groupings, with the places where most of their failures are, come from
//! one pass over an index in the order of time, where SQL would sort the range once for each. Databases hand rows over as
//! JSON, many at once, because one by one they cost ten times more to pass on than to find.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tally::{Known, Row, TEXTS, Tally};
use crate::adapters::store::sql::{Builder, Tx, query_scalar};
use crate::adapters::store::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;
use crate::console::failures::{By, Group};
use serde::Deserialize;

/// How many rows are handed over at once.
const ROWS_AT_ONCE: u32 = 16_384;

/// How a database hands rows over as one JSON.
struct Words {
    row: &'static str,
    all: &'static str,
}

const SQLITE: Words = Words { row: "json_array(", all: "json_group_array(" };
/// Without rows there is no list at all.
const POSTGRES: Words = Words { row: "json_build_array(", all: "json_agg(" };

impl Store {
    /// Groups the failures of a range of time, its end excluded, in one or several ways; the answers come in the order
    /// of `by`, the greatest group first. Those that failed at `new_since` or later are counted as new.
    pub async fn grouped(
        &self,
        by: &[By],
        range: Range<Timestamp>,
        new_since: Timestamp,
    ) -> Result<Vec<Vec<Group>>, StoreError> {
        let read = async {
            // All pages, and what is known since when, as of one moment.
            let mut transaction = self.db.begin_reading().await?;
            let words = if self.db.is_postgres() { &POSTGRES } else { &SQLITE };
            let others: BTreeSet<&'static str> = by.iter().filter_map(|by| column(*by)).collect();
            let mut tally = Tally::new(new_since);
            let mut after = (range.start.millis(), None);
            loop {
                let page = page(words, &others, after, range.end).build_query_scalar();
                let json: String = page.fetch_one(&mut transaction).await?;
                let rows: Vec<Row<'_>> = parsed(&json)?;
                for row in &rows {
                    tally.add(row);
                }
                match rows.last() {
                    Some(last) if rows.len() >= ROWS_AT_ONCE as usize => after = (last.at, Some(last.job)),
                    _ => break,
                }
            }
            let mut answers = Vec::with_capacity(by.len());
            for by in by {
                let place = TEXTS + column(*by).map_or(0, |column| others.range(..column).count());
                let json = known(words, &mut transaction, *by, &range).await?;
                answers.push(tally.groups(*by, place, &parsed::<Known<'_>>(&json)?));
            }
            transaction.commit().await?;
            Ok(answers)
        };
        read.await.map_err(|error| self.failed(error))
    }
}

/// The column that has to be read for a grouping; `None` when every row has it.
fn column(by: By) -> Option<&'static str> {
    match by {
        By::Class | By::Signature | By::Stack | By::Runner => None,
        By::Rule => Some("rule"),
        By::Owner => Some("owner"),
        By::Host => Some("host"),
        By::Package => Some("package"),
        By::Compiler => Some("compiler"),
        By::GitRef => Some("git_ref"),
    }
}

/// The rows after one, in the order of time.
fn page(words: &Words, others: &BTreeSet<&'static str>, after: (i64, Option<i64>), end: Timestamp) -> Builder<'static> {
    let others: String = others.iter().flat_map(|column| [", ", column]).collect();
    let Words { row, all } = words;
    let mut query = Builder::new(format!(
        "SELECT CAST(coalesce({all}{row}at, job, later, {row}class, fingerprint, stack, runner{others}))), '[]') AS TEXT)"
    ));
    query.push(" FROM (SELECT at, job, later, class, fingerprint, stack, runner").push(&others);
    query.push(" FROM failures WHERE at >= ").push_bind(after.0).push(" AND at < ").push_bind(end.millis());
    if let Some(job) = after.1 {
        query.push(" AND (at > ").push_bind(after.0).push(" OR job > ").push_bind(job).push(")");
    }
    query.push(" ORDER BY at, job LIMIT ").push_bind(ROWS_AT_ONCE).push(") AS piece");
    query
}

/// Since when the keys of a grouping are known, as far as that is remembered.
async fn known(words: &Words, transaction: &mut Tx, by: By, range: &Range<Timestamp>) -> Result<String, StoreFault> {
    let kind = match by {
        By::Class => "class",
        By::Signature => "signature",
        _ => return Ok("[]".to_owned()),
    };
    let bounds = (range.start.millis(), range.end.millis());
    let Words { row, all } = words;
    // Those that came and went outside of the range are not asked for.
    let known = format!(
        "SELECT CAST(coalesce({all}{row}key, first, template)), '[]') AS TEXT) FROM first_seen \
         WHERE kind = ? AND last >= ? AND first < ?"
    );
    query_scalar(known).bind(kind).bind(bounds.0).bind(bounds.1).fetch_one(transaction).await
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, StoreFault> {
    serde_json::from_str(json).map_err(StoreFault::garbled)
}
