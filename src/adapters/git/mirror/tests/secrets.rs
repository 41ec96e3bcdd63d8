//! Keys and tokens: where they are while a command runs, and where they never are.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::backend::{Backend, plain};
use super::world::{World, batch, command_lines, develop, pr};
use crate::adapters::git::mirror::{Credentials, Landed, Mirror, MirrorError, Settings, Side, SshKey};
use crate::bridge::{Expects, Fault};

const CANARY: &str = "glpat-CANARY0123456789abc";
const KEY: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\r\nCANARYb3BlbnNzaC1rZXktdjEAAAAA\r\n-----END OPENSSH PRIVATE KEY-----";

fn header() -> String {
    format!("Basic {}", STANDARD.encode(format!("oauth2:{CANARY}")))
}

fn with_token(world: &World, backend: &Backend) -> Settings {
    let mut settings = world.settings();
    settings.gitlab.url = format!("{}/lab.git", backend.url);
    settings.gitlab.credentials = Credentials::Token { user: "oauth2".into(), token: CANARY.into() };
    settings
}

/// Files below a folder that hold a text.
fn files(below: PathBuf, with: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![below]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(with)) {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn case_E38_a_token_opens_the_door_and_is_nowhere_to_be_seen() {
    let (world, story) = World::with_prs();
    let seen = Arc::new(Mutex::new((0, Vec::new())));
    let shared = seen.clone();
    // Each time a request arrives, git is running: that is when its arguments can be read.
    let watch = move |_: usize, _: &_| {
        let mut seen = shared.lock().unwrap();
        seen.0 += command_lines("lab.git").len();
        let coded = STANDARD.encode(format!("oauth2:{CANARY}"));
        seen.1.extend(command_lines(CANARY).into_iter().chain(command_lines(&coded)));
        None
    };
    let backend = Backend::start(world.scratch.path(), Some(header()), Box::new(watch));
    let settings = with_token(&world, &backend);
    assert!(!format!("{settings:?}").contains("CANARY"));
    let mirror = Mirror::open(settings).await.unwrap();
    mirror.fetch([develop(), pr(1)]).await;
    assert_eq!(mirror.push(&batch(&[("pr1_x", &story.clean, Expects::Absent)])).await[0].1, Landed::Accepted);
    assert_eq!(mirror.list(Side::GitLab).await.unwrap().branches["pr1_x"], story.clean);
    assert!(backend.seen().iter().any(|request| request.line.contains("git-receive-pack")));
    assert!(backend.seen().iter().all(|request| request.authorization.as_deref() == Some(&*header())));
    let (running, hits) = &*seen.lock().unwrap();
    assert!(*running > 0, "the test is blind");
    assert_eq!(hits, &Vec::<String>::new());
    assert_eq!(files(world.path("mirror"), "CANARY"), Vec::<PathBuf>::new());
    assert_eq!(files(world.path("mirror"), &header()[6..]), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn case_E38_a_server_that_echoes_the_token_does_not_get_it_told() {
    let (world, story) = World::with_prs();
    let echo = |_: usize, request: &super::backend::Seen| {
        let body = format!("you sent {:?} for {CANARY}\n\u{1b}[31m", request.authorization);
        Some(plain("403 Forbidden", &body))
    };
    let backend = Backend::start(world.scratch.path(), None, Box::new(echo));
    let mirror = Mirror::open(with_token(&world, &backend)).await.unwrap();
    mirror.fetch([pr(1)]).await;
    let listed = mirror.list(Side::GitLab).await.unwrap_err();
    let pushed = mirror.push(&batch(&[("pr1_x", &story.clean, Expects::Absent)])).await;
    assert_eq!(backend.seen().len(), 2, "a refusal is not asked for again");
    let Landed::Failed(pushed) = &pushed[0].1 else { panic!("{pushed:?}") };
    for error in [&listed, pushed] {
        assert!(matches!(error, MirrorError::Denied { side: Side::GitLab, .. }), "{error:?}");
        let shown = format!("{error} {error:?} {}", Fault::from(error).why);
        assert!(shown.contains("you sent") && shown.contains("████"), "the echo came through: {shown}");
        assert!(!shown.contains("CANARY") && !shown.contains(&header()[6..]) && !shown.contains('\u{1b}'), "{shown}");
        assert!(Fault::from(error).passes, "it is no fault of the pull request");
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_and_servers_in_trouble_are_asked_again() {
    let (world, _) = World::with_prs();
    let backend = Backend::start(world.scratch.path(), Some("Basic other".to_owned()), Box::new(|_, _| None));
    let mirror = Mirror::open(with_token(&world, &backend)).await.unwrap();
    let error = mirror.list(Side::GitLab).await.unwrap_err();
    assert!(matches!(error, MirrorError::Denied { .. }), "{error:?}");
    drop(mirror);
    let trouble = |number: usize, _: &_| (number < 2).then(|| plain("502 Bad Gateway", "oops"));
    let backend = Backend::start(world.scratch.path(), Some(header()), Box::new(trouble));
    let mirror = Mirror::open(with_token(&world, &backend)).await.unwrap();
    let before = mirror.git_runs();
    assert!(mirror.list(Side::GitLab).await.is_ok());
    assert_eq!(mirror.git_runs() - before, 3);
}

/// An ssh that writes down what it was told, and what the key looked like.
fn recorder(world: &World, then: &str) -> PathBuf {
    let here = world.scratch.path().display();
    let script = format!(
        "for word in \"$@\"; do printf '%s\\n' \"$word\"; done > {here}/told\n\
         key=$(sed -n 's/^IdentityFile=\"\\(.*\\)\"$/\\1/p' {here}/told)\n\
         stat -c '%a %n' \"$key\" > {here}/key-mode; cp \"$key\" {here}/key-copy; stat -c %a \"$(dirname \"$key\")\" > {here}/folder-mode\n\
         echo \"$SSH_AUTH_SOCK\" > {here}/agent; env > {here}/environment\n{then}"
    );
    world.program("my ssh", &script)
}

fn with_ssh(world: &World, key: SshKey, then: &str) -> Settings {
    let known_hosts = world.scratch.write("known hosts", "gitlab.example ssh-ed25519 AAAA\n");
    let mut settings = world.settings();
    settings.gitlab.url = "ssh://git@gitlab.example:2222/spack/spack.git".to_owned();
    settings.gitlab.credentials = Credentials::Ssh { key, known_hosts };
    settings.ssh = recorder(world, then);
    settings
}

const CHANGED: &str = "cat >&2 <<'X'\n\
    @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
    @    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
    @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
    IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n\
    Host key verification failed.\nX\nexit 255";

#[tokio::test]
async fn case_T6_a_key_is_there_while_git_runs_and_gone_afterwards() {
    let world = World::new();
    let coded = STANDARD.encode(KEY);
    // Environment variables are often filled from files with line breaks.
    let broken = format!("{}\n{}\n", &coded[..40], &coded[40..]);
    for key in [coded.clone(), broken] {
        let settings =
            with_ssh(&world, SshKey::Base64(key.into()), "echo 'Permission denied (publickey).' >&2; exit 255");
        let mirror = Mirror::open(settings).await.unwrap();
        let error = mirror.list(Side::GitLab).await.unwrap_err();
        assert!(matches!(error, MirrorError::Denied { .. }), "{error:?}");
        let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
        assert!(read("key-mode").starts_with("600 ") && read("folder-mode") == "700\n");
        assert_eq!(read("key-copy"), format!("{}\n", KEY.replace('\r', "")), "as ssh wants it");
        assert!(!read("environment").contains("CANARY") && !read("environment").contains(&coded[..20]));
        assert_eq!(std::fs::read_dir(world.path("mirror/keys")).unwrap().count(), 0, "gone after an error");
        assert_eq!(files(world.path("mirror"), "CANARY"), Vec::<PathBuf>::new());
        std::fs::remove_file(world.path("key-copy")).unwrap();
    }
    for (bad, says) in [("%%%", "not in base64"), ("aGVsbG8gd29ybGQ=", "no private key"), ("", "no private key")] {
        let settings = with_ssh(&world, SshKey::Base64(bad.into()), "exit 1");
        let error = Mirror::open(settings).await.unwrap().list(Side::GitLab).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("base64 -w0"), "{error}");
    }
}

#[tokio::test]
async fn case_T6_a_key_is_gone_when_the_command_is_given_up() {
    let world = World::new();
    let mut settings = with_ssh(&world, SshKey::Base64(STANDARD.encode(KEY).into()), "sleep 60");
    settings.deadlines.list = std::time::Duration::from_millis(700);
    let mirror = Mirror::open(settings).await.unwrap();
    let error = mirror.list(Side::GitLab).await.unwrap_err();
    assert!(matches!(error, MirrorError::Deadline { .. }) && error.passes(), "{error:?}");
    assert!(world.path("key-copy").exists(), "ssh was started");
    assert_eq!(std::fs::read_dir(world.path("mirror/keys")).unwrap().count(), 0);
    let script = world.path("my ssh").display().to_string();
    super::world::until("the end of ssh", || command_lines(&script).is_empty()).await;
}

#[tokio::test]
async fn case_E25_another_host_key_is_an_alarm_and_nothing_is_sent() {
    let (world, story) = World::with_prs();
    let key = world.scratch.write("key", KEY);
    for then in [
        CHANGED,
        "echo 'No ED25519 host key is known for gitlab.example and you have requested strict checking.' >&2; exit 255",
    ] {
        let mirror = Mirror::open(with_ssh(&world, SshKey::File(key.clone()), then)).await.unwrap();
        mirror.fetch([pr(1)]).await;
        let before = mirror.git_runs();
        let landed = mirror.push(&batch(&[("pr1_x", &story.clean, Expects::Absent)])).await;
        let Landed::Failed(error) = &landed[0].1 else { panic!("{landed:?}") };
        assert!(matches!(error, MirrorError::HostKey { side: Side::GitLab, .. }), "{error:?}");
        assert!(error.to_string().starts_with("ALARM: GitLab did not show the host key that is pinned"), "{error}");
        assert_eq!(mirror.git_runs() - before, 3, "no second try, no fallback");
    }
    // A remote cannot raise the alarm by its words alone.
    let said = "remote: Host key verification failed.\nfatal: the remote end hung up unexpectedly";
    let error = MirrorError::of_remote(Side::GitLab, "push", Some(128), said);
    assert!(matches!(error, MirrorError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn ssh_is_told_to_trust_the_pinned_keys_and_nothing_else() {
    let world = World::new();
    let key = world.scratch.write("my key", KEY);
    let socket = PathBuf::from("/run/agent.sock");
    for (with, agent) in [
        (SshKey::File(key.clone()), "none"),
        (SshKey::Agent { socket: socket.clone(), public: key.clone() }, "SSH_AUTH_SOCK"),
    ] {
        let mirror = Mirror::open(with_ssh(&world, with, "exit 255")).await.unwrap();
        mirror.list(Side::GitLab).await.unwrap_err();
        let told = std::fs::read_to_string(world.path("told")).unwrap();
        let told: Vec<&str> = told.lines().collect();
        let known_hosts = format!("UserKnownHostsFile=\"{}\"", world.path("known hosts").display());
        for option in ["StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes", &known_hosts] {
            let at = told.iter().position(|word| *word == option).unwrap_or_else(|| panic!("{option}: {told:?}"));
            assert_eq!(told[at - 1], "-o");
        }
        assert_eq!(&told[..2], ["-F", "/dev/null"]);
        assert!(told.contains(&"git@gitlab.example") && told.contains(&"2222"), "{told:?}");
        let sock = std::fs::read_to_string(world.path("agent")).unwrap();
        assert_eq!(sock.trim(), if agent == "none" { "" } else { "/run/agent.sock" });
        // What OpenSSH itself makes of these options.
        let options: Vec<&str> = told.iter().copied().take_while(|word| *word != "git@gitlab.example").collect();
        let Ok(output) = std::process::Command::new("ssh").arg("-G").args(&options).arg("gitlab.example").output()
        else {
            println!("skipped: ssh not found");
            continue;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in [
            format!("userknownhostsfile {}", world.path("known hosts").display()),
            "globalknownhostsfile /dev/null".to_owned(),
            "stricthostkeychecking true".to_owned(),
            "identitiesonly yes".to_owned(),
            "batchmode yes".to_owned(),
            format!("identityfile {}", key.display()),
            "updatehostkeys false".to_owned(),
            format!("identityagent {agent}"),
        ] {
            let is_so = said.lines().any(|said| said.replace('"', "") == line);
            assert!(is_so, "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_told_before_anything_is_sent() {
    let world = World::new();
    let key = world.scratch.write("key", KEY);
    let list = async |settings: Settings| {
        Mirror::open(settings).await.unwrap().list(Side::GitLab).await.unwrap_err().to_string()
    };
    let mut settings = with_ssh(&world, SshKey::File("/nowhere/key".into()), "exit 1");
    assert!(list(settings.clone()).await.contains("/nowhere/key is not readable"));
    settings.gitlab.credentials = Credentials::Ssh { key: SshKey::File(key), known_hosts: "/nowhere/hosts".into() };
    assert!(list(settings).await.contains("known hosts /nowhere/hosts is not readable"));
    let odd = world.scratch.write("a'b", KEY);
    assert!(list(with_ssh(&world, SshKey::File(odd), "exit 1")).await.contains("has quotes"));
    assert!(!world.path("told").exists(), "ssh was never started");
    let mode = std::fs::metadata(world.path("mirror/keys")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
