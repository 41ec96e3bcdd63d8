//! Reading failures one by one, and what has become of them.

use std::collections::BTreeMap;
use std::num::TryFromIntError;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::adapters::store::sql::{Builder, Row, query_as};
use crate::adapters::store::{Store, StoreError, StoreFault};
use crate::ci::{FailureReason, JobId, PipelineId, Timestamp};
use crate::console::failures::{DayCount, FailureFilter, Kind, Piece, Retries, Seen};
use crate::taxonomy::Failure;
use crate::taxonomy::judge::Success;

/// How many values one statement asks for: far below what SQLite binds at most.
const ASKED_AT_ONCE: usize = 500;

/// Job, pipeline, time, name, hash, commit.
type Inputs = (i64, i64, i64, String, Option<String>, Option<String>);

impl Store {
    /// Failures of a range of time, its end excluded, newest first.
    pub async fn failures_since(
        &self,
        range: Range<Timestamp>,
        filter: &FailureFilter,
        piece: Piece,
    ) -> Result<Vec<Failure>, StoreError> {
        let mut query = Builder::new("SELECT * FROM failures WHERE at >= ");
        query.push_bind(range.start.millis()).push(" AND at < ").push_bind(range.end.millis());
        for (column, wanted) in [
            (" AND class = ", &filter.class),
            (" AND fingerprint = ", &filter.fingerprint),
            (" AND rule = ", &filter.rule),
            (" AND package = ", &filter.package),
            (" AND stack = ", &filter.stack),
            (" AND runner = ", &filter.runner),
            (" AND host = ", &filter.host),
            (" AND git_ref = ", &filter.git_ref),
        ] {
            if let Some(wanted) = wanted {
                query.push(column).push_bind(&**wanted);
            }
        }
        if let Some(pipeline) = filter.pipeline {
            query.push(" AND pipeline = ").push_bind(pipeline.0.cast_signed());
        }
        if let Some((at, job)) = piece.after {
            query.push(" AND (at, job) < (").push_bind(at.millis());
            query.push(", ").push_bind(job.0.cast_signed()).push(")");
        }
        query.push(" ORDER BY at DESC, job DESC LIMIT ").push_bind(piece.limit);
        let rows = query.build().fetch_all(&self.db).await;
        rows.and_then(|rows| rows.iter().map(failure).collect()).map_err(|error| self.failed(error))
    }

    /// Which of these jobs are known as failed, and by which rule set each was judged. The others' logs have still to
    /// be read.
    pub async fn judged(&self, jobs: &[JobId]) -> Result<BTreeMap<JobId, Arc<str>>, StoreError> {
        let read = async {
            let mut judged = BTreeMap::new();
            for some in jobs.chunks(ASKED_AT_ONCE) {
                let mut query = Builder::new("SELECT job, rules FROM failures WHERE job IN (");
                let mut list = query.listed();
                for job in some {
                    list.push_bind(job.0.cast_signed());
                }
                query.push(")");
                let rows: Vec<(i64, String)> = query.build_query_as().fetch_all(&self.db).await?;
                judged.extend(rows.into_iter().map(|(job, rules)| (JobId(job.cast_unsigned()), rules.into())));
            }
            Ok(judged)
        };
        read.await.map_err(|error| self.failed(error))
    }

    /// Since when signatures are known, also those whose failures have been forgotten.
    pub async fn first_seen(&self, fingerprints: &[&str]) -> Result<BTreeMap<Arc<str>, Seen>, StoreError> {
        let read = async {
            let mut seen = BTreeMap::new();
            for some in fingerprints.chunks(ASKED_AT_ONCE) {
                let mut query = Builder::new(
                    "SELECT key, first, last, template FROM first_seen WHERE kind = 'signature' AND key IN (",
                );
                let mut list = query.listed();
                for key in some {
                    list.push_bind(*key);
                }
                query.push(")");
                let rows: Vec<(String, i64, i64, Option<String>)> = query.build_query_as().fetch_all(&self.db).await?;
                seen.extend(rows.into_iter().map(|(key, first, last, template)| {
                    let (first, last) = (Timestamp::from_millis(first), Timestamp::from_millis(last));
                    (key.into(), Seen { first, last, template: template.map(Into::into) })
                }));
            }
            Ok(seen)
        };
        read.await.map_err(|error| self.failed(error))
    }

    /// What became of the failures of a class or signature, from a moment on, that were tried again.
    pub async fn retry_history(&self, of: Kind<'_>, since: Timestamp) -> Result<Retries, StoreError> {
        let (statement, key) = match of {
            Kind::Class(class) => (
                "SELECT count(*) FILTER (WHERE later = 'succeeded'), count(*) FILTER (WHERE later = 'failed') \
                 FROM failures WHERE class = ? AND at >= ? AND later IS NOT NULL",
                class,
            ),
            Kind::Signature(fingerprint) => (
                "SELECT count(*) FILTER (WHERE later = 'succeeded'), count(*) FILTER (WHERE later = 'failed') \
                 FROM failures WHERE fingerprint = ? AND at >= ? AND later IS NOT NULL",
                fingerprint,
            ),
        };
        let counts = query_as(statement).bind(key).bind(since.millis()).fetch_one(&self.db).await;
        counts
            .map(|(succeeded, failed): (i64, i64)| Retries {
                succeeded: succeeded.cast_unsigned(),
                failed: failed.cast_unsigned(),
            })
            .map_err(|error| self.failed(error))
    }

    /// New tries that succeeded from a moment on, the newest first. What is known of them is what was known of the try before, whose id they
    /// bear.
    pub async fn later_successes(&self, since: Timestamp, limit: u32) -> Result<Vec<Success>, StoreError> {
        let rows: Result<Vec<Inputs>, _> = query_as(
            "SELECT job, pipeline, later_tries.at, name, hash, sha FROM later_tries JOIN failures USING (job) \
             WHERE later_tries.at >= ? AND ended = 'succeeded' ORDER BY later_tries.at DESC, job DESC LIMIT ?",
        )
        .bind(since.millis())
        .bind(limit)
        .fetch_all(&self.db)
        .await;
        let success = |(job, pipeline, at, name, hash, sha): Inputs| Success {
            job: JobId(job.cast_unsigned()),
            pipeline: PipelineId(pipeline.cast_unsigned()),
            at: Timestamp::from_millis(at),
            name: name.into(),
            hash: hash.map(Into::into),
            sha: sha.map(Into::into),
        };
        rows.map(|rows| rows.into_iter().map(success).collect()).map_err(|error| self.failed(error))
    }

    /// Failures per class and day (UTC) in a range of time, its end excluded; by day, then by class. A day without
    /// failures of a class has no row.
    pub async fn daily_counts(&self, range: Range<Timestamp>) -> Result<Vec<DayCount>, StoreError> {
        let rows: Result<Vec<(i64, String, i64)>, _> = query_as(
            "SELECT at - (at % 86400000 + 86400000) % 86400000 AS day, class, count(*) FROM failures \
             WHERE at >= ? AND at < ? GROUP BY day, class ORDER BY day, class",
        )
        .bind(range.start.millis())
        .bind(range.end.millis())
        .fetch_all(&self.db)
        .await;
        let count = |(day, class, count): (i64, String, i64)| DayCount {
            day: Timestamp::from_millis(day),
            class: class.into(),
            count: count.cast_unsigned(),
        };
        rows.map(|rows| rows.into_iter().map(count).collect()).map_err(|error| self.failed(error))
    }
}

fn failure(row: &Row) -> Result<Failure, StoreFault> {
    let text = |column: &str| row.try_get::<&str>(column).map(Arc::<str>::from);
    let maybe = |column: &str| row.try_get::<Option<&str>>(column).map(|text| text.map(Arc::<str>::from));
    let id = |column: &str| row.try_get::<i64>(column).map(i64::cast_unsigned);
    Ok(Failure {
        job: JobId(id("job")?),
        pipeline: PipelineId(id("pipeline")?),
        at: Timestamp::from_millis(row.try_get("at")?),
        name: text("name")?,
        package: maybe("package")?,
        hash: maybe("hash")?,
        compiler: maybe("compiler")?,
        stack: maybe("stack")?,
        git_ref: text("git_ref")?,
        sha: maybe("sha")?,
        runner: maybe("runner")?,
        host: maybe("host")?,
        failure_reason: row.try_get::<Option<&str>>("failure_reason")?.map(FailureReason::new),
        exit_code: row.try_get::<Option<i64>>("exit_code")?.map(narrow).transpose()?,
        class: text("class")?,
        rule: maybe("rule")?,
        owner: word(row.try_get("owner")?)?,
        transient: word(row.try_get("transient")?)?,
        confidence: row.try_get("confidence").and_then(narrow)?,
        fingerprint: maybe("fingerprint")?,
        template: maybe("template")?,
        evidence: maybe("evidence")?,
        line: row.try_get::<Option<i64>>("line")?.map(i64::cast_unsigned),
        rules: text("rules")?,
    })
}

/// One of the words of the taxonomy.
fn word<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, StoreFault> {
    T::deserialize(text.into_deserializer()).map_err(|error: serde::de::value::Error| StoreFault::garbled(error))
}

/// A number as narrow as what it stands for.
fn narrow<T: TryFrom<i64, Error = TryFromIntError>>(number: i64) -> Result<T, StoreFault> {
    T::try_from(number).map_err(StoreFault::garbled)
}
