//! A small HTTP server before `git http-backend`, which lets in whoever has the right header.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// What is done with a request before git sees it; an answer ends it.
pub type Before = Box<dyn Fn(usize, &Seen) -> Option<String> + Send + Sync>;

/// A request.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub authorization: Option<String>,
}

/// A running server. What git it has started ends with it.
pub struct Backend {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    authorization: Option<String>,
    before: Before,
    seen: Mutex<Vec<Seen>>,
    /// The groups of running processes; none is started once the server has ended.
    running: Mutex<Option<HashSet<u32>>>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.end_all();
        *self.shared.running.lock().unwrap() = None;
    }
}

impl Backend {
    /// Serves the repositories below a folder.
    pub fn start(root: &Path, authorization: Option<String>, before: Before) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let root = root.to_owned();
        let running = Mutex::new(Some(HashSet::new()));
        let shared = Arc::new(Shared { root, authorization, before, seen: Mutex::default(), running });
        let all = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = all.clone();
                std::thread::spawn(move || {
                    // A client that is killed is what some tests are about.
                    let _ = serve(stream, &shared);
                });
            }
        });
        Self { url, shared }
    }

    /// Ends whatever the server is doing.
    pub fn end_all(&self) {
        for group in self.shared.running.lock().unwrap().iter().flatten() {
            let group = format!("-{group}");
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

pub fn plain(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Shared { root, authorization, before, seen, running } = shared;
    let authorization = authorization.as_deref();
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut body)?;
    } else if headers.get("transfer-encoding").is_some_and(|kind| kind == "chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
            reader.read_exact(&mut chunk)?;
            if chunk.len() == 2 {
                break;
            }
            body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }
    let request = Seen { line: line.trim().to_owned(), authorization: headers.get("authorization").cloned() };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    if let Some(answer) = before(number, &request) {
        return stream.write_all(answer.as_bytes());
    }
    if authorization.is_some() && request.authorization.as_deref() != authorization {
        let head = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(head.as_bytes());
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut command = Command::new("git");
    command.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "spackbot");
    command
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REMOTE_ADDR", "127.0.0.1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("CONTENT_LENGTH", body.len().to_string());
    for (header, name) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        command.envs(headers.get(header).map(|value| (name, value)));
    }
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = {
        let mut running = running.lock().unwrap();
        let Some(running) = running.as_mut() else { return Ok(()) };
        let child = command.spawn()?;
        running.insert(child.id());
        child
    };
    let group = child.id();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || stdin.write_all(&body));
    let said = child.wait_with_output()?.stdout;
    if let Some(running) = running.lock().unwrap().as_mut() {
        running.remove(&group);
    }
    let Some(end) = said.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(()) };
    let head = String::from_utf8_lossy(&said[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let body = &said[end + 4..];
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{head}\r\n\r\n", body.len())?;
    stream.write_all(body)
}
