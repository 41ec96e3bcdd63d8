//! The same against moto, a whole S3 server, where it is installed.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::*;

struct Moto {
    child: Child,
    base: String,
}

impl Moto {
    async fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("skipped: moto_server not found");
            return None;
        };
        let mut moto = Self { child, base: format!("http://127.0.0.1:{port}") };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        for _ in 0..400 {
            if http.get(format!("{}/moto-api/", moto.base)).send().await.is_ok() {
                return Some(moto);
            }
            if moto.child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!("skipped: moto_server does not start");
        None
    }

    fn reader(&self, credentials: Credentials) -> Reader {
        let s3 = S3Access { endpoint: Some(self.base.clone()), region: None, credentials };
        Reader::new(Settings { s3, ..settings() })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_bucket_of_moto_is_read() {
    let Some(moto) = Moto::start().await else { return };
    let keys = || Credentials::Keys { id: "testing".to_owned(), secret: "testing".to_owned().into(), session: None };
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_s3::config::Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::Credentials::new("testing", "testing", None, None, "test"))
        .endpoint_url(&moto.base)
        .force_path_style(true)
        .build();
    let writer = aws_sdk_s3::Client::from_conf(config);
    writer.create_bucket().bucket("mirrors").send().await.unwrap();
    let mirror = Mirror::default().v3(&index(8)).v2(&index(7)).with("broken/a", "").with("broken/b+c", "");
    for (path, bytes) in &mirror.0 {
        let body = bytes.clone().into();
        writer.put_object().bucket("mirrors").key(format!("develop/e4s/{path}")).body(body).send().await.unwrap();
    }
    let reader = moto.reader(keys());
    let view = reader.view("m", "s3://mirrors/develop/e4s/", &wanted()).await;
    assert_eq!(listings(view).iter().map(|l| (l.layout, l.listed.len())).collect::<Vec<_>>(), [(3, 3), (2, 3)]);
    for absent in ["s3://mirrors/develop", "s3://mirrors"] {
        assert_eq!(reader.view("m", absent, &wanted()).await.state, MirrorState::Absent, "{absent}");
    }
    assert_eq!(reader.names("s3://mirrors/develop/e4s/broken").await.unwrap(), ["a", "b+c"]);
    assert_eq!(reader.names("s3://mirrors/develop").await.unwrap(), ["e4s"]);
    assert_eq!(reader.names("s3://mirrors/none").await, Ok(Vec::new()));
    let failed = failure(&reader.view("m", "s3://no-such-bucket/x", &wanted()).await);
    assert!(failed.contains("there is no such bucket"), "{failed}");
    assert!(reader.names("s3://no-such-bucket/x").await.is_err());
    let anonymous = moto.reader(Credentials::Anonymous).view("m", "s3://mirrors/develop/e4s", &wanted()).await;
    println!("anonymous: {:?}", anonymous.state);
    assert_ne!(anonymous.state, MirrorState::Absent);
}
