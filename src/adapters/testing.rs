//! What tests of adapters share: a folder that goes away again, and a server that misbehaves on command. It writes exactly the bytes it is given,
//! whole, in drops, one after the other as it is fed, or never.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What a connection does with its request.
#[derive(Clone)]
pub enum Reply {
    /// Writes and closes.
    Now(Vec<u8>),
    /// Writes and then says nothing more.
    Hang(Vec<u8>),
    /// Writes, and then one byte again and again.
    Drip(Vec<u8>),
    /// Writes what it is fed, until the feeder is dropped.
    Fed(Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<u8>>>>),
}

/// A running server. It ends with the test's runtime.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The requests so far, head and body.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Starts a server; `answer` gets the number of the request and its text.
pub async fn server(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = seen.clone();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, shared.clone(), answer.clone()));
        }
    });
    Server { url, seen }
}

async fn serve(mut socket: TcpStream, seen: Arc<Mutex<Vec<String>>>, answer: Arc<impl Fn(usize, &str) -> Reply>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match socket.read(&mut buffer).await {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let reply = {
        let mut seen = seen.lock().unwrap();
        seen.push(text.clone());
        answer(seen.len() - 1, &text)
    };
    // The client may have gone: that is what some tests are about.
    match reply {
        Reply::Now(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
        Reply::Hang(bytes) => {
            let _ = socket.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Reply::Drip(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while socket.write_all(b" ").await.is_ok() {
                tick.tick().await;
            }
        }
        Reply::Fed(feed) => {
            let mut feed = feed.lock().await;
            while let Some(bytes) = feed.recv().await {
                if socket.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap()));
    body.len() >= length.unwrap_or(0)
}

/// An answer. Unless `headers` say otherwise its length is that of `body`.
pub fn http(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = if headers.contains("content-length") || headers.contains("chunked") || status == 204 {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n{headers}{length}\r\n{body}").into_bytes()
}

/// A folder of its own, gone at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("stackhand-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
