#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

use super::*;

const SHA: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";

fn about(forge: Forge, event: &str, body: &str) -> About {
    read(forge, event, body).unwrap().about
}

fn sha() -> Sha {
    Sha::parse(SHA).unwrap()
}

#[test]
fn github_tells_of_pull_requests_checks_and_pushes() {
    let github = |event: &str, body: String| read(Forge::GitHub, event, &body).unwrap();
    let pull = |action: &str| {
        github(
            "pull_request",
            format!(
                r#"{{"action":"{action}","number":7,"pull_request":{{"head":{{"sha":"{SHA}","repo":null}},"title":"x"}},"repository":{{"full_name":"spack/spack"}}}}"#
            ),
        )
    };
    assert_eq!(pull("synchronize").about, About::Head { pr: PrNumber(7), head: sha() });
    assert_eq!(pull("labeled").about, About::PullRequest { pr: PrNumber(7) });
    assert_eq!(pull("an action of another day").about, About::PullRequest { pr: PrNumber(7) });
    assert_eq!(pull("closed").project.as_deref(), Some("spack/spack"));
    let check = |kind: &str, action: &str| {
        github(kind, format!(r#"{{"action":"{action}","{kind}":{{"head_sha":"{SHA}"}}}}"#)).about
    };
    assert_eq!(check("check_run", "completed"), About::CheckEnded { head: sha() });
    assert_eq!(check("check_suite", "completed"), About::CheckEnded { head: sha() });
    assert_eq!(check("check_run", "created"), About::Other);
    let push = |name: &str, after: &str| {
        github("push", format!(r#"{{"ref":"{name}","before":"{SHA}","after":"{after}"}}"#)).about
    };
    let name = |name: &str| BranchName::parse(name).unwrap();
    assert_eq!(push("refs/heads/develop", SHA), About::Push { name: name("refs/heads/develop"), to: Some(sha()) });
    assert_eq!(push("refs/tags/v1", &"0".repeat(40)), About::Push { name: name("refs/tags/v1"), to: None });
}

#[test]
fn gitlab_tells_of_pipelines_jobs_and_pushes() {
    let pipeline = |source: &str| {
        let body = format!(
            r#"{{"object_kind":"pipeline","object_attributes":{{"id":9,"ref":"pr7_x","sha":"{SHA}","status":"failed"}},"builds":[{{"id":1}}]{source},"project":{{"path_with_namespace":"spack/spack"}}}}"#
        );
        read(Forge::GitLab, "Pipeline Hook", &body).unwrap()
    };
    let own = pipeline("");
    let name = BranchName::parse("pr7_x").unwrap();
    let of = |parent| About::Pipeline {
        id: PipelineId(9),
        parent,
        git_ref: name.clone(),
        sha: sha(),
        status: Status::Failed,
    };
    assert_eq!((own.project.as_deref(), &own.about), (Some("spack/spack"), &of(None)));
    let child = pipeline(r#","source_pipeline":{"pipeline_id":3,"job_id":4}"#).about;
    assert_eq!(child, of(Some(PipelineId(3))));
    assert!(
        own.about.wakes_bridge(Forge::GitLab) && !child.wakes_bridge(Forge::GitLab),
        "GitHub shows the parent's status"
    );
    let job = about(
        Forge::GitLab,
        "Job Hook",
        r#"{"build_id":5,"build_status":"running","pipeline_id":9,"commit":{"id":9}}"#,
    );
    assert_eq!(job, About::Job { id: JobId(5), pipeline: PipelineId(9), status: Status::Running });
    assert_eq!((job.pipeline(), job.wakes_bridge(Forge::GitLab)), (Some(PipelineId(9)), false));
    let push = about(Forge::GitLab, "Push Hook", &format!(r#"{{"ref":"refs/heads/pr7_x","after":"{SHA}"}}"#));
    assert!(
        push.wakes_bridge(Forge::GitHub) && !push.wakes_bridge(Forge::GitLab),
        "it is the bridge that pushes there"
    );
}

#[test]
fn what_is_not_in_the_known_form_wakes_all_the_same() {
    let long = format!(r#"{{"ref":"refs/heads/{}","after":"{SHA}"}}"#, "a/".repeat(600) + "a");
    for (event, body) in [
        ("pull_request", r#"{"action":"opened"}"#),
        ("pull_request", r#"{"action":"opened","number":-1,"pull_request":{"head":{"sha":"x"}}}"#),
        ("pull_request", r#"{"action":"opened","number":1,"pull_request":{"head":{"sha":"HEAD"}}}"#),
        ("pull_request", r#"{"action":"opened","number":1,"number":2}"#),
        ("push", r#"{"ref":"refs/heads/a b","after":""}"#),
        ("push", &long),
        ("check_run", r#"{"action":"completed","check_run":null}"#),
    ] {
        let told = about(Forge::GitHub, event, body);
        assert_eq!(told, About::Unclear, "{event} {body}");
        assert!(told.wakes_bridge(Forge::GitHub));
    }
    assert_eq!(about(Forge::GitLab, "Pipeline Hook", "{}"), About::Unclear);
}

#[test]
fn case_B39_kinds_that_nobody_knows_are_what_they_are() {
    for event in ["issue_comment", "status", "star", "an event of another day"] {
        let told = about(Forge::GitHub, event, r#"{"action":{"of":"another form"},"number":"x"}"#);
        assert_eq!((told.wakes_bridge(Forge::GitHub), told), (false, About::Other));
    }
    assert_eq!(about(Forge::GitLab, "Wiki Page Hook", "{}"), About::Other);
}

#[test]
fn case_B40_no_repository_and_no_installation_is_no_trouble() {
    let ping = read(Forge::GitHub, "ping", r#"{"zen":"x","hook_id":1}"#).unwrap();
    assert_eq!(ping, Told { project: None, about: About::Other });
    let created = read(Forge::GitHub, "installation", r#"{"action":"created","repositories":[]}"#).unwrap();
    assert_eq!(created, Told { project: None, about: About::Other });
}

#[test]
fn case_B41_what_is_no_object_is_refused() {
    for event in ["pull_request", "ping"] {
        for body in [
            "",
            "[]",
            "[1]",
            "null",
            "\"x\"",
            "{",
            "{\"number\":1,}",
            "{}{}",
            "nonsense",
            "{\"number\":\"x\", nonsense",
        ] {
            let refused = read(Forge::GitHub, event, body).unwrap_err().to_string();
            assert!(refused.starts_with("the body is"), "{body}: {refused}");
        }
        assert!(read(Forge::GitHub, event, &format!("{{\"a\":{}", "[".repeat(100_000))).is_err());
    }
}

#[test]
fn what_github_publishes_as_examples_is_understood() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/github-webhooks");
    let Ok(files) = std::fs::read_dir(folder) else { return };
    let mut seen = 0;
    for path in files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "json"))
    {
        let name = path.file_name().unwrap().to_str().unwrap();
        let told =
            read(Forge::GitHub, name.split('.').next().unwrap(), &std::fs::read_to_string(&path).unwrap()).unwrap();
        let wakes = ["pull_request.", "push.", "check_run.completed", "check_suite.completed"]
            .iter()
            .any(|of| name.starts_with(of));
        assert_eq!(told.about.wakes_bridge(Forge::GitHub), wakes, "{name}: {told:?}");
        assert!(
            told.about != About::Unclear && told.project.is_some() != name.starts_with("installation"),
            "{name}: {told:?}"
        );
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn what_is_remembered_is_read_again() {
    let name = BranchName::parse("refs/heads/a").unwrap();
    for about in [
        About::Head { pr: PrNumber(7), head: sha() },
        About::Push { name: name.clone(), to: None },
        About::Pipeline {
            id: PipelineId(1),
            parent: None,
            git_ref: name,
            sha: sha(),
            status: Status::parse("odd_word"),
        },
        About::Other,
        About::Unclear,
    ] {
        let text = serde_json::to_string(&about).unwrap();
        assert_eq!(serde_json::from_str::<About>(&text).unwrap(), about, "{text}");
    }
}
