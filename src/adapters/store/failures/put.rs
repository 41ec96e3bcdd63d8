//! Writing failures, and how later tries ended.

use std::collections::BTreeMap;

use crate::adapters::store::sql::{Builder, pieces, query};
use crate::adapters::store::{Store, StoreError};
use crate::ci::FailureReason;
use crate::console::failures::LaterTry;
use crate::taxonomy::Failure;

/// Rows per statement: passing a statement on costs about as much as writing a row.
const AT_ONCE: usize = 32;

const PUT: &str = "INSERT INTO failures (job, at, pipeline, class, fingerprint, rule, owner, transient, confidence, \
     package, hash, compiler, stack, git_ref, sha, runner, host, failure_reason, exit_code, line, rules, name, \
     template, evidence, later) ";

/// All but `later`, which the table keeps by itself.
const JUDGED_AGAIN: &str = " ON CONFLICT (job) DO UPDATE SET at = excluded.at, pipeline = excluded.pipeline, \
     class = excluded.class, fingerprint = excluded.fingerprint, rule = excluded.rule, owner = excluded.owner, \
     transient = excluded.transient, confidence = excluded.confidence, package = excluded.package, \
     hash = excluded.hash, compiler = excluded.compiler, stack = excluded.stack, git_ref = excluded.git_ref, \
     sha = excluded.sha, runner = excluded.runner, host = excluded.host, failure_reason = excluded.failure_reason, \
     exit_code = excluded.exit_code, line = excluded.line, rules = excluded.rules, name = excluded.name, \
     template = excluded.template, evidence = excluded.evidence";

const PUT_SEEN: &str = "INSERT INTO first_seen (kind, key, first, last, template) ";

/// The newest template stays: with one algorithm, equal fingerprints have equal templates.
const SEEN_AGAIN: &str = " ON CONFLICT (kind, key) DO UPDATE SET \
     first = CASE WHEN excluded.first < first_seen.first THEN excluded.first ELSE first_seen.first END, \
     last = CASE WHEN excluded.last > first_seen.last THEN excluded.last ELSE first_seen.last END, \
     template = coalesce(excluded.template, first_seen.template)";

/// What is unknown never replaces what is known, and what was seen earlier never what was seen later.
const PUT_TRY: &str = "INSERT INTO later_tries (job, ended, at) VALUES (?, ?, ?) \
     ON CONFLICT (job) DO UPDATE SET ended = excluded.ended, at = excluded.at \
     WHERE later_tries.ended = 'unknown' OR (excluded.ended <> 'unknown' AND excluded.at >= later_tries.at)";

/// First and last failure of a class or signature in one batch, and what it looks like.
type Span<'a> = (i64, i64, Option<&'a str>);

impl Store {
    /// Remembers failures, all or none. A job that is known gets the new verdict; since when its class and signature
    /// are known only ever moves back.
    pub async fn put_failures(&self, failures: &[Failure]) -> Result<(), StoreError> {
        if failures.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut transaction = self.db.begin().await?;
            for some in pieces(failures, AT_ONCE, |failure| failure.job) {
                put(some).build().persistent(some.len() == AT_ONCE).execute(&mut transaction).await?;
            }
            let spans: Vec<_> = spans(failures).into_iter().collect();
            for some in spans.chunks(AT_ONCE) {
                put_seen(some).build().persistent(some.len() == AT_ONCE).execute(&mut transaction).await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// Remembers how later tries of failed jobs ended. The failures may become known afterwards.
    pub async fn put_later_tries(&self, tries: &[LaterTry]) -> Result<(), StoreError> {
        if tries.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut transaction = self.db.begin().await?;
            for later in tries {
                query(PUT_TRY)
                    .bind(later.job.0.cast_signed())
                    .bind(later.ended.word())
                    .bind(later.at.millis())
                    .execute(&mut transaction)
                    .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }
}

fn put(failures: &[Failure]) -> Builder<'_> {
    let mut query = Builder::new(PUT);
    query.push_values(failures, |mut row, failure| {
        row.push_bind(failure.job.0.cast_signed())
            .push_bind(failure.at.millis())
            .push_bind(failure.pipeline.0.cast_signed())
            .push_bind(&*failure.class)
            .push_bind(failure.fingerprint.as_deref())
            .push_bind(failure.rule.as_deref())
            .push_bind(failure.owner.as_str())
            .push_bind(failure.transient.as_str())
            .push_bind(i64::from(failure.confidence))
            .push_bind(failure.package.as_deref())
            .push_bind(failure.hash.as_deref())
            .push_bind(failure.compiler.as_deref())
            .push_bind(failure.stack.as_deref())
            .push_bind(&*failure.git_ref)
            .push_bind(failure.sha.as_deref())
            .push_bind(failure.runner.as_deref())
            .push_bind(failure.host.as_deref())
            .push_bind(failure.failure_reason.as_ref().map(FailureReason::as_str))
            .push_bind(failure.exit_code)
            .push_bind(failure.line.map(u64::cast_signed))
            .push_bind(&*failure.rules)
            .push_bind(&*failure.name)
            .push_bind(failure.template.as_deref())
            .push_bind(failure.evidence.as_deref())
            .push_around("(SELECT ended FROM later_tries WHERE job = ", failure.job.0.cast_signed(), ")");
    });
    query.push(JUDGED_AGAIN);
    query
}

fn put_seen<'q>(spans: &[((&'static str, &'q str), Span<'q>)]) -> Builder<'q> {
    let mut query = Builder::new(PUT_SEEN);
    query.push_values(spans, |mut row, ((kind, key), (first, last, template))| {
        row.push_bind(*kind).push_bind(*key).push_bind(*first).push_bind(*last).push_bind(*template);
    });
    query.push(SEEN_AGAIN);
    query
}

/// Each class and signature once, so that a thousand equal failures cost one row here.
fn spans(failures: &[Failure]) -> BTreeMap<(&'static str, &str), Span<'_>> {
    let mut spans: BTreeMap<(&'static str, &str), Span<'_>> = BTreeMap::new();
    for failure in failures {
        let at = failure.at.millis();
        let signature = failure.fingerprint.as_deref().map(|key| ("signature", key, failure.template.as_deref()));
        for (kind, key, template) in [Some(("class", &*failure.class, None)), signature].into_iter().flatten() {
            let span = spans.entry((kind, key)).or_insert((at, at, None));
            *span = (span.0.min(at), span.1.max(at), template.or(span.2));
        }
    }
    spans
}
