use super::*;

async fn refused(text: &str) -> Fault {
    let scratch = Scratch::new();
    let path = scratch.write("config", text);
    Cluster::new(settings(Access::File { path, context: None }), Arc::new(SystemClock)).await.unwrap_err()
}

#[tokio::test]
async fn every_login_without_a_program_is_used() {
    let server = server(|_, _| ok(&page("1", "", &[]))).await;
    let scratch = Scratch::new();
    let token = scratch.write("token", "canary-file\n");
    for (user, header) in [
        ("{token: canary}".to_owned(), "authorization: Bearer canary\r\n"),
        (format!("{{tokenFile: {}}}", token.display()), "authorization: Bearer canary-file\r\n"),
        ("{username: me, password: canary}".to_owned(), "authorization: Basic bWU6Y2FuYXJ5\r\n"),
    ] {
        let cluster = cluster_with(&server.url, &user, |_| {}).await.unwrap();
        cluster.list(&Kind::Nodes).await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert!(seen.contains(header), "{seen}");
        assert!(!format!("{cluster:?}").contains("canary"));
        assert!(cluster.url().starts_with(&server.url));
    }
    let cluster = cluster_with(&format!("{}/k8s/clusters/c-1", server.url), "{}", |_| {}).await.unwrap();
    cluster.list(&Kind::Nodes).await.unwrap();
    let seen = server.seen().pop().unwrap();
    assert!(seen.starts_with("GET /k8s/clusters/c-1/api/v1/nodes?limit=500 "), "{seen}");
    assert!(!seen.contains("authorization"));
}

#[tokio::test]
async fn a_program_runs_only_where_that_is_allowed() {
    let scratch = Scratch::new();
    let trace = scratch.path().join("ran");
    let credential =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"canary-exec"}}"#;
    let exec = |script: &str| {
        let script = script.replace('\'', "''");
        format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, '{script}'], interactiveMode: IfAvailable}}}}"
        )
    };
    let server = server(|_, _| ok(&page("1", "", &[]))).await;
    let runs = exec(&format!("touch {}; echo '{credential}'", trace.display()));
    let fault = cluster_with(&server.url, &runs, |_| {}).await.unwrap_err();
    assert!(fault.kind == FaultKind::Local && fault.detail.contains("running `sh`, which is not allowed"), "{fault}");
    assert!(!trace.exists());
    let allow = |settings: &mut Settings| settings.may_run_login = true;
    let cluster = cluster_with(&server.url, &runs, allow).await.unwrap();
    cluster.list(&Kind::Nodes).await.unwrap();
    assert!(trace.exists() && server.seen()[0].contains("authorization: Bearer canary-exec"));
    // Nothing that it prints is passed on.
    let fails = exec("echo canary-out; echo canary-err >&2; exit 3");
    let fault = cluster_with(&server.url, &fails, allow).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unauthorized);
    assert!(fault.detail.contains("exit status: 3") && !fault.detail.contains("canary"), "{fault}");
    let fault = cluster_with(&server.url, &exec("echo canary-junk"), allow).await.unwrap_err();
    assert!(fault.detail.contains("did not give credentials") && !fault.detail.contains("canary"), "{fault}");
    let hasty =
        |settings: &mut Settings| (settings.may_run_login, settings.request) = (true, Duration::from_millis(100));
    let fault = cluster_with(&server.url, &exec("sleep 2"), hasty).await.unwrap_err();
    assert_eq!((fault.kind, &*fault.detail), (FaultKind::Timeout, "the kubeconfig's login did not end within 0.1 s"));
    let gcp = "{auth-provider: {name: gcp, config: {cmd-path: /bin/gcloud, cmd-args: x}}}";
    let fault = cluster_with(&server.url, gcp, |_| {}).await.unwrap_err();
    assert!(fault.detail.contains("`/bin/gcloud`, which is not allowed"), "{fault}");
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_said_without_its_secrets() {
    let whole = kubeconfig("https://host", "{token: canary}");
    for (text, said) in [
        ("token: canary: [".to_owned(), "it is no kubeconfig"),
        (format!("{whole}  odd: canary\n - x"), "it is no kubeconfig"),
        (whole.replace("current-context: here\n", ""), "no current context"),
        (whole.replace("current-context: here", "current-context: there"), "no such context"),
        (whole.replace("{cluster: c,", "{cluster: d,"), "does not have the cluster"),
        (whole.replace("https://host", "not a url"), "invalid uri"),
        (whole.replace("{server: \"https://host\"}", "{}"), "cluster url is missing"),
    ] {
        let fault = refused(&text).await;
        assert!(fault.kind == FaultKind::Local && fault.detail.contains(said), "{fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
    let access = Access::File { path: "/nowhere/config".into(), context: None };
    let fault = Cluster::new(settings(access), Arc::new(SystemClock)).await.unwrap_err();
    assert_eq!(fault.detail, "/nowhere/config: No such file or directory (os error 2)");
    let scratch = Scratch::new();
    let path = scratch.write("config", &whole);
    let access = Access::File { path, context: Some("other".to_owned()) };
    assert!(
        Cluster::new(settings(access), Arc::new(SystemClock)).await.unwrap_err().detail.contains("no such context")
    );
    let fault = Cluster::new(settings(Access::InCluster), Arc::new(SystemClock)).await.unwrap_err();
    assert!(fault.detail.starts_with("this is no pod with a service account"), "{fault}");
}

#[tokio::test]
async fn tls_finds_its_one_provider() {
    let cluster = cluster_with("https://127.0.0.1:1", "{token: canary}", |_| {}).await.unwrap();
    let fault = cluster.list(&Kind::Nodes).await.unwrap_err();
    assert!(fault.kind == FaultKind::Unreachable && fault.detail.contains("refused"), "{fault}");
}
