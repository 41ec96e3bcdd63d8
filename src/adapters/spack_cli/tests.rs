//! A process boundary: shell scripts stand for Spack, as it may behave at its worst.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::run::*;
use super::*;

fn run(name: &str, script: &str, patience: Duration) -> (Result<(), ConcretizeFault>, Vec<String>) {
    let folder = std::env::temp_dir().join(format!("stackhand-spack-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let spack = folder.join("spack");
    std::fs::write(&spack, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&spack, PermissionsExt::from_mode(0o755)).unwrap();
    let ask = Concretize { spack, environment: folder.clone(), patience };
    let mut lines = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = loop {
        let ended = runtime.block_on(concretize(&ask, |line| lines.push(String::from_utf8_lossy(line).into_owned())));
        // A child that another test is just starting may hold the script open for a moment.
        if !matches!(&ended, Err(ConcretizeFault::Start(why)) if why.contains("Text file busy")) {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    std::fs::remove_dir_all(&folder).unwrap();
    (ended, lines)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn output_is_handed_on_and_ends_are_told() {
    let (ended, lines) = run("good", "echo \"$@\"; echo more >&2", LONG);
    assert_eq!(ended, Ok(()));
    assert!(
        lines.iter().any(|line| line.ends_with("concretize --force")) && lines.contains(&"more".to_owned()),
        "{lines:?}"
    );
    let (ended, _) = run("bad", "echo \"==> Error: Package 'nope' not found.\" >&2; exit 1", LONG);
    assert_eq!(ended, Err(ConcretizeFault::UnknownPackage { name: "nope".to_owned() }));
    let (ended, _) = run("killed", "kill -9 $$", LONG);
    assert_eq!(ended, Err(ConcretizeFault::Killed(9)));
    let missing = Concretize { spack: "/nonexistent/spack".into(), ..Concretize::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(matches!(runtime.block_on(concretize(&missing, |_| {})), Err(ConcretizeFault::NotFound(_))));
}

#[test]
fn a_flood_and_a_hang_are_bounded() {
    let (ended, lines) = run("flood", "head -c 20000000 /dev/zero; printf '\\377\\n'; exit 3", LONG);
    assert!(matches!(ended, Err(ConcretizeFault::Other { code: 3, .. })), "{ended:?}");
    assert!(lines.iter().all(|line| line.len() <= 3 * MAX_LINE));
    let began = Instant::now();
    let (ended, _) = run("hang", "sleep 30 & sleep 30", Duration::from_millis(300));
    assert!(matches!(ended, Err(ConcretizeFault::Slow(_))) && began.elapsed() < Duration::from_secs(10));
}
