//! Mirrors for tests: in memory behind a web server that misbehaves on command, in folders of their own, and those of Spack's fixtures.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use futures_util::StreamExt;

use super::cache::sha256;
use super::*;
pub use crate::adapters::testing::Scratch;
use crate::generation::{Listing, MirrorState, MirrorView};
use crate::spack::{Hash, Lock};

mod bucket;
mod contents;
mod folder;
mod lists;
mod moto;
mod roots;
mod walk;
mod web;

const MANIFEST: &str = "v3/manifests/index/index.manifest.json";
const INDEX: &str = "build_cache/index.json";
const WRITTEN: &str = "Mon, 23 Nov 2026 03:12:07 GMT";

fn hash(letter: &str) -> Hash {
    Hash::parse(&letter.repeat(32)).unwrap()
}

/// An index with the binary `a`, the hole `b` and the external `c`.
fn index(version: u32) -> Vec<u8> {
    format!(
        r#"{{"database":{{"version":"{version}","installs":{{"{}":{{"spec":{{"name":"a"}},"in_buildcache":true}},"{}":{{"spec":{{"name":"b"}},"in_buildcache":false}},"{}":{{"spec":{{"name":"c","external":{{"path":"/usr"}}}}}}}}}}}}"#,
        hash("a"),
        hash("b"),
        hash("c")
    )
    .into_bytes()
}

fn manifest(media_type: &str, blob: &[u8]) -> String {
    format!(
        r#"{{"version":3,"data":[{{"contentLength":{},"mediaType":"{media_type}","compression":"none","checksumAlgorithm":"sha256","checksum":"{}"}}]}}"#,
        blob.len(),
        sha256(blob)
    )
}

const DB: &str = "application/vnd.spack.db.v8+json";

fn signed(text: &str) -> String {
    format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
    )
}

/// What lies in a mirror.
#[derive(Default, Clone)]
struct Mirror(BTreeMap<String, Vec<u8>>);

impl Mirror {
    fn with(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.to_owned(), bytes.into());
        self
    }

    fn blob(self, bytes: &[u8]) -> Self {
        let path = crate::spack::buildcache::v3::blob("sha256", &sha256(bytes));
        self.with(&path, bytes)
    }

    fn v3(self, index: &[u8]) -> Self {
        self.with(MANIFEST, manifest(DB, index)).blob(index)
    }

    fn v2(self, index: &[u8]) -> Self {
        self.with(INDEX, index).with("build_cache/index.json.hash", sha256(index))
    }

    /// The spec's binary, or what says that it is there.
    fn spec(self, spec: &crate::spack::Spec, metadata: &[u8], is_signed: bool) -> Self {
        let path = crate::spack::buildcache::v3::spec_manifest(&spec.name, &spec.version, &spec.hash);
        let text = manifest("application/vnd.spack.spec.v5+json", metadata);
        let text = if is_signed { signed(&text) } else { text };
        self.with(&path, text).blob(metadata)
    }
}

fn metadata(hash: &Hash) -> Vec<u8> {
    format!(r#"{{"spec":{{"_meta":{{"version":5}},"nodes":[{{"hash":"{hash}"}}]}},"buildcache_layout_version":2}}"#)
        .into_bytes()
}

/// How a path is answered, unless with what lies there.
#[derive(Clone)]
enum Odd {
    Status(u16),
    /// So many times, and then as it should be.
    First(usize, u16),
    Silent,
    To(String),
    /// Half of it.
    Cut,
    /// With this `Content-Encoding`, and gzip whatever it says.
    Packed(&'static str),
    Body(u16, String),
    /// This first, and then what lies there.
    Stale(String),
    /// As S3 does for a bucket of another region.
    Region(&'static str),
    /// So many times with this `Retry-After`, and then as it should be.
    Wait(usize, &'static str),
    /// A listing, changed; the first time only, or always.
    Page(bool, fn(String) -> String),
}

struct Server {
    base: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// How often something was asked for that begins so. A listing is `?list=PREFIX`, one of folders `?folders=PREFIX`.
    fn asked(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.trim_start_matches("/m/").starts_with(path)).count()
    }

    fn count(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.ends_with(path)).count()
    }

    fn clear(&self) {
        self.seen.lock().unwrap().clear();
    }
}

/// Serves a mirror below `/m`, and lists it as a bucket of that name; paths that end as one of `odd` are answered that way.
async fn serve(mirror: Mirror, odd: &[(&str, Odd)]) -> Server {
    serve_pages(mirror, odd, 1_000).await
}

/// The same with so many keys on a page.
async fn serve_pages(mirror: Mirror, odd: &[(&str, Odd)], page: usize) -> Server {
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    let odd: Vec<(String, Odd)> = odd.iter().map(|(path, odd)| ((*path).to_owned(), odd.clone())).collect();
    let shared = (Arc::new(mirror), Arc::new(odd), seen.clone());
    let app = Router::new().fallback(move |request: Request| {
        let (mirror, odd, seen) = shared.clone();
        async move {
            match lists::Query::of(request.uri()).filter(|_| !mirror.0.contains_key("")) {
                Some(query) => {
                    let text = query.page(mirror.0.iter().map(|(key, bytes)| (key.as_str(), &bytes[..])), page);
                    reply(&mirror, &odd, &seen, &query.name(), Some(text)).await
                }
                None => reply(&mirror, &odd, &seen, request.uri().path(), None).await,
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/m", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { base, seen }
}

async fn reply(
    mirror: &Mirror,
    odd: &[(String, Odd)],
    seen: &Mutex<Vec<String>>,
    path: &str,
    listing: Option<String>,
) -> Response<Body> {
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(path.to_owned());
        seen.iter().filter(|earlier| *earlier == path).count() - 1
    };
    let status = |code: u16| Response::builder().status(code);
    let bytes = match listing {
        Some(listing) => Some(listing.into_bytes()),
        None => mirror.0.get(path.trim_start_matches("/m/")).cloned(),
    };
    match odd.iter().find(|(end, _)| path.ends_with(end.as_str())).map(|(_, odd)| odd) {
        Some(Odd::Status(code)) => return status(*code).body(Body::from("<secret>")).unwrap(),
        Some(Odd::First(times, code)) if before < *times => return status(*code).body(Body::empty()).unwrap(),
        Some(Odd::Silent) => std::future::pending::<()>().await,
        Some(Odd::To(place)) => return status(302).header("location", place).body(Body::empty()).unwrap(),
        Some(Odd::Cut) => {
            let bytes = bytes.unwrap();
            let half = bytes::Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
            let end = async {
                // The first half must have left before the connection is broken.
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(std::io::Error::other("cut"))
            };
            let stream = futures_util::stream::iter([Ok(half)]).chain(futures_util::stream::once(end));
            return status(200).header("content-length", bytes.len()).body(Body::from_stream(stream)).unwrap();
        }
        Some(Odd::Packed(coding)) => {
            let packed = gzip(&bytes.unwrap());
            return status(200).header("content-encoding", *coding).body(packed.into()).unwrap();
        }
        Some(Odd::Stale(text)) if before == 0 => return status(200).body(text.clone().into()).unwrap(),
        Some(Odd::Region(region)) => {
            return status(301).header("x-amz-bucket-region", *region).body(Body::empty()).unwrap();
        }
        Some(Odd::Wait(times, wait)) if before < *times => {
            return status(503).header("retry-after", *wait).body(Body::empty()).unwrap();
        }
        Some(Odd::Page(once, change)) if before == 0 || !once => {
            return status(200).body(change(String::from_utf8(bytes.unwrap()).unwrap()).into()).unwrap();
        }
        Some(Odd::Body(code, text)) => return status(*code).body(text.clone().into()).unwrap(),
        _ => {}
    }
    match bytes {
        Some(bytes) => {
            let answer = status(200).header("last-modified", WRITTEN).header("etag", format!("\"{}\"", tag(&bytes)));
            answer.body(bytes.into()).unwrap()
        }
        // As S3 says it; the web readers go by the status.
        None => status(404).body("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>".into()).unwrap(),
    }
}

fn tag(bytes: &[u8]) -> String {
    sha256(bytes)[..32].to_owned()
}

/// A reader of the bucket `m` of a server.
fn bucket_reader(server: &Server, settings: Settings) -> Reader {
    let endpoint = Some(server.base.trim_end_matches("/m").to_owned());
    let s3 = S3Access { endpoint, region: Some("us-east-1".to_owned()), credentials: Credentials::Anonymous };
    Reader::new(Settings { s3, ..settings })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, bytes).unwrap();
    packer.finish().unwrap()
}

/// For servers that say nothing on purpose.
fn impatient() -> Settings {
    Settings { silence: Duration::from_millis(200), ..settings() }
}

/// Quick to ask again, and patient enough for a busy machine.
fn settings() -> Settings {
    Settings {
        connect: Duration::from_secs(5),
        silence: Duration::from_secs(10),
        mirror: Duration::from_secs(40),
        tries: 3,
        backoff: Duration::from_millis(5),
        ..Settings::default()
    }
}

fn wanted() -> HashSet<Hash> {
    ["a", "b", "c", "d"].map(hash).into()
}

async fn view(url: &str) -> MirrorView {
    Reader::new(settings()).view("m", url, &wanted()).await
}

fn listings(view: MirrorView) -> Vec<Listing> {
    match view.state {
        MirrorState::Read(listings) => listings,
        other => panic!("{other:?}"),
    }
}

fn failure(view: &MirrorView) -> String {
    match &view.state {
        MirrorState::Failed { reason, .. } => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A mirror of the fixtures, with its lock.
fn fixture(mirror: &str, lock: &str) -> Option<(String, Lock)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    let Ok(lock) = fs::read(root.join("locks").join(lock).join("spack.lock")) else {
        println!("skipped: no fixtures beside the project");
        return None;
    };
    let path = fs::canonicalize(root.join(mirror)).unwrap();
    Some((format!("file://{}", path.display()), Lock::parse(&lock).unwrap()))
}

/// What is present, by name.
fn present(listing: &Listing) -> HashMap<Hash, bool> {
    listing.listed.iter().map(|(hash, listed)| (*hash, listed.is_present())).collect()
}
