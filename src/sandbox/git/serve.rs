//! Git over HTTP: requests of git clients, answered by `git http-backend`, and what a push has brought.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::io::AsyncWriteExt;

use super::object::Oid;
use super::repository::Repository;
use crate::ci::Timestamp;

/// The commits of one push that are looked at.
const MOST_COMMITS: &str = "--max-count=2000";

/// What a caller may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// The credentials are wrong.
    Stranger,
    Read,
    Write,
}

/// One request of a git client.
#[derive(Debug)]
pub struct Exchange<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
}

/// A commit that a push has brought.
#[derive(Debug, Clone)]
pub struct Change {
    /// `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    pub old: Oid,
    pub new: Oid,
    /// The files that its commit changes against its first parent.
    pub paths: Vec<String>,
}

/// What a push did.
#[derive(Debug, Clone, Default)]
pub struct Pushed {
    /// In the order in which the client asked.
    pub changes: Vec<Change>,
    /// `-o` of the client.
    pub options: Vec<String>,
    /// Every commit that is new in the repository, the newest first.
    pub commits: Vec<NewCommit>,
}

/// A commit as git tells of it.
#[derive(Debug, Clone)]
pub struct NewCommit {
    pub id: Oid,
    pub parents: Vec<Oid>,
    pub author: Arc<str>,
    pub email: Arc<str>,
    pub message: Arc<str>,
    pub at: Timestamp,
}

/// What follows the repository in the path of a git request.
pub fn is_git<'a>(path: &'a str, repository: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(repository)?;
    let rest = rest.strip_prefix(".git").unwrap_or(rest).strip_prefix('/')?;
    matches!(rest, "info/refs" | "git-upload-pack" | "git-receive-pack").then_some(rest)
}

impl Exchange<'_> {
    /// Whether it is a push, or the question before one.
    pub fn is_push(&self) -> bool {
        let query = self.uri.query().unwrap_or_default();
        self.uri.path().ends_with("/git-receive-pack")
            || query.split('&').any(|pair| pair == "service=git-receive-pack")
    }

    /// The password or token that it carries; Basic with any user, or Bearer.
    pub fn secret(&self) -> Option<String> {
        let header = self.headers.get("authorization")?.to_str().ok()?;
        if let Some(token) = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("token ")) {
            return Some(token.to_owned());
        }
        let decoded = base64(header.strip_prefix("Basic ")?.trim())?;
        let pair = String::from_utf8(decoded).ok()?;
        let (user, password) = pair.split_once(':')?;
        Some(if password.is_empty() { user.to_owned() } else { password.to_owned() })
    }

    /// Answers it, if the caller may ask; and tells what a push has brought.
    pub async fn answer(self, repository: &Repository, access: Access) -> (Response, Pushed) {
        let is_write = self.is_push() && self.method == Method::POST;
        if access == Access::Stranger || (self.is_push() && access < Access::Write) {
            let status = if access == Access::Stranger || self.secret().is_none() { 401 } else { 403 };
            return (refusal(status), Pushed::default());
        }
        let failed = |error: io::Error| {
            tracing::error!(%error, "git could not be run");
            (refusal(500), Pushed::default())
        };
        let before = match if is_write { repository.refs() } else { Ok(BTreeMap::new()) } {
            Ok(before) => before,
            Err(error) => return failed(error),
        };
        let body = self.body.clone();
        let response = match self.run(repository).await {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let pushed = if is_write { brought(repository, &body, &before) } else { Ok(Pushed::default()) };
        let pushed = pushed.unwrap_or_else(|error| {
            tracing::error!(%error, "what a push brought cannot be told");
            Pushed::default()
        });
        (response, pushed)
    }

    async fn run(self, repository: &Repository) -> io::Result<Response> {
        let name = repository.path().file_name().unwrap_or_default().to_string_lossy();
        let service =
            self.uri.path().rsplit_once("/git-").map_or("info/refs".to_owned(), |(_, rest)| format!("git-{rest}"));
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut command = tokio::process::Command::from(repository.alone());
        command
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", repository.path().parent().unwrap_or(repository.path()))
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", format!("/{name}/{service}"))
            .env("REQUEST_METHOD", self.method.as_str())
            .env("QUERY_STRING", self.uri.query().unwrap_or_default())
            .env("CONTENT_TYPE", text("content-type"))
            .env("CONTENT_LENGTH", self.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
            .env("GIT_PROTOCOL", text("git-protocol"))
            .env("REMOTE_USER", "practice")
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let body = self.body;
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // It may refuse before it has read everything; what it says counts.
                stdin.write_all(&body).await.ok();
            }
        };
        let ((), ended) = tokio::join!(feed, child.wait_with_output());
        let ended = ended?;
        if !ended.stderr.is_empty() {
            tracing::debug!(said = %String::from_utf8_lossy(&ended.stderr), "git http-backend");
        }
        response(ended.stdout)
    }
}

/// Reads what a CGI program wrote.
fn response(output: Vec<u8>) -> io::Result<Response> {
    let garbled = || io::Error::other("git http-backend wrote no headers");
    let end = memchr::memmem::find(&output, b"\r\n\r\n").ok_or_else(garbled)?;
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(output.get(..end).unwrap_or_default()).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        response = match (name, value.trim().get(..3).and_then(|code| code.parse::<u16>().ok())) {
            ("Status", Some(code)) => response.status(code),
            _ => response.header(name, value.trim()),
        };
    }
    response.body(Body::from(Bytes::from(output).slice(end + 4..))).map_err(|_| garbled())
}

fn refusal(status: u16) -> Response {
    let (realm, text) = match status {
        401 => (Some("Basic realm=\"practice world\""), "HTTP Basic: Access denied\n"),
        403 => (None, "You are not allowed to push code to this project.\n"),
        _ => (None, "Internal server error\n"),
    };
    let response = Response::builder().status(status).header("content-type", "text/plain");
    let response = realm.into_iter().fold(response, |response, realm| response.header("www-authenticate", realm));
    response.body(Body::from(text)).unwrap_or_default()
}

/// Finds out which of the refs that a push asked for have moved, and which commits came.
fn brought(repository: &Repository, request: &[u8], before: &BTreeMap<String, Oid>) -> io::Result<Pushed> {
    let (asked, options) = commands(request);
    let after = repository.refs()?;
    let moved = |name: &String| {
        let (old, new) = (before.get(name), after.get(name));
        (old != new).then(|| (old.copied().unwrap_or(Oid::ZERO), new.copied().unwrap_or(Oid::ZERO)))
    };
    let mut changes = Vec::new();
    for name in asked {
        let Some((old, new)) = moved(&name) else { continue };
        let paths = if new == Oid::ZERO { Vec::new() } else { paths(repository, new) };
        changes.push(Change { name, old, new, paths });
    }
    let mut range: Vec<String> = before.values().map(|id| format!("^{id}")).collect();
    range.sort();
    range.dedup();
    range.extend(changes.iter().filter(|change| change.new != Oid::ZERO).map(|change| change.new.to_string()));
    let commits =
        if changes.iter().any(|change| change.new != Oid::ZERO) { log(repository, &range)? } else { Vec::new() };
    Ok(Pushed { changes, options, commits })
}

/// A root commit, or a tag of something else, changes nothing that could be told.
fn paths(repository: &Repository, new: Oid) -> Vec<String> {
    let told = repository.tell(&["diff", "--name-only", "-z", &format!("{new}^1"), &new.to_string(), "--"]);
    told.unwrap_or_default().split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

fn log(repository: &Repository, range: &[String]) -> io::Result<Vec<NewCommit>> {
    use std::io::Write;
    let format = "--format=%H%n%P%n%an%n%ae%n%ct%n%B%x00";
    let mut git = repository.git(&["log", MOST_COMMITS, format, "--stdin"]);
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let text = range.join("\n") + "\n";
    let mut stdin = child.stdin.take();
    let writer = std::thread::spawn(move || stdin.as_mut().map_or(Ok(()), |stdin| stdin.write_all(text.as_bytes())));
    let ended = child.wait_with_output()?;
    writer.join().unwrap_or(Ok(()))?;
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    let read = |record: &str| {
        let mut lines = record.trim_start_matches('\n').splitn(6, '\n');
        let mut next = || lines.next();
        Some(NewCommit {
            id: Oid::parse(next()?)?,
            parents: next()?.split(' ').filter_map(Oid::parse).collect(),
            author: next()?.into(),
            email: next()?.into(),
            at: Timestamp::from_millis(next()?.parse::<i64>().ok()?.saturating_mul(1_000)),
            message: next()?.into(),
        })
    };
    Ok(told.split('\0').filter_map(read).collect())
}

/// The refs that a push asks for, and its options: the packet lines before the pack.
fn commands(request: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut refs, mut options) = (Vec::new(), Vec::new());
    let (mut rest, mut has_options, mut section) = (request, false, 0);
    while let Some((length, after)) = rest.split_at_checked(4) {
        let length = std::str::from_utf8(length).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length else { break };
        if length < 4 {
            section += 1;
            rest = after;
            if section > usize::from(has_options) {
                break;
            }
            continue;
        }
        let Some((line, after)) = after.split_at_checked(length - 4) else { break };
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\n');
        if section == 1 {
            options.push(line.to_owned());
            continue;
        }
        let (command, capabilities) = line.split_once('\0').unwrap_or((line, ""));
        has_options |= capabilities.split(' ').any(|one| one == "push-options");
        // old, new, name; `shallow` lines have two words only.
        if let [_, _, name] = command.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
            refs.push((*name).to_owned());
        }
    }
    (refs, options)
}

/// Decodes base64; `None` for what is none.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut number = 0_u32;
        for byte in chunk {
            number = number << 6 | u32::from(digit(*byte)?);
        }
        number <<= 6 * (4 - chunk.len());
        out.extend(number.to_be_bytes().get(1..chunk.len())?);
    }
    Some(out)
}
