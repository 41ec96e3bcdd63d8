//! Logs, streamed: a log is never held whole here, however long it is.
//!
//! With a token by the API; without one by the web page of the job, where GitLab shows the logs of public jobs to everybody. The console
//! asks for the log on screen only; the whole log comes each time, because GitLab has no other form of it.

use std::time::Duration;

use bytes::Bytes;
use gitlab::api::projects::jobs::JobTrace;
use http::StatusCode;
use reqwest::Url;

use super::answer;
use super::client::GitLab;
use super::request::{Opened, same_origin};
use super::route::Route;
use crate::ci::JobId;
use crate::console::fault::Fault;

/// A log that is being read. Dropping it closes the connection.
pub struct Trace {
    gitlab: GitLab,
    opened: Opened,
    what: String,
    deadline: Duration,
}

impl GitLab {
    /// Opens the log of a job; `None` when the job has none yet. `web_url` helps where the project is known by number only.
    pub async fn trace(&self, job: JobId, web_url: Option<&str>) -> Result<Option<Trace>, Fault> {
        let what = format!("read the log of job {job}");
        let ask = if self.has_token() {
            self.built(what.clone(), JobTrace::builder().project(self.project_path()).job(job.0).build())?
        } else {
            let mut ask = self.ask(what.clone(), &Route::web_raw(self.project_path(), job), &[])?;
            if let Some(page) =
                web_url.and_then(|text| Url::parse(text).ok()).filter(|url| same_origin(url, self.base()))
            {
                ask.url.set_path(&format!("{}/raw", page.path().trim_end_matches('/')));
            }
            ask
        };
        let opened = self.open(&ask).await?;
        match opened.response.status() {
            StatusCode::NO_CONTENT => Ok(None),
            status if status == StatusCode::ACCEPTED || answer::is_page(opened.response.headers()) => {
                Err(self.note(answer::firewall(&what, status).fault))
            }
            _ => Ok(Some(Trace { gitlab: self.clone(), opened, what, deadline: self.trace_deadline() })),
        }
    }
}

impl Trace {
    /// The next piece, unpacked, of any size; `None` at the end. After a fault the log must be opened anew.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        self.opened.piece(&self.what, self.deadline).await.map_err(|fault| self.gitlab.note(fault))
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("what", &self.what).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Reply, client, http, server};
    use super::*;
    use crate::console::fault::FaultKind;

    async fn all(mut trace: Trace) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = trace.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn the_route_depends_on_the_token() {
        let server =
            server(|_, _| Reply::Now(http(200, "content-type: text/plain\r\n", "==> Installing zlib\n"))).await;
        let log = |token: Option<&'static str>, web: Option<String>| {
            let gitlab = client(&server.url, token);
            async move { all(gitlab.trace(JobId(7), web.as_deref()).await.unwrap().unwrap()).await.unwrap() }
        };
        assert_eq!(log(Some("glpat-x"), None).await, b"==> Installing zlib\n");
        log(None, None).await;
        log(None, Some(format!("{}/other/place/-/jobs/7", server.url))).await;
        log(None, Some("http://elsewhere.example/steal/-/jobs/7".to_owned())).await;
        let lines: Vec<_> = server.seen().iter().map(|r| r.lines().next().unwrap().to_owned()).collect();
        assert_eq!(
            lines,
            [
                "GET /api/v4/projects/spack%2Fspack-packages/jobs/7/trace HTTP/1.1",
                "GET /spack/spack-packages/-/jobs/7/raw HTTP/1.1",
                "GET /other/place/-/jobs/7/raw HTTP/1.1",
                "GET /spack/spack-packages/-/jobs/7/raw HTTP/1.1",
            ]
        );
    }

    #[tokio::test]
    async fn logs_are_unpacked_as_they_come() {
        use std::io::Write as _;
        let text = "==> line of a log\n".repeat(50_000);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let mut answer = http(200, &format!("content-encoding: gzip\r\ncontent-length: {}\r\n", packed.len()), "");
        answer.extend(packed);
        let server = server(move |_, _| Reply::Now(answer.clone())).await;
        let mut trace = client(&server.url, Some("glpat-test")).trace(JobId(7), None).await.unwrap().unwrap();
        let (mut length, mut largest) = (0, 0);
        while let Some(piece) = trace.next().await.unwrap() {
            length += piece.len();
            largest = largest.max(piece.len());
        }
        assert_eq!(length, text.len());
        assert!(largest < 256 << 10, "a piece of {largest} bytes: the log was held whole");
        assert!(server.seen()[0].to_ascii_lowercase().contains("accept-encoding: gzip"));
    }

    #[tokio::test]
    async fn no_log_yet_no_job_no_right_and_a_wall_are_four_things() {
        for (reply, want) in [
            (http(204, "", ""), None),
            (http(404, "", r#"{"message":"404 Not Found"}"#), Some(FaultKind::NotFound)),
            (http(302, "location: /users/sign_in\r\n", ""), Some(FaultKind::Unauthorized)),
            (http(200, "content-type: text/html\r\n", "<html>solve this</html>"), Some(FaultKind::Firewall)),
            (http(202, "x-amzn-waf-action: challenge\r\n", ""), Some(FaultKind::Firewall)),
        ] {
            let server = server(move |_, _| Reply::Now(reply.clone())).await;
            match client(&server.url, None).trace(JobId(7), None).await {
                Ok(trace) => assert!(trace.is_none() && want.is_none()),
                Err(fault) => assert_eq!(Some(fault.kind), want),
            }
        }
    }

    #[tokio::test]
    async fn a_stalled_and_a_cut_log_end_in_a_fault_after_what_came() {
        for (reply, want) in [
            (Reply::Hang(http(200, "content-length: 900\r\n", "first half")), FaultKind::Timeout),
            (Reply::Now(http(200, "content-length: 900\r\n", "first half")), FaultKind::Garbled),
        ] {
            let server = server(move |_, _| reply.clone()).await;
            let gitlab = client(&server.url, Some("glpat-test"));
            let mut trace = gitlab.trace(JobId(7), None).await.unwrap().unwrap();
            assert_eq!(trace.next().await.unwrap().unwrap(), "first half");
            assert_eq!(gitlab.stats().in_flight, 1);
            assert_eq!(trace.next().await.unwrap_err().kind, want);
            drop(trace);
            assert_eq!(gitlab.stats().in_flight, 0, "a closed log gives its place back");
        }
    }
}
