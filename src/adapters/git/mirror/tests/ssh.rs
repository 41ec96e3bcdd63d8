//! The mirror through a real OpenSSH. What it says of a wrong key or host is what the recorder of `secrets` says in its place.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::world::{World, batch, command_lines, pr, until};
use crate::adapters::git::mirror::{Credentials, Landed, Mirror, MirrorError, Settings, Side, SshKey};
use crate::bridge::Expects;

const SSHD: &str = "/usr/sbin/sshd";

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A world whose GitLab is behind an sshd that lets in whoever has the key `good`.
struct Behind {
    world: World,
    sshd: Running,
    port: u16,
    user: String,
}

impl Behind {
    /// Starts it. Without sshd on this machine there is none, which CI does not take for an answer.
    async fn ssh(world: World) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            assert!(std::env::var_os("CI").is_none(), "sshd is missing");
            writeln!(std::io::stderr(), "SKIPPED: sshd not found (apt-get install openssh-server)").unwrap();
            return None;
        }
        let folder = world.scratch.path();
        let user = run("id", &["-un"], folder);
        if user == "root" {
            // The folder into which it locks itself up; where there is a service manager, that makes it.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        for name in ["host", "good", "bad"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", name], folder);
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| world.path(name).display().to_string();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n",
            at("host"),
            at("good.pub"),
        );
        let settings = world.scratch.write("sshd_config", settings);
        let log = std::fs::File::create(world.path("sshd-log")).unwrap();
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(settings).stdin(Stdio::null()).stderr(log);
        let sshd = Running(command.spawn().unwrap());
        until("sshd", || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Some(Self { world, sshd, port, user })
    }

    /// A file in which the host key is that of a name.
    fn pinned(&self, name: &str) -> PathBuf {
        let public = std::fs::read_to_string(self.world.path(&format!("{name}.pub"))).unwrap();
        let key: Vec<&str> = public.split(' ').take(2).collect();
        let line = format!("[127.0.0.1]:{} {}\n", self.port, key.join(" "));
        self.world.scratch.write(&format!("known hosts of {name}"), line)
    }

    fn settings(&self, key: SshKey, known_hosts: PathBuf) -> Settings {
        let mut settings = self.world.settings();
        let lab = self.world.path("lab.git");
        settings.gitlab.url = format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, lab.display());
        settings.gitlab.credentials = Credentials::Ssh { key, known_hosts };
        Settings { tries: 1, ..settings }
    }
}

#[tokio::test]
async fn case_T6_every_kind_of_key_opens_a_real_sshd_and_a_wrong_one_does_not() {
    let (world, story) = World::with_prs();
    let Some(behind) = Behind::ssh(world).await else { return };
    let world = &behind.world;
    let socket = world.path("agent");
    let mut agent = Command::new("ssh-agent");
    agent.args(["-D", "-a"]).arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
    let agent = Running(agent.spawn().unwrap());
    until("ssh-agent", || socket.exists()).await;
    let mut add = Command::new("ssh-add");
    add.arg("-q").arg(world.path("good")).env("SSH_AUTH_SOCK", &socket).stdin(Stdio::null());
    assert!(add.status().unwrap().success());
    let coded = STANDARD.encode(std::fs::read(world.path("good")).unwrap());
    for (at, key) in [
        SshKey::File(world.path("good")),
        SshKey::Base64(SecretString::from(coded)),
        SshKey::Agent { socket: socket.clone(), public: world.path("good.pub") },
    ]
    .into_iter()
    .enumerate()
    {
        let mirror = Mirror::open(behind.settings(key, behind.pinned("host"))).await.unwrap();
        assert_eq!(mirror.list(Side::GitLab).await.unwrap().branches.len(), at);
        mirror.fetch([pr(1)]).await;
        let landed = mirror.push(&batch(&[(&format!("pr{at}_x"), &story.clean, Expects::Absent)])).await;
        assert_eq!(landed[0].1, Landed::Accepted);
        assert_eq!(std::fs::read_dir(world.path("mirror/keys")).unwrap().count(), 0);
    }
    drop(agent);
    let wrong = behind.settings(SshKey::File(world.path("bad")), behind.pinned("host"));
    let error = Mirror::open(wrong).await.unwrap().list(Side::GitLab).await.unwrap_err();
    assert!(matches!(error, MirrorError::Denied { side: Side::GitLab, .. }) && error.passes(), "{error:?}");
}

#[tokio::test]
async fn case_E25_a_real_ssh_sends_nothing_to_a_host_that_is_not_the_pinned_one() {
    let (world, story) = World::with_prs();
    let Some(behind) = Behind::ssh(world).await else { return };
    let nobody = behind.world.scratch.write("known hosts of nobody", "");
    for known_hosts in [behind.pinned("bad"), nobody] {
        let settings = behind.settings(SshKey::File(behind.world.path("good")), known_hosts);
        let mirror = Mirror::open(settings).await.unwrap();
        mirror.fetch([pr(1)]).await;
        let landed = mirror.push(&batch(&[("pr1_x", &story.clean, Expects::Absent)])).await;
        let Landed::Failed(error) = &landed[0].1 else { panic!("{landed:?}") };
        assert!(matches!(error, MirrorError::HostKey { side: Side::GitLab, .. }), "{error:?}");
        assert_eq!(behind.world.refs("lab.git"), []);
    }
}

#[tokio::test]
async fn an_sshd_that_is_gone_or_has_no_such_repository_is_told_apart() {
    let Some(mut behind) = Behind::ssh(World::new()).await else { return };
    let settings = |behind: &Behind| behind.settings(SshKey::File(behind.world.path("good")), behind.pinned("host"));
    let mut elsewhere = settings(&behind);
    elsewhere.gitlab.url += "-that-is-not-there";
    let error = Mirror::open(elsewhere).await.unwrap().list(Side::GitLab).await.unwrap_err();
    assert!(matches!(error, MirrorError::NoRepository { .. }), "{error:?}");
    let mirror = Mirror::open(settings(&behind)).await.unwrap();
    behind.sshd.0.kill().unwrap();
    behind.sshd.0.wait().unwrap();
    let error = mirror.list(Side::GitLab).await.unwrap_err();
    assert!(matches!(error, MirrorError::Unreachable { side: Side::GitLab, .. }) && error.passes(), "{error:?}");
}

#[tokio::test]
async fn a_real_ssh_ends_with_the_command_that_is_given_up() {
    let (world, story) = World::with_prs();
    let Some(behind) = Behind::ssh(world).await else { return };
    behind.world.hook("pre-receive", "sleep 60");
    let mut settings = behind.settings(SshKey::File(behind.world.path("good")), behind.pinned("host"));
    settings.deadlines.push = std::time::Duration::from_secs(2);
    let mirror = Mirror::open(settings).await.unwrap();
    mirror.fetch([pr(1)]).await;
    let landed = mirror.push(&batch(&[("pr1_x", &story.clean, Expects::Absent)])).await;
    assert!(matches!(&landed[0].1, Landed::Failed(MirrorError::Deadline { .. })), "{landed:?}");
    let known_hosts = behind.pinned("host").display().to_string();
    until("the end of ssh", || command_lines(&known_hosts).is_empty()).await;
}
