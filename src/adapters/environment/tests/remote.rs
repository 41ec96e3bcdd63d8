use std::fmt::Write as _;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::*;
use crate::spack::yaml::Value;

const CI: &str = "ci: {target: remote}";

fn sum(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// A web server on loopback; gives its address.
async fn serve() -> String {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}/ci.yaml", elsewhere.local_addr().unwrap());
    let leads = other.clone();
    let app = Router::new()
        .route("/ci.yaml", get(|| async { CI }))
        .route("/deep.yaml", get(|| async { "include: [x.yaml]" }))
        .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route("/moved", get(|| async { Redirect::temporary("/ci.yaml") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/away", get(move || async move { Redirect::temporary(&leads) }))
        .route("/huge", get(|| async { "#".repeat(10 * file::MEGABYTE + 1) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    tokio::spawn(async move { axum::serve(elsewhere, Router::new().route("/ci.yaml", get(|| async { CI }))).await });
    format!("http://{address}")
}

fn stack(url: &str, sha256: &str, more: &str) -> Scratch {
    Scratch::stack(&format!("spack: {{include: [{{path: '{url}', sha256: {sha256}{more}}}]}}"))
}

#[tokio::test]
async fn a_remote_file_is_a_layer_if_its_checksum_is_right() {
    let base = serve().await;
    for path in ["/ci.yaml", "/moved"] {
        let scratch = stack(&format!("{base}{path}"), &sum(CI).to_uppercase(), "");
        let environment = scratch.read().await.unwrap();
        assert_eq!(environment.layers.section("ci").get("target"), Some(&Value::text("remote")));
        assert_eq!(environment.layers.0[1].name, format!("{base}{path}").into());
    }
    let error = stack(&format!("{base}/ci.yaml"), &sum("x"), "").fault().await;
    assert!(error.contains(&sum(CI)) && error.contains(&sum("x")) && error.contains("correct `sha256`"), "{error}");
}

#[tokio::test]
async fn absent_and_broken_are_different() {
    let base = serve().await;
    for path in ["/gone", "/none"] {
        let url = format!("{base}{path}");
        assert!(stack(&url, &sum(CI), "").fault().await.contains("it does not exist"));
        let environment = stack(&url, &sum(CI), ", optional: true").read().await.unwrap();
        assert_eq!(environment.skipped.len(), 1);
    }
    for optional in ["", ", optional: true"] {
        let error = stack(&format!("{base}/broken"), &sum(CI), optional).fault().await;
        assert!(error.contains("could not be fetched (HTTP 502)"), "{error}");
    }
    let error = stack("http://127.0.0.1:1/ci.yaml", &sum(CI), "").fault().await;
    assert!(error.contains("could not be fetched") && error.contains("try again"), "{error}");
}

#[tokio::test]
async fn redirects_stay_at_home() {
    let base = serve().await;
    let error = stack(&format!("{base}/away"), &sum(CI), "").fault().await;
    assert!(error.contains("it redirects to http://127.0.0.1:"), "{error}");
    let error = stack(&format!("{base}/round"), &sum(CI), "").fault().await;
    assert!(error.contains("more than 5 redirects"), "{error}");
    let follower = Http::from(reqwest::Client::builder().no_proxy().build().unwrap());
    let scratch = stack(&format!("{base}/away"), &sum(CI), "");
    let error = read(&scratch.wanted(), &follower).await.unwrap_err().to_string();
    assert!(error.contains("it redirects to"), "{error}");
}

#[tokio::test]
async fn remote_files_are_bounded_and_include_no_neighbours() {
    let base = serve().await;
    let error = stack(&format!("{base}/huge"), &sum(CI), "").fault().await;
    assert!(error.contains("it has more than 10 MB"), "{error}");
    let error = stack(&format!("{base}/deep.yaml"), &sum("include: [x.yaml]"), "").fault().await;
    assert!(error.contains(&format!("env/spack.yaml → {base}/deep.yaml: `x.yaml` cannot be included")), "{error}");
}

#[tokio::test]
async fn file_urls_are_paths() {
    let scratch = Scratch::new();
    let path = scratch.write("a b/ci.yaml", CI);
    let url = format!("file://{}", path.display().to_string().replace(' ', "%20"));
    scratch.write("env/spack.yaml", format!("spack: {{include: ['{url}']}}"));
    scratch.write("env/spack.lock", LOCK);
    let environment = scratch.read().await.unwrap();
    assert_eq!(environment.layers.section("ci").get("target"), Some(&Value::text("remote")));
}
