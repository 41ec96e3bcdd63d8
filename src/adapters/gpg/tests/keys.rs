//! Which keys are taken, and what is left behind.

use std::os::unix::fs::PermissionsExt;

use super::super::folder::Folder;
use super::maker::Maker;
use super::*;

fn refused(keys: &[KeyFile]) -> String {
    runtime().block_on(Verifier::new(keys)).unwrap_err().to_string()
}

fn file(name: &str, bytes: &[u8]) -> KeyFile {
    KeyFile { name: name.to_owned(), bytes: bytes.to_vec() }
}

#[test]
fn only_files_of_public_keys_are_taken() {
    let maker = Maker::new();
    maker.key("ci", "never");
    let secret = maker.gpg(&["--armor", "--export-secret-keys", "ci"], b"");
    assert_eq!(
        refused(&[]),
        "no key was given, so every signature would be unknown; name at least one file with a public key"
    );
    for (name, bytes) in [
        ("empty.pub", Vec::new()),
        ("junk.pub", b"hello".to_vec()),
        ("cut.pub", key_a().bytes[..300].to_vec()),
        ("signed.json", GOOD.to_vec()),
        ("ring.kbx", std::fs::read(maker.home().join("pubring.kbx")).unwrap()),
    ] {
        let message = refused(&[key_a(), file(name, &bytes)]);
        assert!(
            message.contains(&format!("the key file {name} ")) && message.contains("gpg --armor --export"),
            "{message}"
        );
    }
    for bytes in [secret.clone(), [key_a().bytes, secret].concat(), maker.gpg(&["--export-secret-keys", "ci"], b"")] {
        let message = refused(&[file("both.asc", &bytes)]);
        assert!(message.starts_with("the key file both.asc holds a secret key"), "{message}");
    }
    let message = refused(&[file("a\u{1b}[2J\nb", b"x")]);
    assert!(!message.contains(['\u{1b}', '\n']), "{message}");
    let two = file("two.pub", &[key_a().bytes, key_b().bytes].concat());
    let verifier = runtime().block_on(Verifier::new(&[two, key_a()])).unwrap();
    let keys: Vec<_> = verifier.keys().iter().map(|key| &**key).collect();
    assert_eq!(keys, ["0BAEFFB243DE65B6B6AEA89E7AE22346BC9ECCD4", KEY_A]);
}

#[test]
fn without_gpg_there_is_no_verdict() {
    for keys in [&[][..], &[key_a()]] {
        let error = runtime().block_on(Verifier::with_program("/nonexistent/gpg".as_ref(), keys)).unwrap_err();
        assert!(matches!(error, GpgError::NoGpg(_)) && error.to_string().contains("install gnupg"), "{error}");
    }
}

/// A shell script around the real gpg, for what it does not do when it is asked.
fn around(folder: &Folder, script: &str) -> PathBuf {
    let path = folder.path().join("gpg");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_file_at_which_gpg_gives_up_is_bad_and_the_rest_is_judged() {
    let folder = Folder::new().unwrap();
    // Dies at every file that holds a certain word.
    let gpg = around(
        &folder,
        r#"case "$*" in *--verify-files*) ;; *) exec gpg "$@" ;; esac
        before=; for name in $(echo "$*" | sed 's/.*--verify-files//'); do
            if grep -q POISON $name; then
                [ -z "$before" ] || gpg --no-tty --status-fd 1 --verify-files $before
                echo "[GNUPG:] FILE_START 1 $name"; kill -9 $$
            fi
            before="$before $name"
        done
        exec gpg "$@""#,
    );
    let poisoned = String::from_utf8(GOOD.to_vec()).unwrap().replace("gzip", "POISON").into_bytes();
    let items = (0..40).map(|at| (at, if at % 7 == 3 { poisoned.clone() } else { GOOD.to_vec() })).collect();
    let judged = runtime()
        .block_on(async { Verifier::with_program(&gpg, &[key_a()]).await.unwrap().verify(items).await.unwrap() });
    assert_eq!(judged.len(), 40);
    for (at, signature) in judged {
        let expected = if at % 7 == 3 { SignatureState::Bad } else { SignatureState::Good };
        assert_eq!(signature.state(), expected, "{at}: {signature}");
    }
}

#[test]
fn a_gpg_that_says_nothing_gives_an_error_and_no_verdict() {
    let folder = Folder::new().unwrap();
    let gpg =
        around(&folder, r#"case "$*" in *--verify-files*) echo "gpg: out of luck" >&2; exit 2 ;; esac; exec gpg "$@""#);
    let error = runtime().block_on(async {
        Verifier::with_program(&gpg, &[key_a()]).await.unwrap().verify(vec![((), GOOD.to_vec())]).await.unwrap_err()
    });
    assert!(error.to_string().contains("out of luck"), "{error}");
}

#[test]
fn nothing_is_left_behind_and_nothing_runs_on() {
    // A folder for temporary files of its own, so that other tests do not matter.
    let folder = Folder::new().unwrap();
    let gpg = around(
        &folder,
        "echo \"$GNUPGHOME\" >> \"$(dirname \"$0\")/homes\"; pwd >> \"$(dirname \"$0\")/homes\"; exec gpg \"$@\"",
    );
    let homes = runtime().block_on(async {
        let verifier = Verifier::with_program(&gpg, &[key_a()]).await.unwrap();
        verifier.verify(vec![(1, GOOD.to_vec()), (2, GOOD.to_vec())]).await.unwrap();
        let homes = std::fs::read_to_string(folder.path().join("homes")).unwrap();
        let home = Path::new(homes.lines().next().unwrap());
        assert_eq!(std::fs::metadata(home).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(home.as_os_str().len() < 80, "{}", home.display());
        let sockets = std::fs::read_dir(home)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("S."));
        assert_eq!(sockets.count(), 0, "an agent was started");
        homes
    });
    let folders: std::collections::BTreeSet<_> = homes.lines().collect();
    assert_eq!(folders.len(), 3, "a home and two batches: {folders:?}");
    assert!(folders.iter().all(|folder| !Path::new(folder).exists()), "{folders:?}");
}
