//! Budgets of the webhook door, over loopback into a file: a delivery is answered within 100 ms at the 99th percentile, one alone and in a storm,
//! and a push wakes the bridge within a second. The file lies where temporary files lie; each answer has waited for the disk.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use futures_util::{StreamExt as _, stream};
use stackhand::adapters::clock::{Clock as _, SystemClock};
use stackhand::adapters::store::Store;
use stackhand::controller::webhooks::{Hooks, Settings, Wakes};
use tokio::runtime::{Builder, Runtime};

use timing::{Sheet, measure, of};

const SECRET: &str = "a secret of the benchmark";
/// What GitHub tells of a pull request has 20 to 30 kB.
const PADDING: usize = 24_000;

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folder = std::env::temp_dir().join(format!("stackhand-bench-webhooks-{}", std::process::id()));
    run(&runtime, &folder);
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

/// A client that signs as GitHub does.
struct Knocker {
    url: String,
    client: reqwest::Client,
    key: hmac::Key,
    padding: String,
}

impl Knocker {
    async fn knock(&self, number: usize) -> Duration {
        let sha = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
        let body = format!(
            r#"{{"action":"synchronize","number":{},"padding":"{}","pull_request":{{"head":{{"sha":"{sha}"}}}}}}"#,
            number % 300,
            self.padding
        );
        let sum = hmac::sign(&self.key, body.as_bytes());
        let hex = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-github-event", "pull_request")
            .header("x-github-delivery", format!("d-{number}"))
            .header("x-hub-signature-256", format!("sha256={hex}"))
            .body(body);
        let begin = Instant::now();
        let status = request.send().await.expect("an answer").status();
        let took = begin.elapsed();
        assert_eq!(status.as_u16(), 202);
        took
    }
}

fn run(runtime: &Runtime, folder: &std::path::Path) {
    let store = runtime.block_on(Store::open(&folder.join("stackhand.db"), SystemClock.now())).expect("a store");
    // What is opened here lives on the runtime.
    let _inside = runtime.enter();
    let settings = Settings { github_secrets: vec![SECRET.into()], ..Settings::default() };
    let hooks = Hooks::open(store.clone(), Arc::new(SystemClock), settings).expect("a door");
    let (mut wakes, router) = (hooks.wakes(), hooks.router());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let knocker = Knocker {
        url: format!("http://{}/hooks/github", listener.local_addr().expect("an address")),
        client: reqwest::Client::new(),
        key: hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()),
        padding: "x".repeat(PADDING),
    };
    runtime.spawn(async move { axum::serve(listener, router).await });
    let mut sheet = Sheet::open("webhooks of 24 kB, into a file");
    let most = Duration::from_millis(100);

    let alone = measure(1_000, |number| runtime.block_on(knocker.knock(number)));
    sheet.compare("to 202: 1,000, one after the other", most, &alone, alone.p99);

    runtime.block_on(clear(&mut wakes));
    let storm = stream::iter(1_000..6_000).map(|number| knocker.knock(number)).buffer_unordered(32);
    let storm = of(runtime.block_on(storm.collect::<Vec<Duration>>()));
    sheet.compare("to 202: 5,000, 32 at once", most, &storm, storm.p99);

    let marked = measure(1, |_| runtime.block_on(clear(&mut wakes)));
    sheet.row("read and mark 5,000 deliveries", None, &marked);

    let woken = measure(10, |turn| {
        runtime.block_on(async {
            knocker.knock(6_000 + turn).await;
            let wake = wakes.next().await;
            wakes.handled(wake).await.expect("room");
        });
    });
    sheet.compare("from a push to the wake-up", Duration::from_secs(1), &woken, woken.p99);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    sheet.print("memory at most, both ends", &format!("{:>9}", peak.trim()), "", true);
    runtime.block_on(store.close());
    sheet.close();
}

async fn clear(wakes: &mut Wakes) {
    while let Some(wake) = wakes.waiting().await {
        wakes.handled(wake).await.expect("room");
    }
}
