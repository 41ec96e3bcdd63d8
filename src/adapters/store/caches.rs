//! Samples of cache roots, and what their manifests said. All of it can be read from the mirrors again, but for the past sizes.

use std::collections::HashMap;
use std::sync::Arc;

use super::sql::{Builder, Row, pieces, query, query_scalar};
use super::{Store, StoreError, StoreFault};
use crate::cache::{Amount, BlobRef, Reading, Sample, Severity, Sizes, SpecManifest};
use crate::ci::{JobId, Timestamp};
use crate::spack::Hash;
use crate::spack::buildcache::Checksum;

const COLUMNS: &str = "url, at, skew_ms, specs, spec_bytes, services, service_bytes, blobs, blob_bytes, v2, v2_bytes, \"foreign\", \
     foreign_bytes, has_index, index_at, index_tag, newest, orphans, orphan_bytes, holes, state";

/// What was not looked for this time is still known from the last time.
const SAMPLED_AGAIN: &str = " ON CONFLICT (url, at) DO UPDATE SET orphans = coalesce(excluded.orphans, cache_samples.orphans), \
     orphan_bytes = coalesce(excluded.orphan_bytes, cache_samples.orphan_bytes), holes = coalesce(excluded.holes, cache_samples.holes), \
     state = coalesce(excluded.state, cache_samples.state)";

/// Within this, samples are all kept.
const FINE: i64 = 7 * DAY;
/// After this, samples are forgotten.
const KEPT: i64 = 2 * 365 * DAY;
const DAY: i64 = 24 * 3_600_000;
/// Rows per statement.
const AT_ONCE: usize = 200;

/// What a manifest said, and the version of it that said so.
pub type KnownManifests = HashMap<Arc<str>, (Arc<str>, Reading)>;

impl Store {
    /// Remembers samples; of one root at one moment there is one. Thins out those that have grown old.
    pub async fn put_samples(&self, samples: &[Sample]) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.db.begin().await?;
            for some in pieces(samples, AT_ONCE, |sample| (&sample.url, sample.at)) {
                let mut insert = Builder::new(format!("INSERT INTO cache_samples ({COLUMNS}) "));
                insert.push_values(some, |mut row, sample| {
                    row.push_bind(&*sample.url).push_bind(sample.at.millis()).push_bind(sample.skew_ms);
                    let sizes = &sample.sizes;
                    for amount in [sizes.specs, sizes.service, sizes.blobs, sizes.v2, sizes.foreign] {
                        row.push_bind(amount.objects.cast_signed()).push_bind(amount.bytes.cast_signed());
                    }
                    let index = sizes.index.as_ref();
                    row.push_bind(index.is_some())
                        .push_bind(index.and_then(|(at, _)| *at).map(Timestamp::millis))
                        .push_bind(index.and_then(|(_, tag)| tag.as_deref()))
                        .push_bind(sizes.newest.map(Timestamp::millis))
                        .push_bind(sample.orphans.map(|orphans| orphans.objects.cast_signed()))
                        .push_bind(sample.orphans.map(|orphans| orphans.bytes.cast_signed()))
                        .push_bind(sample.holes.map(u64::cast_signed))
                        .push_bind(sample.state.map(Severity::word));
                });
                insert.push(SAMPLED_AGAIN);
                insert.build().execute(&mut transaction).await?;
            }
            if let Some(newest) = samples.iter().map(|sample| sample.at.millis()).max() {
                // The last one of each day stays.
                query(
                    "DELETE FROM cache_samples WHERE at < ? OR (at < ? AND EXISTS (SELECT 1 FROM cache_samples AS later \
                     WHERE later.url = cache_samples.url AND later.at > cache_samples.at \
                     AND later.at / ? = cache_samples.at / ?))",
                )
                .bind(newest - KEPT)
                .bind(newest - FINE)
                .bind(DAY)
                .bind(DAY)
                .execute(&mut transaction)
                .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// All samples since a moment, and the newest of every root however old it is; by root, oldest first.
    pub async fn samples(&self, since: Timestamp) -> Result<Vec<Sample>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM cache_samples WHERE at >= ? OR (url, at) IN (SELECT url, max(at) FROM cache_samples \
             GROUP BY url) ORDER BY url, at"
        );
        let rows = query(statement).bind(since.millis()).fetch_all(&self.db).await;
        let read = rows.and_then(|rows| rows.iter().map(sample).collect());
        read.map_err(|error| self.failed(error))
    }

    /// The hashes of the lock that a generate job left, if they were read before.
    pub async fn generated_lock(&self, job: JobId) -> Result<Option<Vec<Hash>>, StoreError> {
        let row: Result<Option<Vec<u8>>, _> = query_scalar("SELECT hashes FROM generated_locks WHERE job = ?")
            .bind(job.0.cast_signed())
            .fetch_optional(&self.db)
            .await;
        let hash = |bytes: &[u8; 32]| std::str::from_utf8(bytes).ok().and_then(|text| Hash::parse(text).ok());
        // What does not read is asked for again.
        let read = |bytes: Vec<u8>| bytes.as_chunks::<32>().0.iter().map(hash).collect::<Option<Vec<Hash>>>();
        row.map(|row| row.and_then(read)).map_err(|error| self.failed(error))
    }

    /// Remembers the hashes of the lock that a generate job left, and forgets those of jobs that are long over.
    pub async fn put_generated_lock(&self, job: JobId, hashes: &[Hash], at: Timestamp) -> Result<(), StoreError> {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.as_str().bytes()).collect();
        let put = query(
            "INSERT INTO generated_locks (job, hashes, at) VALUES (?, ?, ?) \
             ON CONFLICT (job) DO UPDATE SET hashes = excluded.hashes, at = excluded.at",
        )
        .bind(job.0.cast_signed())
        .bind(bytes)
        .bind(at.millis())
        .execute(&self.db);
        put.await.map_err(|error| self.failed(error))?;
        let forget = query("DELETE FROM generated_locks WHERE at < ?").bind(at.millis() - KEPT).execute(&self.db);
        forget.await.map(|_| ()).map_err(|error| self.failed(error))
    }

    /// What the manifests of a root said when they were last read.
    pub async fn known_manifests(&self, url: &str) -> Result<KnownManifests, StoreError> {
        let rows = query(
            "SELECT path, tag, tarball, tarball_bytes, spec, spec_bytes, is_signed FROM cache_manifests WHERE url = ?",
        )
        .bind(url)
        .fetch_all(&self.db)
        .await;
        let read = rows.and_then(|rows| rows.iter().map(manifest).collect());
        read.map_err(|error| self.failed(error))
    }

    /// Remembers what the manifests of a root said, and forgets those that are gone.
    pub async fn put_manifests(&self, url: &str, manifests: &[SpecManifest]) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.db.begin().await?;
            query("DELETE FROM cache_manifests WHERE url = ?").bind(url).execute(&mut transaction).await?;
            let known = manifests.iter().filter_map(|manifest| match (&manifest.tag, &manifest.reading) {
                // What names more than that is rare, and read again.
                (Some(tag), Reading::Read { tarball, spec, others, is_signed }) if others.is_empty() => {
                    Some((&manifest.path, tag, tarball, spec, is_signed))
                }
                _ => None,
            });
            let known: Vec<_> = known.collect();
            for some in pieces(&known, AT_ONCE, |(path, ..)| *path) {
                let mut insert = Builder::new(
                    "INSERT INTO cache_manifests (url, path, tag, tarball, tarball_bytes, spec, spec_bytes, \
                     is_signed) ",
                );
                insert.push_values(some, |mut row, (path, tag, tarball, spec, is_signed)| {
                    row.push_bind(url).push_bind(&***path).push_bind(&***tag);
                    for blob in [tarball, spec] {
                        row.push_bind(blob.map(|blob| blob.sum.bytes().to_vec()));
                        row.push_bind(blob.map(|blob| blob.bytes.cast_signed()));
                    }
                    row.push_bind(**is_signed);
                });
                insert.push(
                    " ON CONFLICT (url, path) DO UPDATE SET tag = excluded.tag, tarball = excluded.tarball, \
                     tarball_bytes = excluded.tarball_bytes, spec = excluded.spec, spec_bytes = excluded.spec_bytes, \
                     is_signed = excluded.is_signed",
                );
                insert.build().execute(&mut transaction).await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }
}

fn sample(row: &Row) -> Result<Sample, StoreFault> {
    let number = |name: &str| Ok::<_, StoreFault>(row.try_get::<i64>(name)?.cast_unsigned());
    let maybe = |name: &str| row.try_get::<Option<i64>>(name);
    let amount = |objects, bytes| Ok::<_, StoreFault>(Amount { objects: number(objects)?, bytes: number(bytes)? });
    let text = |name: &str| Ok::<_, StoreFault>(row.try_get::<Option<String>>(name)?.map(Arc::from));
    let orphans = maybe("orphans")?.zip(maybe("orphan_bytes")?);
    let index = if row.try_get("has_index")? {
        Some((maybe("index_at")?.map(Timestamp::from_millis), text("index_tag")?))
    } else {
        None
    };
    Ok(Sample {
        url: row.try_get::<String>("url")?.into(),
        at: Timestamp::from_millis(row.try_get("at")?),
        skew_ms: row.try_get("skew_ms")?,
        sizes: Sizes {
            specs: amount("specs", "spec_bytes")?,
            service: amount("services", "service_bytes")?,
            blobs: amount("blobs", "blob_bytes")?,
            v2: amount("v2", "v2_bytes")?,
            foreign: amount("foreign", "foreign_bytes")?,
            index,
            newest: maybe("newest")?.map(Timestamp::from_millis),
        },
        orphans: orphans
            .map(|(objects, bytes)| Amount { objects: objects.cast_unsigned(), bytes: bytes.cast_unsigned() }),
        holes: maybe("holes")?.map(i64::cast_unsigned),
        state: text("state")?.and_then(|word: Arc<str>| Severity::parse(&word)),
    })
}

/// A path, with the version that was read there and what it said.
type Manifest = (Arc<str>, (Arc<str>, Reading));

fn manifest(row: &Row) -> Result<Manifest, StoreFault> {
    let blob = |sum: &str, bytes: &str| {
        let sum: Option<Vec<u8>> = row.try_get(sum)?;
        let bytes: Option<i64> = row.try_get(bytes)?;
        let sum = sum.and_then(|sum| <[u8; 32]>::try_from(sum).ok()).map(Checksum::from_bytes);
        Ok::<_, StoreFault>(sum.zip(bytes).map(|(sum, bytes)| BlobRef { sum, bytes: bytes.cast_unsigned() }))
    };
    let text = |name: &str| Ok::<_, StoreFault>(Arc::from(row.try_get::<String>(name)?));
    let reading = Reading::Read {
        tarball: blob("tarball", "tarball_bytes")?,
        spec: blob("spec", "spec_bytes")?,
        others: Vec::new(),
        is_signed: row.try_get("is_signed")?,
    };
    Ok((text("path")?, (text("tag")?, reading)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::tests::{Ground, on_both};

    const NOW: Timestamp = Timestamp::from_millis(800 * DAY);

    fn made(url: &str, at: Timestamp, bytes: u64) -> Sample {
        let sizes = Sizes {
            blobs: Amount { objects: 3, bytes },
            index: Some((Some(at), Some("\"tag\"".into()))),
            newest: Some(at),
            ..Sizes::default()
        };
        Sample { url: url.into(), at, skew_ms: 7, sizes, orphans: None, holes: Some(2), state: Some(Severity::Warn) }
    }

    async fn samples_come_back_as_they_were_and_what_was_found_stays_known(ground: &Ground) {
        let store = ground.store().await;
        let first = Sample { orphans: Some(Amount { objects: 1, bytes: u64::MAX >> 1 }), ..made("s3://b/a", NOW, 7) };
        let other = Sample { sizes: Sizes::default(), holes: None, state: None, ..made("s3://b/é", NOW, 7) };
        store.put_samples(&[first.clone(), other.clone()]).await.unwrap();
        assert_eq!(store.samples(NOW).await.unwrap(), [first.clone(), other.clone()]);
        let again = Sample { orphans: None, holes: None, state: None, ..first.clone() };
        store.put_samples(&[again]).await.unwrap();
        assert_eq!(store.samples(NOW).await.unwrap(), [first, other]);
    }

    async fn old_samples_are_thinned_out_and_very_old_ones_forgotten(ground: &Ground) {
        let store = ground.store().await;
        let ages = [0_i64, 1, 2, 200, 205, 24 * 40, 24 * 40 + 1, 24 * 790];
        let all: Vec<Sample> = ages.iter().map(|hours| made("s3://b/a", NOW.shifted(-hours * 3_600_000), 7)).collect();
        store.put_samples(&all).await.unwrap();
        let left = store.samples(Timestamp::from_millis(0)).await.unwrap();
        let left: Vec<i64> = left.iter().rev().map(|sample| (NOW.millis() - sample.at.millis()) / 3_600_000).collect();
        assert_eq!(left, [0, 1, 2, 200, 24 * 40, 24 * 40 + 1], "40 days and one hour ago was another day");
        let newest = store.samples(NOW.shifted(DAY)).await.unwrap();
        assert_eq!(newest.len(), 1, "the newest of a root is told, however old it is");
    }

    async fn locks_are_remembered_by_their_job(ground: &Ground) {
        let store = ground.store().await;
        let hashes: Vec<Hash> = ["a", "7"].map(|c| Hash::parse(&c.repeat(32)).unwrap()).into();
        store.put_generated_lock(JobId(7), &hashes, NOW.shifted(-3 * KEPT)).await.unwrap();
        assert_eq!(store.generated_lock(JobId(7)).await.unwrap().as_ref(), Some(&hashes));
        store.put_generated_lock(JobId(8), &[], NOW).await.unwrap();
        assert_eq!(store.generated_lock(JobId(8)).await.unwrap(), Some(vec![]));
        assert_eq!(store.generated_lock(JobId(7)).await.unwrap(), None, "too old");
    }

    async fn manifests_are_known_by_their_version(ground: &Ground) {
        let store = ground.store().await;
        let blob = Some(BlobRef { sum: Checksum::of(b"x"), bytes: 5 });
        let made = |path: &str, reading| SpecManifest {
            path: path.into(),
            hash: None,
            bytes: 1,
            modified: None,
            tag: Some("t".into()),
            reading,
            signature: None,
        };
        let read = Reading::Read { tarball: blob, spec: None, others: Vec::new(), is_signed: true };
        let all = [made("a", read.clone()), made("b", Reading::Damaged("x".into()))];
        store.put_manifests("s3://b/a", &all).await.unwrap();
        let known = store.known_manifests("s3://b/a").await.unwrap();
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [("a".into(), ("t".into(), read))]);
        store.put_manifests("s3://b/a", &[]).await.unwrap();
        assert!(store.known_manifests("s3://b/a").await.unwrap().is_empty());
    }

    on_both! {
        samples_come_back_as_they_were_and_what_was_found_stays_known
        old_samples_are_thinned_out_and_very_old_ones_forgotten
        locks_are_remembered_by_their_job
        manifests_are_known_by_their_version
    }
}
