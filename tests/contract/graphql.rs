//! GraphQL: our server against the hand-written subset of GitLab's schema, and the rules of paging and cost.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::server::Server;

/// The query of the console's notes on GitLab.
pub const JOBS: &str = "query Jobs($p: ID!, $iid: ID!, $n: Int!, $c: String, $st: [CiJobStatus!]) {
  queryComplexity { score limit }
  project(fullPath: $p) { pipeline(iid: $iid) { id iid status updatedAt
    jobs(first: $n, after: $c, retried: false, statuses: $st) { pageInfo { hasNextPage endCursor }
      nodes { id name status kind allowFailure createdAt queuedAt startedAt finishedAt duration
              stage { name } needs { nodes { name } } } } } } }";

pub async fn ask(server: &Server, token: bool, query: &str, variables: &Value) -> Value {
    let token = token.then_some(server.running.token.as_str());
    let reply = server.post_json("/api/graphql", token, &json!({ "query": query, "variables": variables })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

pub async fn jobs_page(server: &Server, iid: &str, first: u64, statuses: &[&str]) -> Value {
    ask(server, true, JOBS, &json!({ "p": "spack/spack-packages", "iid": iid, "n": first, "st": statuses })).await
}

/// Types of the subset with their fields and whether each has a selection.
pub fn subset() -> BTreeMap<String, BTreeMap<String, String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/gitlab/ci-subset.graphql");
    let text: String =
        std::fs::read_to_string(path).unwrap().lines().filter(|l| !l.starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut types = BTreeMap::new();
    for block in text.split("\ntype ").skip(1) {
        let (name, body) = block.split_once('{').unwrap();
        let mut body = body.split_once('}').unwrap().0.to_owned();
        while let Some(open) = body.find('(') {
            let close = body[open..].find(')').unwrap() + open;
            body.replace_range(open..=close, "");
        }
        let words: Vec<&str> = body.split_whitespace().collect();
        let fields = words
            .chunks(2)
            .map(|pair| (pair[0].trim_end_matches(':').to_owned(), pair[1].trim_matches(['!', '[', ']']).to_owned()))
            .collect();
        types.insert(name.trim().to_owned(), fields);
    }
    types
}

/// A way from the root to each type, as the text before and after the field.
fn way_to(name: &str) -> (&'static str, &'static str) {
    let (start, rest) = match name {
        "Query" => ("{ ", " }"),
        "QueryComplexity" => ("{ queryComplexity { ", " } }"),
        "Project" => ("{ project(fullPath: \"spack/spack-packages\") { ", " } }"),
        "PipelineConnection" => ("{ project(fullPath: \"spack/spack-packages\") { pipelines(first: 1) { ", " } } }"),
        "Pipeline" => ("{ project(fullPath: \"spack/spack-packages\") { pipelines(first: 1) { nodes { ", " } } } }"),
        "CiJobConnection" => ("{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { ", " } } }"),
        "PageInfo" => ("{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { pageInfo { ", " } } } }"),
        "CiJob" => ("{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { nodes { ", " } } } }"),
        "CiBuildNeedConnection" => {
            ("{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { nodes { needs { ", " } } } } }")
        }
        "CiBuildNeed" => (
            "{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { nodes { needs { nodes { ",
            " } } } } } }",
        ),
        "CiStage" => {
            ("{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { nodes { stage { ", " } } } } }")
        }
        "CiRunnerConnection" => ("{ project(fullPath: \"spack/spack-packages\") { runners(first: 1) { ", " } } }"),
        "CiRunnerManagerConnection" => {
            ("{ project(fullPath: \"spack/spack-packages\") { runners(first: 1) { nodes { managers { ", " } } } } }")
        }
        "CiRunnerManager" => (
            "{ project(fullPath: \"spack/spack-packages\") { runners(first: 1) { nodes { managers { nodes { ",
            " } } } } } }",
        ),
        "CiRunner" => {
            ("{ project(fullPath: \"spack/spack-packages\") { jobs(first: 1) { nodes { runner { ", " } } } } }")
        }
        other => panic!("the subset has a type {other} that this test does not know"),
    };
    (start, rest)
}

#[tokio::test]
async fn every_field_of_the_subset_is_served_and_no_other() {
    let server = Server::start().await;
    let types = subset();
    assert!(types.len() >= 12, "{:?}", types.keys());
    for (name, fields) in &types {
        let (start, end) = way_to(name);
        for (field, of) in fields {
            let arguments =
                if field == "project" && name == "Query" { "(fullPath: \"spack/spack-packages\")" } else { "" };
            let selection = if types.contains_key(of) { "{ __typename }" } else { "" };
            let reply = ask(&server, true, &format!("{start}{field}{arguments} {selection}{end}"), &json!({})).await;
            assert!(reply.get("errors").is_none(), "{name}.{field}: {reply}");
        }
        let reply = ask(&server, true, &format!("{start}colour{end}"), &json!({})).await;
        assert_eq!(reply["errors"][0]["message"], format!("Field 'colour' doesn't exist on type '{name}'"));
    }
}

#[tokio::test]
async fn rest_and_graphql_tell_the_same_jobs() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let pipeline = server.get(&format!("pipelines/{child}")).await.json();
    let iid = pipeline["iid"].to_string();
    let mut seen = BTreeMap::new();
    let mut cursor = Value::Null;
    loop {
        let variables = json!({ "p": "spack/spack-packages", "iid": iid, "n": 25, "c": cursor });
        let page = ask(&server, false, JOBS, &variables).await;
        assert_eq!(page["data"]["queryComplexity"]["limit"], 200, "{page}");
        let jobs = &page["data"]["project"]["pipeline"]["jobs"];
        for node in jobs["nodes"].as_array().unwrap() {
            let id: u64 = node["id"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
            assert!(seen.insert(id, node.clone()).is_none(), "{id} came twice");
        }
        cursor = jobs["pageInfo"]["endCursor"].clone();
        if jobs["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let rest: Vec<Value> = {
        let mut all = Vec::new();
        for page in 1.. {
            let rows = server.get(&format!("pipelines/{child}/jobs?per_page=100&page={page}")).await.json();
            all.extend(rows.as_array().unwrap().iter().cloned());
            if rows.as_array().unwrap().len() < 100 {
                break;
            }
        }
        all
    };
    assert_eq!(seen.len(), rest.len());
    let names: BTreeSet<&str> = rest.iter().map(|j| j["name"].as_str().unwrap()).collect();
    for job in &rest {
        let node = &seen[&job["id"].as_u64().unwrap()];
        assert_eq!(node["status"], job["status"].as_str().unwrap().to_uppercase());
        for need in node["needs"]["nodes"].as_array().unwrap() {
            assert!(names.contains(need["name"].as_str().unwrap()), "{need}");
        }
    }
}

#[tokio::test]
async fn several_children_fit_into_one_query_and_too_many_do_not() {
    let server = Server::start().await;
    let nightly = server.nightly().await["iid"].to_string();
    let part = |n: usize| {
        format!(
            "c{n}: pipeline(iid: \"{nightly}\") {{ status jobs(first: 100, retried: false) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ id name status startedAt finishedAt needs {{ nodes {{ name }} }} }} }} }} "
        )
    };
    let query = |n: usize| {
        format!("{{ project(fullPath: \"spack/spack-packages\") {{ {} }} }}", (0..n).map(part).collect::<String>())
    };
    let reply = ask(&server, true, &query(4), &json!({})).await;
    assert!(reply["data"]["project"]["c3"]["jobs"]["nodes"].as_array().unwrap().len() > 20, "{reply}");
    let refused = ask(&server, true, &query(12), &json!({})).await;
    let message = refused["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Query has complexity of ") && message.ends_with("which exceeds max complexity of 250"),
        "{message}"
    );
    assert!(refused.get("data").is_none());
}
