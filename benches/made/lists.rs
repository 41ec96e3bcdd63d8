//! A bucket of a million keys that only lists: a server in a process of its own, every answer from memory.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Response;
use futures_util::stream;
use percent_encoding::percent_decode_str;

use super::dice::Dice;

const PAGE: usize = 1_000;
/// The word by which this program is told to be the server.
const SERVE: &str = "serve-lists";

/// Top levels, and stacks below them.
const STACKS: [(&str, usize); 4] =
    [("develop", 23), ("releases/v2026.06", 23), ("releases/v2025.11", 23), ("develop-2026-11-01", 0)];

/// The server, as long as somebody wants it.
pub struct Lists {
    child: Child,
    pub endpoint: String,
}

impl Lists {
    /// Starts this program once more, as a server of so many keys.
    pub fn start(keys: usize) -> Self {
        let program = std::env::current_exe().expect("a program");
        let mut child =
            Command::new(program).args([SERVE, &keys.to_string()]).stdout(Stdio::piped()).spawn().expect("a process");
        let mut endpoint = String::new();
        let said = child.stdout.take().expect("it is piped");
        BufReader::new(said).read_line(&mut endpoint).expect("it says where it is");
        Self { child, endpoint: endpoint.trim().to_owned() }
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed, if this process is meant to.
pub fn serve_if_asked() {
    let mut arguments = std::env::args().skip_while(|argument| argument != SERVE).skip(1);
    let Some(keys) = arguments.next().and_then(|keys| keys.parse().ok()) else { return };
    let bucket: &'static Bucket = Box::leak(Box::new(Bucket::with(keys)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        writeln!(std::io::stdout(), "http://{address}").expect("somebody listens");
        let app = Router::new().fallback(move |request: Request| async move { bucket.answer(&request) });
        axum::serve(listener, app).await.expect("it serves");
    });
}

/// Keys in order, and what a listing says of each.
struct Bucket {
    keys: Vec<String>,
    text: &'static str,
    /// Where in the text each key begins; one more at the end.
    starts: Vec<usize>,
}

impl Bucket {
    fn with(count: usize) -> Self {
        let mut dice = Dice::new(7);
        let roots = STACKS.iter().flat_map(|(top, stacks)| {
            std::iter::once((*top).to_owned()).chain((0..*stacks).map(move |n| format!("{top}/stack-{n}")))
        });
        let roots: Arc<[String]> = roots.collect();
        let mut keys = Vec::with_capacity(count + 3);
        while keys.len() < count {
            // Half of everything lies at the top level of develop.
            let root = if dice.below(2) == 0 { 0 } else { dice.below(roots.len()) };
            let root = &roots[root];
            let hash: String = (0..32).map(|_| char::from(b'a' + dice.below(26) as u8)).collect();
            let name = format!("package-{}", dice.below(3_000));
            keys.push(format!("{root}/v3/manifests/spec/{name}/{name}-1.2.3-{hash}.spec.manifest.json"));
            for _ in 0..2 {
                let sum: String = (0..64).filter_map(|_| char::from_digit(dice.below(16) as u32, 16)).collect();
                keys.push(format!("{root}/blobs/sha256/{}/{sum}", &sum[..2]));
            }
        }
        keys.truncate(count);
        keys.sort_unstable();
        keys.dedup();
        let (mut text, mut starts) = (String::new(), vec![0]);
        for (n, key) in keys.iter().enumerate() {
            write!(
                text,
                "<Contents><Key>{key}</Key><LastModified>2026-11-23T03:12:07.000Z</LastModified>\
                 <ETag>&quot;{n:032x}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                1_000 + n % 7_919
            )
            .expect("there is memory");
            starts.push(text.len());
        }
        Self { keys, text: Box::leak(text.into_boxed_str()), starts }
    }

    fn answer(&self, request: &Request) -> Response<Body> {
        let (mut prefix, mut after, mut has_delimiter) = (String::new(), String::new(), false);
        for pair in request.uri().query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = || percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "prefix" => prefix = value(),
                // A token is the last key of the page before.
                "start-after" | "continuation-token" => after = value(),
                "delimiter" => has_delimiter = true,
                _ => {}
            }
        }
        let begin = self.keys.partition_point(|key| *key < prefix || *key <= after);
        let end = begin + self.keys[begin..].partition_point(|key| key.starts_with(&prefix));
        if has_delimiter {
            return self.folders(&prefix, begin, end);
        }
        let last = end.min(begin + PAGE);
        let token = if last < end {
            format!("<NextContinuationToken>{}</NextContinuationToken>", self.keys[last - 1])
        } else {
            String::new()
        };
        let head = format!(
            "{HEAD}<KeyCount>{}</KeyCount><MaxKeys>{PAGE}</MaxKeys><EncodingType>url</EncodingType>\
             <IsTruncated>{}</IsTruncated>{token}",
            last - begin,
            last < end
        );
        let keys = Bytes::from_static(&self.text.as_bytes()[self.starts[begin]..self.starts[last]]);
        reply([head.into(), keys, Bytes::from_static(TAIL.as_bytes())])
    }

    fn folders(&self, prefix: &str, mut begin: usize, end: usize) -> Response<Body> {
        let (mut text, mut count) = (String::new(), 0);
        while begin < end && count < PAGE {
            let key = &self.keys[begin];
            count += 1;
            begin += match key[prefix.len()..].find('/') {
                Some(at) => {
                    let folder = &key[..=prefix.len() + at];
                    write!(text, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").expect("memory");
                    self.keys[begin..].partition_point(|key| key.starts_with(folder))
                }
                None => 1,
            };
        }
        let head = format!("{HEAD}<EncodingType>url</EncodingType><IsTruncated>{}</IsTruncated>", begin < end);
        reply([head.into(), text.into(), Bytes::from_static(TAIL.as_bytes())])
    }
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>b</Name>";
const TAIL: &str = "</ListBucketResult>";

fn reply(parts: [Bytes; 3]) -> Response<Body> {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let body = Body::from_stream(stream::iter(parts.map(Ok::<_, std::convert::Infallible>)));
    Response::builder().header("content-length", length).body(body).expect("an answer")
}
