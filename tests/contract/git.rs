//! Both forges' git, with real git against it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use stackhand::sandbox::{Act, Running};

use crate::github::Hub;

/// A folder for one test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stackhand-contract-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn git(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(folder).args(args).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder).env("LC_ALL", "C");
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "spackbot")
        .env("GIT_AUTHOR_EMAIL", "noreply@spack.io");
    command.env("GIT_COMMITTER_NAME", "spackbot").env("GIT_COMMITTER_EMAIL", "noreply@spack.io");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn done(folder: &Path, args: &[&str]) -> String {
    let output = git(folder, args).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The address with the token as password.
fn with_token(running: &Running) -> String {
    running.git_url().replace("http://", &format!("http://oauth2:{}@", running.token))
}

/// A clone of the GitHub that can push to the GitLab.
async fn cloned(hub: &Hub, desk: &Desk) -> PathBuf {
    done(&desk.0, &["clone", "-q", "--mirror", &hub.running.github.git_url, "here.git"]).await;
    let here = desk.0.join("here.git");
    done(&here, &["remote", "add", "gitlab", &with_token(&hub.running)]).await;
    here
}

/// An answer of the GitLab.
async fn told(running: &Running, path: &str) -> Value {
    let url = format!("{}/api/v4/projects/57/{path}", running.url);
    let reply = reqwest::Client::new().get(url).bearer_auth(&running.token).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 200, "{path}");
    reply.json().await.unwrap()
}

#[tokio::test]
async fn both_forges_are_cloned_and_agree_with_their_apis() {
    let (hub, desk) = (Hub::start(24).await, Desk::new("clone"));
    let here = cloned(&hub, &desk).await;
    done(&here, &["fsck", "--full", "--strict"]).await;
    let pulls = hub.get("pulls?per_page=100").await.json();
    for pull in pulls.as_array().unwrap() {
        let number = pull["number"].as_u64().unwrap();
        let head = done(&here, &["rev-parse", &format!("refs/pull/{number}/head")]).await;
        let is_behind = head != pull["head"]["sha"].as_str().unwrap();
        let has_unseen = hub.running.hub(|hub| hub.pull(number).unwrap().told.is_some());
        assert_eq!(is_behind, has_unseen, "{number}");
        if let Some(merge) = pull["merge_commit_sha"].as_str() {
            assert_eq!(done(&here, &["rev-parse", &format!("refs/pull/{number}/merge")]).await, merge);
            let said = done(&here, &["log", "-1", "--format=%s %P", merge]).await;
            let base = pull["base"]["sha"].as_str().unwrap();
            assert_eq!(said, format!("Merge {head} into {base} {base} {head}"));
        }
    }
    // Git itself finds the conflicts where the API tells of them.
    let tip = done(&here, &["rev-parse", "refs/heads/develop"]).await;
    for pull in pulls.as_array().unwrap().iter().filter(|pull| pull["base"]["ref"] == "develop") {
        let number = pull["number"].as_u64().unwrap();
        let merged = git(&here, &["merge-tree", "--write-tree", &tip, &format!("refs/pull/{number}/head")]).await;
        let is_clean =
            hub.running.hub(|hub| !matches!(hub.pull(number).unwrap().judged, stackhand::sandbox::Judged::Conflict));
        assert_eq!(merged.status.success(), is_clean, "{number}: {}", String::from_utf8_lossy(&merged.stdout));
    }
    done(&desk.0, &["clone", "-q", "--mirror", &hub.running.git_url(), "there.git"]).await;
    let there = desk.0.join("there.git");
    for branch in told(&hub.running, "repository/branches?per_page=100").await.as_array().unwrap() {
        let name = format!("refs/heads/{}", branch["name"].as_str().unwrap());
        assert_eq!(done(&there, &["rev-parse", &name]).await, branch["commit"]["id"].as_str().unwrap());
    }
    // Develop was tested up to a commit that GitHub has.
    let tested = told(&hub.running, "pipelines?ref=develop&status=failed").await;
    done(&here, &["merge-base", "--is-ancestor", tested[0]["sha"].as_str().unwrap(), "refs/heads/develop"]).await;
}

#[tokio::test]
async fn five_branches_in_one_push_get_four_pipelines() {
    let (hub, desk) = (Hub::start(24).await, Desk::new("five"));
    let here = cloned(&hub, &desk).await;
    let names = ["-f", "--upload-pack=x", "$(id)", "a+b", "föö"];
    let mut args = vec!["push".to_owned(), "--porcelain".to_owned(), "gitlab".to_owned()];
    for name in names {
        let number = hub.number(name);
        args.push(format!("refs/pull/{number}/head:refs/heads/pr{number}_{name}"));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let said = done(&here, &args).await;
    assert!(said.ends_with("Done"), "{said}");
    let mut with_pipeline = 0;
    for name in names {
        let number = hub.number(name);
        let sha = done(&here, &["rev-parse", &format!("refs/pull/{number}/head")]).await;
        let pipelines = told(&hub.running, &format!("pipelines?sha={sha}")).await;
        with_pipeline += pipelines.as_array().unwrap().len();
        for pipeline in pipelines.as_array().unwrap() {
            assert_eq!((&pipeline["ref"], &pipeline["source"]), (&json!(format!("pr{number}_{name}")), &json!("push")));
        }
        let escaped =
            percent_encoding::utf8_percent_encode(&format!("pr{number}_{name}"), percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        assert_eq!(told(&hub.running, &format!("repository/branches/{escaped}")).await["commit"]["id"], json!(sha));
    }
    assert_eq!(with_pipeline, 4);
    let events = told(&hub.running, "events?action=pushed").await;
    assert_eq!((events.as_array().unwrap().len(), &events[0]["push_data"]["ref_count"]), (1, &json!(5)));
    assert_eq!(events[0]["push_data"]["ref"], Value::Null);
}

#[tokio::test]
async fn a_pushed_pipeline_runs_to_its_end_and_a_newer_push_cancels_it() {
    let (hub, desk) = (Hub::start(24).await, Desk::new("runs"));
    let here = cloned(&hub, &desk).await;
    let number = hub.number("a+b");
    let branch = format!("refs/heads/pr{number}_a+b");
    let push = async || {
        done(&here, &["fetch", "-q", "origin"]).await;
        done(&here, &["push", "-q", "-f", "gitlab", &format!("refs/pull/{number}/head:{branch}")]).await;
    };
    push().await;
    hub.running.hub(|hub| hub.act(number, Act::ForcePush)).unwrap();
    push().await;
    let list = format!("pipelines?ref=pr{number}_a%2Bb");
    let both = told(&hub.running, &list).await;
    assert_eq!((both.as_array().unwrap().len(), &both[1]["status"]), (2, &json!("canceled")));
    hub.running.world(|world| world.advance_to(world.now().shifted(8 * 3_600_000)));
    let newest = told(&hub.running, &list).await[0].clone();
    assert!(["success", "failed"].contains(&newest["status"].as_str().unwrap()), "{newest}");
    assert_eq!(newest["sha"], json!(done(&here, &["rev-parse", &format!("refs/pull/{number}/head")]).await));
    let again =
        reqwest::Client::new().post(format!("{}/api/v4/projects/57/pipeline?ref=pr{number}_a%2Bb", hub.running.url));
    assert_eq!(again.bearer_auth(&hub.running.token).send().await.unwrap().status().as_u16(), 201);
    // The branch goes over the API, and git has it no more.
    let url = format!("{}/api/v4/projects/57/repository/branches/pr{number}_a%2Bb", hub.running.url);
    let delete = async || {
        let request = reqwest::Client::new().delete(&url).bearer_auth(&hub.running.token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((delete().await, delete().await), (204, 404));
    assert_eq!(done(&here, &["ls-remote", "gitlab", &branch]).await, "");
    let gone =
        reqwest::Client::new().post(format!("{}/api/v4/projects/57/pipeline?ref=pr{number}_a%2Bb", hub.running.url));
    let gone = gone.bearer_auth(&hub.running.token).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 400);
    assert_eq!(gone.json::<Value>().await.unwrap(), json!({"message": {"base": ["Reference not found"]}}));
}

#[tokio::test]
async fn pushes_are_refused_as_gitlab_refuses_them() {
    let (hub, desk) = (Hub::start(24).await, Desk::new("refused"));
    let here = cloned(&hub, &desk).await;
    let number = hub.number("-f");
    let good = format!("refs/pull/{number}/head:refs/heads/pr{number}_-f");
    let said = async |args: &[&str]| {
        let output = git(&here, args).await;
        let both = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&both).into_owned())
    };
    let (went, text) =
        said(&["push", "--porcelain", "-f", "gitlab", "refs/heads/releases/v1.0:refs/heads/develop", &good]).await;
    assert!(
        !went && text.contains("force push code to a protected branch") && text.contains("pre-receive hook declined"),
        "{text}"
    );
    assert!(
        done(&here, &["ls-remote", "gitlab", &format!("refs/heads/pr{number}_-f")]).await.is_empty(),
        "all or nothing"
    );
    let (went, text) = said(&["push", "--porcelain", &hub.running.git_url(), &good]).await;
    assert!(!went && text.contains("could not read Username"), "{text}");
    let wrong = with_token(&hub.running).replace(&hub.running.token, "glpat-wrong");
    let (went, text) = said(&["push", "--porcelain", &wrong, &good]).await;
    assert!(!went && text.contains("Authentication failed"), "{text}");
    let reader = with_token(&hub.running).replace(&hub.running.token, &hub.running.read_token);
    let (went, text) = said(&["push", "--porcelain", &reader, &good]).await;
    assert!(!went && text.contains("403"), "{text}");
    let (went, _) = said(&["push", &hub.running.github.git_url, &good]).await;
    assert!(!went, "nobody pushes to the GitHub");
    // One ref by itself, others go.
    let other = hub.number("a+b");
    hub.running.refuse_pushes(&[&format!("refs/heads/pr{other}_a+b")]).unwrap();
    let bad = format!("refs/pull/{other}/head:refs/heads/pr{other}_a+b");
    let (went, text) = said(&["push", "--porcelain", "gitlab", &good, &bad]).await;
    assert!(!went && text.contains("(hook declined)"), "{text}");
    assert!(!done(&here, &["ls-remote", "gitlab", &format!("refs/heads/pr{number}_-f")]).await.is_empty());
    // Develop may go on, and its pipeline starts; ci.skip starts none.
    let head = done(&here, &["rev-parse", "refs/heads/develop"]).await;
    done(&here, &["push", "-q", "gitlab", "refs/heads/develop:refs/heads/develop"]).await;
    assert_eq!(told(&hub.running, &format!("pipelines?sha={head}&source=push")).await.as_array().unwrap().len(), 1);
    let parent = done(&here, &["rev-parse", "refs/heads/develop^"]).await;
    assert_eq!(told(&hub.running, &format!("repository/commits/{parent}")).await["id"], json!(parent));
    let sha = done(&here, &["rev-parse", &format!("refs/pull/{other}/head")]).await;
    hub.running.refuse_pushes(&[]).unwrap();
    done(&here, &["push", "-q", "-o", "ci.skip", "gitlab", &bad]).await;
    assert_eq!(told(&hub.running, &format!("pipelines?sha={sha}")).await, json!([]));
    assert_eq!(told(&hub.running, "events?action=pushed").await.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_shallow_and_a_partial_clone_work_and_tags_get_pipelines() {
    let (hub, desk) = (Hub::start(24).await, Desk::new("shallow"));
    done(&desk.0, &["clone", "-q", "--depth=1", &hub.running.github.git_url, "shallow"]).await;
    done(&desk.0, &["clone", "-q", "--filter=blob:none", "--no-checkout", &hub.running.github.git_url, "partial"])
        .await;
    let here = cloned(&hub, &desk).await;
    hub.running.hub(|hub| hub.tag("v1.0.2", "releases/v1.0")).unwrap();
    done(&here, &["fetch", "-q", "origin"]).await;
    done(&here, &["push", "-q", "gitlab", "refs/tags/v1.0.2:refs/tags/v1.0.2"]).await;
    let pipelines = told(&hub.running, "pipelines?ref=v1.0.2").await;
    let id = pipelines[0]["id"].as_u64().unwrap();
    assert_eq!(told(&hub.running, &format!("pipelines/{id}")).await["tag"], json!(true));
    assert_eq!(told(&hub.running, "events?action=pushed").await[0]["push_data"]["ref_type"], "tag");
}
