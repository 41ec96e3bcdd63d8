//! Whoever comes to the socket and is no console of ours: the wrong account, the wrong words, nonsense, or somebody who never reads.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;

/// What somebody writes who does not use our program.
struct Stranger(UnixStream);

impl Stranger {
    fn knock(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(stream)
    }

    fn frame(&mut self, frame: &[u8]) {
        self.0.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
        self.0.write_all(frame).unwrap();
    }

    fn hello(&mut self, protocol: &str, version: &str) {
        let hello = json!({ "Hello": { "protocol": protocol, "version": version } });
        self.frame(hello.to_string().as_bytes());
    }

    fn read(&mut self) -> Option<Value> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut frame).ok()?;
        Some(serde_json::from_slice(&frame).unwrap())
    }

    /// Reads to the end; true when the daemon has closed.
    fn is_let_go(&mut self) -> bool {
        let mut piece = vec![0; 65_536];
        loop {
            match self.0.read(&mut piece) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

#[test]
fn the_socket_is_its_owners_alone_and_what_the_dead_left_is_replaced() {
    story(async {
        let mut duty = Duty::begin(Plot::quiet()).await;
        drop(duty.desk().await);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&duty.socket()), mode(duty.socket().parent().unwrap())), (0o600, 0o700));
        duty.stop().await;
        assert!(!duty.socket().exists());
        // Killed daemons remove nothing.
        drop(std::os::unix::net::UnixListener::bind(duty.socket()).unwrap());
        let error = attach(&[duty.socket()], Own::default(), Arc::new(SystemClock)).await;
        assert!(matches!(error, Err(AttachError::Absent)));
        duty.start();
        drop(duty.desk().await);
        duty.end().await;
    });
}

#[test]
fn whoever_says_nonsense_is_let_go_and_nobody_else_notices() {
    story(async {
        let duty = Duty::begin(Plot::quiet()).await;
        let mut desk = duty.desk().await;
        desk.loaded().await;
        let socket = duty.socket();
        let refusals = aside(move || {
            let mut refusals = Vec::new();
            let mut refused = |name: &'static str, talk: &dyn Fn(&mut Stranger)| {
                let mut stranger = Stranger::knock(&socket);
                talk(&mut stranger);
                let why = stranger.read().map(|said| said["Refused"]["why"].as_str().unwrap_or_default().to_owned());
                assert!(stranger.is_let_go(), "{name}");
                refusals.push((name, why.unwrap_or_default()));
            };
            refused("garbage", &|stranger| stranger.frame(b"\x1b[2J\xff\xfe not json"));
            refused("another program", &|stranger| stranger.frame(b"{\"jsonrpc\":\"2.0\"}"));
            refused("another version", &|stranger| stranger.hello("stackhand.attach/1", "0.0.1\u{1b}[2J"));
            refused("another protocol", &|stranger| stranger.hello("stackhand.attach/9", VERSION));
            refused("a huge frame", &|stranger| stranger.0.write_all(&[0xff; 8]).unwrap());
            refused("half a frame", &|stranger| {
                stranger.0.write_all(&[0, 0, 1, 0, b'{']).unwrap();
                stranger.0.shutdown(std::net::Shutdown::Write).unwrap();
            });
            // Past the greeting.
            for nonsense in
                [&b"{}"[..], b"{\"Intend\":{\"Focus\":7}}", b"{\"Hello\":{\"protocol\":\"\",\"version\":\"\"}}"]
            {
                let mut stranger = Stranger::knock(&socket);
                stranger.hello("stackhand.attach/1", VERSION);
                assert_eq!(stranger.read().unwrap()["Welcome"]["pid"], 4_711);
                stranger.frame(nonsense);
                assert!(stranger.is_let_go());
            }
            refusals
        })
        .await;
        let why = |name: &str| refusals.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!(why("garbage"), "a console says hello first");
        assert_eq!(why("another program"), "a console says hello first");
        assert!(why("another version").contains("restart the older of the two"), "{}", why("another version"));
        assert!(why("another protocol").contains("stackhand.attach/9"));
        let later = now().plus(Duration::from_millis(600));
        desk.until("the daemon goes on", |world| world.attachment.is_some() && now() > later).await;
        duty.end().await;
    });
}

#[test]
fn whoever_does_not_read_is_let_go_and_holds_nobody_up() {
    story(async {
        let duty = Duty::begin(Plot::default()).await;
        let mut desk = duty.desk().await;
        desk.loaded().await;
        let socket = duty.socket();
        let sleeper = aside(move || {
            let mut sleeper = Stranger::knock(&socket);
            sleeper.hello("stackhand.attach/1", VERSION);
            sleeper
        })
        .await;
        // The others hear every tick meanwhile, and more.
        let mut longest = Duration::ZERO;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(13) {
            let waited = Instant::now();
            let stamped = desk.attached.link.events.recv().await.unwrap();
            longest = longest.max(waited.elapsed());
            assert!(!matches!(stamped.event, Event::Attached(_)), "the desk was let go");
            drop(desk.world.update(stamped.event, stamped.now));
        }
        assert!(longest < Duration::from_secs(5), "nobody waits for the sleeper: {longest:?}");
        let (told, is_whole) = aside(move || {
            let mut sleeper = sleeper;
            let (mut told, mut is_whole) = (0, false);
            while let Some(said) = sleeper.read() {
                told += 1;
                is_whole |= said == "Whole";
            }
            (told, is_whole)
        })
        .await;
        assert!(told > 0 && !is_whole, "it had a part of the world and was let go: {told}");
        duty.end().await;
    });
}

/// Another account, if this one may become it.
const NOBODY: &str = "65534";

#[test]
fn another_account_is_refused_by_name() {
    let Ok(socket) = std::env::var("STACKHAND_TEST_SOCKET") else {
        return story(async {
            let duty = Duty::begin(Plot { who: Who::Reader, ..Plot::quiet() }).await;
            drop(duty.desk().await);
            // Somebody opened what should be closed: the kernel's word still keeps others out.
            for (path, mode) in
                [(duty.socket(), 0o666), (duty.folder.join("attach"), 0o755), (duty.folder.clone(), 0o755)]
            {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            let socket = duty.socket();
            let ended = aside(move || {
                let this = std::env::current_exe().unwrap();
                let mut command = Command::new("setpriv");
                command.args(["--reuid", NOBODY, "--clear-groups"]).arg(this);
                command.args(["--exact", "attached::another_account_is_refused_by_name"]);
                command.env("STACKHAND_TEST_SOCKET", socket).output()
            })
            .await;
            match ended {
                Ok(ended) if ended.status.success() => {}
                // Only root may become somebody else, and only where the test can be reached.
                Ok(ended) if ended.status.code() == Some(127) || ended.status.code() == Some(126) => {
                    eprintln!("not tried: {}", String::from_utf8_lossy(&ended.stderr));
                }
                Ok(ended) => {
                    panic!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
                }
                Err(error) => eprintln!("not tried: {error}"),
            }
            duty.end().await;
        });
    };
    let mut stranger = Stranger::knock(Path::new(&socket));
    let why = stranger.read().unwrap()["Refused"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("this daemon belongs to uid ") && why.contains("you are uid 65534"), "{why}");
    assert!(stranger.is_let_go());
}
