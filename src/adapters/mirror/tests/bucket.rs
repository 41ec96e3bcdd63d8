//! A bucket on a server that answers as S3 does, or does not.

use super::*;

fn xml(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>told by\nthe server</Message></Error>")
}

fn reader(server: &Server, credentials: Credentials) -> Reader {
    let endpoint = Some(server.base.trim_end_matches("/m").to_owned());
    let s3 = S3Access { endpoint, region: Some("us-east-1".to_owned()), credentials };
    Reader::new(Settings { s3, ..settings() })
}

/// The bucket is called `m`, as everything lies below `/m`.
async fn view(server: &Server) -> MirrorView {
    reader(server, Credentials::Anonymous).view("m", "s3://m", &wanted()).await
}

#[tokio::test]
async fn a_public_bucket_is_read() {
    let server = serve(Mirror::default().v3(&index(8)).v2(&index(7)), &[]).await;
    let listings = listings(view(&server).await);
    assert_eq!(listings.iter().map(|l| (l.layout, l.listed.len())).collect::<Vec<_>>(), [(3, 3), (2, 3)]);
    assert_eq!(&*listings[0].source, format!("s3://m/{MANIFEST}"));
    assert!(listings[0].modified.is_some());
}

#[tokio::test]
async fn an_object_that_does_not_exist_is_absent_and_nothing_else_is() {
    let server = serve(Mirror::default(), &[]).await;
    assert_eq!(view(&server).await.state, MirrorState::Absent);
    for (odd, reason) in [
        (Odd::Body(404, xml("NoSuchBucket")), "there is no such bucket here; check the URL"),
        (Odd::Status(404), "HTTP 404, without the code"),
        (Odd::Body(404, "<html>Not found</html>".to_owned()), "check AWS_ENDPOINT_URL"),
    ] {
        let server = serve(Mirror::default(), &[("", odd)]).await;
        let failed = failure(&view(&server).await);
        assert!(failed.contains(reason), "{failed}");
        let failed = reader(&server, Credentials::Anonymous).names("s3://m/x").await.unwrap_err();
        assert!(failed.contains(reason), "{failed}");
    }
}

#[tokio::test]
async fn refusals_of_a_bucket_are_failures() {
    for (status, code, reason) in [
        (403, "AccessDenied", "access denied (HTTP 403, AccessDenied); it was asked without credentials"),
        (403, "AccessDenied", "s3:ListBucket"),
        (503, "SlowDown", "HTTP 503, SlowDown, tried 3 times"),
        (500, "InternalError", "HTTP 500, InternalError, tried 3 times"),
        (400, "Odd&#10;Code", "HTTP 400, Odd Code"),
    ] {
        let server = serve(Mirror::default(), &[("", Odd::Body(status, xml(code)))]).await;
        let failed = failure(&view(&server).await);
        assert!(failed.starts_with(&format!("s3://m/{MANIFEST}: ")) && failed.contains(reason), "{failed}");
    }
    let server = serve(Mirror::default(), &[("", Odd::Region("eu-west-1"))]).await;
    let failed = failure(&view(&server).await);
    assert!(failed.contains("in the region eu-west-1") && failed.ends_with("set AWS_REGION=eu-west-1"), "{failed}");
    let server = serve(Mirror::default(), &[("", Odd::Status(405))]).await;
    assert!(failure(&view(&server).await).ends_with("index.manifest.json: HTTP 405"));
    let server = serve(Mirror::default().v3(&index(8)), &[(MANIFEST, Odd::Cut)]).await;
    let failed = failure(&view(&server).await);
    assert!(failed.contains("the answer broke off"), "{failed}");
    let server = serve(Mirror::default(), &[("", Odd::Silent)]).await;
    let endpoint = Some(server.base.trim_end_matches("/m").to_owned());
    let s3 = S3Access { endpoint, ..S3Access::default() };
    let failed = failure(&Reader::new(Settings { s3, ..impatient() }).view("m", "s3://m", &wanted()).await);
    assert!(failed.contains("no answer"), "{failed}");
    let s3 = S3Access { endpoint: Some("http://127.0.0.1:1".to_owned()), ..S3Access::default() };
    let failed = failure(&Reader::new(Settings { s3, ..settings() }).view("m", "s3://m", &wanted()).await);
    assert!(failed.contains("no answer") && failed.contains("tried 3 times"), "{failed}");
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let server = serve(Mirror::default().v3(&index(8)), &[(MANIFEST, Odd::First(2, 503))]).await;
    assert_eq!(listings(view(&server).await).len(), 1);
    assert_eq!(server.count(MANIFEST), 3);
}

#[tokio::test]
async fn keys_are_used_and_not_shown() {
    let server = serve(Mirror::default(), &[("", Odd::Body(403, xml("InvalidAccessKeyId")))]).await;
    let keys = Credentials::Keys { id: "AKIAHUSH".to_owned(), secret: "hush".to_owned().into(), session: None };
    let failed = failure(&reader(&server, keys).view("m", "s3://m", &wanted()).await);
    assert!(failed.contains("InvalidAccessKeyId") && !failed.contains("without credentials"), "{failed}");
    assert!(!failed.to_lowercase().contains("hush"), "{failed}");
}

#[tokio::test]
async fn credentials_that_are_promised_and_cannot_be_had_are_a_failure() {
    if ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
    {
        println!("skipped: there are AWS credentials here");
        return;
    }
    let server = serve(Mirror::default(), &[]).await;
    let begun = std::time::Instant::now();
    let view = reader(&server, Credentials::Shared).view("m", "s3://m", &wanted()).await;
    let failed = failure(&view);
    println!("{failed}: {:?}", begun.elapsed());
    assert!(failed.contains("check the AWS credentials"), "{failed}");
    assert_eq!(server.count(""), 0);
}

#[tokio::test]
async fn names_are_listed_page_by_page() {
    let page = "<?xml version=\"1.0\"?><ListBucketResult><Name>m</Name><Prefix>x/</Prefix><IsTruncated>false</IsTruncated>\
        <Contents><Key>x/</Key><Size>0</Size></Contents><Contents><Key>x/b</Key><Size>0</Size></Contents><Contents><Key>x/a</Key><Size>0</Size></Contents>\
        <CommonPrefixes><Prefix>x/folder/</Prefix></CommonPrefixes></ListBucketResult>";
    let first = page
        .replace("<IsTruncated>false", "<NextContinuationToken>t</NextContinuationToken><IsTruncated>true")
        .replace("x/a<", "x/z<");
    let pages = Mirror::default().with("", page);
    let server = serve(pages, &[("", Odd::Stale(first))]).await;
    let names = reader(&server, Credentials::Anonymous).names("s3://m/x/").await.unwrap();
    assert_eq!(names, ["a", "b", "folder", "z"]);
    assert_eq!(server.count(""), 2);
    let server = serve(Mirror::default(), &[("", Odd::Body(403, xml("AccessDenied")))]).await;
    let error = reader(&server, Credentials::Anonymous).names("s3://m/x/").await.unwrap_err();
    assert!(error.starts_with("s3://m/x/: access denied"), "{error}");
}
