//! A practice world on a socket, and a client that knows nothing of the adapter.

use serde_json::Value;
use stackhand::sandbox::{Options, Running, Sandbox};

/// A server whose time stands still unless a test moves it.
pub struct Server {
    pub running: Running,
    client: reqwest::Client,
}

/// Status, headers and body of an answer.
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }
}

impl Server {
    pub async fn start() -> Self {
        let running = Sandbox::start(Options { speed: 0.0, ..Options::default() }).await.unwrap();
        Self { running, client: reqwest::Client::new() }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: response.text().await.unwrap() }
    }

    /// The address of a project route, or of any route that starts with a slash.
    pub fn at(&self, path: &str) -> String {
        let url = &self.running.url;
        if path.starts_with('/') {
            format!("{url}{path}")
        } else {
            format!("{url}/api/v4/projects/spack%2Fspack-packages/{path}")
        }
    }

    pub fn request(&self, method: reqwest::Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.client.request(method, self.at(path));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(reqwest::Method::GET, path, Some(&self.running.token))).await
    }

    pub async fn anonymous(&self, path: &str) -> Reply {
        self.send(self.request(reqwest::Method::GET, path, None)).await
    }

    pub async fn post(&self, path: &str) -> Reply {
        self.send(self.request(reqwest::Method::POST, path, Some(&self.running.token))).await
    }

    pub async fn post_json(&self, path: &str, token: Option<&str>, body: &Value) -> Reply {
        self.send(self.request(reqwest::Method::POST, path, token).json(body)).await
    }

    /// Lets virtual seconds pass.
    pub fn pass(&self, seconds: i64) {
        self.running.world(|world| world.advance_to(world.now().shifted(seconds * 1_000)));
    }

    /// The nightly parent.
    pub async fn nightly(&self) -> Value {
        self.get("pipelines?ref=develop&source=schedule").await.json()[0].clone()
    }

    /// The child with the most jobs, and its trigger job.
    pub async fn biggest_child(&self) -> (u64, Value) {
        let parent = self.nightly().await["id"].as_u64().unwrap();
        let bridges = self.get(&format!("pipelines/{parent}/trigger_jobs?per_page=100")).await.json();
        let e4s = bridges.as_array().unwrap().iter().find(|b| b["name"] == "e4s-build").unwrap().clone();
        (e4s["downstream_pipeline"]["id"].as_u64().unwrap(), e4s)
    }

    /// All jobs of a pipeline in some status.
    pub async fn jobs(&self, pipeline: u64, scope: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut page = "1".to_owned();
        while !page.is_empty() {
            let reply = self.get(&format!("pipelines/{pipeline}/jobs?per_page=100&scope[]={scope}&page={page}")).await;
            all.extend(reply.json().as_array().unwrap().iter().cloned());
            reply.header("x-next-page").unwrap().clone_into(&mut page);
        }
        all
    }
}
