//! The generated child pipeline that a generate job keeps: it parses, and its edges lead somewhere.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::server::Server;

/// Spack's documents are full of aliases; the parser's guard against too many of them is for strangers.
fn read(yaml: &str) -> Result<BTreeMap<String, Value>, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(yaml, serde_saphyr::options! { budget: None })
}

#[tokio::test]
async fn every_need_in_the_artifact_names_a_job() {
    let server = Server::start().await;
    let parent = server.nightly().await["id"].as_u64().unwrap();
    let jobs = server.jobs(parent, "success").await;
    let generators: Vec<&Value> = jobs.iter().filter(|j| j["name"].as_str().unwrap().ends_with("-generate")).collect();
    assert!(generators.len() > 10);
    for generate in generators {
        let name = generate["name"].as_str().unwrap();
        let stack = name.strip_suffix("-generate").unwrap();
        let path = format!("jobs/{}/artifacts/jobs_scratch_dir/{stack}/cloud-ci-pipeline.yml", generate["id"]);
        // Open to everybody, as on a public instance.
        let file = server.anonymous(&path).await;
        assert_eq!(file.status, 200, "{}", file.body);
        let document: BTreeMap<String, Value> = read(&file.body).unwrap_or_else(|e| panic!("{stack}: {e}"));
        let stages = document["stages"].as_array().unwrap();
        let mut builds = 0;
        for (job, body) in document.iter().filter(|(_, body)| body.get("script").is_some()) {
            assert!(stages.contains(&body["stage"]), "{job}");
            let Some(needs) = body.get("needs") else { continue };
            builds += 1;
            assert_eq!(body["variables"]["SPACK_JOB_SPEC_PKG_NAME"], job.split('@').next().unwrap());
            for need in needs.as_array().unwrap() {
                let target = need["job"].as_str().unwrap();
                let in_parent = need.get("pipeline").and_then(Value::as_str) == Some(&parent.to_string());
                assert!(document.contains_key(target) || (in_parent && target == name), "{job} needs {target}");
            }
        }
        assert!(builds > 0, "{stack}");
    }
}

#[tokio::test]
async fn the_report_beside_it_has_a_verdict_for_every_job() {
    let server = Server::start().await;
    let parent = server.nightly().await["id"].as_u64().unwrap();
    let jobs = server.jobs(parent, "success").await;
    let generate = jobs.iter().find(|j| j["name"] == "e4s-generate").unwrap();
    let file = |name: &str| format!("jobs/{}/artifacts/jobs_scratch_dir/e4s/{name}", generate["id"]);
    let report = server.anonymous(&file("generation-report.json")).await;
    assert_eq!(report.status, 200, "{}", report.body);
    let report = report.json();
    let document = read(&server.anonymous(&file("cloud-ci-pipeline.yml")).await.body).unwrap();
    let decided = report["decisions"].as_object().unwrap().values().filter(|d| d["decision"] == "rebuild");
    let mut decided: Vec<&str> = decided.map(|decision| decision["job"].as_str().unwrap()).collect();
    decided.sort_unstable();
    let built: Vec<&String> =
        document.iter().filter(|(_, job)| job.get("needs").is_some()).map(|(name, _)| name).collect();
    assert_eq!(decided, built);
    assert_eq!(report["stack"], "e4s");
}

#[tokio::test]
async fn the_archive_holds_the_same_file() {
    let server = Server::start().await;
    let parent = server.nightly().await["id"].as_u64().unwrap();
    let jobs = server.jobs(parent, "success").await;
    let generate = jobs.iter().find(|j| j["name"] == "e4s-generate").unwrap();
    let url = server.at(&format!("jobs/{}/artifacts", generate["id"]));
    let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut inside = String::new();
    std::io::Read::read_to_string(
        &mut archive.by_name("jobs_scratch_dir/e4s/cloud-ci-pipeline.yml").unwrap(),
        &mut inside,
    )
    .unwrap();
    let single =
        server.get(&format!("jobs/{}/artifacts/jobs_scratch_dir/e4s/cloud-ci-pipeline.yml", generate["id"])).await;
    assert_eq!(single.body, inside);
    assert_eq!(server.get(&format!("jobs/{}/artifacts/no/such/file", generate["id"])).await.status, 404);
}
