//! Where GitHub's own description of its API lies at hand, answers and requests are held against it.

#[path = "../../../../tests/servers/openapi.rs"]
mod openapi;

use self::openapi::described;
use super::*;

#[tokio::test]
async fn statuses_are_asked_and_told_as_github_describes_them() {
    let combined = json!({
        "state": "pending", "sha": "a".repeat(40), "total_count": 101, "commit_url": "https://api.github.com/c", "url": "https://api.github.com/u",
        "repository": repository(),
        "statuses": [{
            "url": "https://api.github.com/s", "avatar_url": null, "id": 1, "node_id": "x", "state": "pending", "description": "Pipeline is running",
            "target_url": "https://gitlab.spack.io/1", "context": "ci/gitlab-ci", "created_at": "2026-11-30T06:00:00Z",
            "updated_at": "2026-11-30T06:00:00Z", "required": null,
        }],
    });
    let base = "/paths/~1repos~1{owner}~1{repo}~1";
    let answer = format!("{base}commits~1{{ref}}~1status/get/responses/200/content/application~1json/schema");
    if let Some(schema) = described(&answer) {
        let wrong: Vec<String> =
            schema.iter_errors(&combined).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
    let server = server(
        move |_, request| {
            if request.starts_with("GET") { ok(&combined) } else { Reply::Now(http(201, "", "{}")) }
        },
    )
    .await;
    let github = github(&server);
    let read = github.statuses(&sha("a")).await.unwrap();
    assert!(!read.is_whole, "101 contexts, one of them listed");
    for url in [None, Some("https://gitlab.spack.io/1")] {
        let status = CommitStatus::new("ci/gitlab-ci", CommitState::Failure, "Pipeline was skipped", url);
        assert_eq!(github.post_status(&sha("a"), &status).await, Ok(PostAnswer::Posted));
    }
    let seen = server.seen();
    assert!(seen[0].starts_with(&format!("GET /repos/spack/spack-packages/commits/{}/status?per_page=100 ", sha("a"))));
    assert!(seen[1].starts_with(&format!("POST /repos/spack/spack-packages/statuses/{} ", sha("a"))));
    if let Some(schema) =
        described(&format!("{base}statuses~1{{sha}}/post/requestBody/content/application~1json/schema"))
    {
        for request in &seen[1..] {
            assert!(schema.is_valid(&body(request)), "{}", body(request));
        }
        assert!(!schema.is_valid(&json!({"state": "running"})), "the description says no to something");
    }
}

fn repository() -> Value {
    let urls = [
        "archive_url",
        "assignees_url",
        "blobs_url",
        "branches_url",
        "collaborators_url",
        "comments_url",
        "commits_url",
        "compare_url",
        "contents_url",
        "contributors_url",
        "deployments_url",
        "downloads_url",
        "events_url",
        "forks_url",
        "git_commits_url",
        "git_refs_url",
        "git_tags_url",
        "hooks_url",
        "html_url",
        "issue_comment_url",
        "issue_events_url",
        "issues_url",
        "keys_url",
        "labels_url",
        "languages_url",
        "merges_url",
        "milestones_url",
        "notifications_url",
        "pulls_url",
        "releases_url",
        "stargazers_url",
        "statuses_url",
        "subscribers_url",
        "subscription_url",
        "tags_url",
        "teams_url",
        "trees_url",
        "url",
    ];
    let mut fields: serde_json::Map<String, Value> =
        urls.iter().map(|name| ((*name).to_owned(), json!("https://api.github.com/x"))).collect();
    let owner_urls = [
        "avatar_url",
        "events_url",
        "followers_url",
        "following_url",
        "gists_url",
        "html_url",
        "organizations_url",
        "received_events_url",
        "repos_url",
        "starred_url",
        "subscriptions_url",
        "url",
    ];
    let mut owner: serde_json::Map<String, Value> =
        owner_urls.iter().map(|name| ((*name).to_owned(), json!("https://api.github.com/x"))).collect();
    for (name, value) in [
        ("login", json!("spack")),
        ("id", json!(1)),
        ("node_id", json!("x")),
        ("gravatar_id", json!("")),
        ("type", json!("Organization")),
        ("site_admin", json!(false)),
    ] {
        owner.insert(name.to_owned(), value);
    }
    for (name, value) in [
        ("id", json!(1)),
        ("node_id", json!("x")),
        ("name", json!("spack-packages")),
        ("full_name", json!("spack/spack-packages")),
        ("owner", Value::Object(owner)),
        ("private", json!(false)),
        ("description", json!(null)),
        ("fork", json!(false)),
    ] {
        fields.insert(name.to_owned(), value);
    }
    Value::Object(fields)
}
