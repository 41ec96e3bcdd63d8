use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text(read: &Environment) -> Vec<u8> {
    let mut text = Vec::new();
    read.stored_lock.write(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_lock_that_changed_meanwhile_is_not_written_again() {
    let scratch = Scratch::stack("spack: {specs: [lua]}");
    let read = scratch.read().await.unwrap();
    let changed = [LOCK, b"\n"].concat();
    for bytes in [changed.clone(), packed(&changed)] {
        scratch.write("env/spack.lock", bytes);
        let error = read.stored_lock.write(&mut Vec::new()).unwrap_err().to_string();
        assert!(error.ends_with("spack.lock was changed meanwhile; generate again"), "{error}");
    }
}

#[tokio::test]
async fn a_lock_is_read_plain_and_packed() {
    let scratch = Scratch::stack("spack: {specs: [lua]}");
    let plain = scratch.read().await.unwrap();
    assert_eq!(text(&plain), LOCK);
    assert_eq!(plain.lock_path, scratch.0.join("env/spack.lock"));
    let lock = Some(scratch.write("locks/other.lock.gz", packed(LOCK)));
    let unpacked = read(&Wanted { lock, ..scratch.wanted() }, &client()).await.unwrap();
    assert_eq!(text(&unpacked), LOCK);
    assert_eq!(unpacked.lock.roots(), plain.lock.roots());
}

#[tokio::test]
async fn a_lock_of_200_megabytes_is_refused_before_it_is_read() {
    let scratch = Scratch::stack("spack: {}");
    let huge = std::fs::File::create(scratch.0.join("env/spack.lock")).unwrap();
    huge.set_len(200 << 20).unwrap();
    let error = scratch.fault().await;
    assert!(error.starts_with("env/spack.lock: it has more than 128 MB") && error.contains("right file"), "{error}");
    let zeros = packed(&vec![b' '; 200 << 20]);
    scratch.write("env/spack.lock", zeros);
    assert_eq!(scratch.fault().await, error);
}

#[tokio::test]
async fn a_lock_that_cannot_be_used_says_why() {
    let scratch = Scratch::stack("spack: {}");
    let gz = packed(LOCK);
    for (bytes, word) in [
        (&LOCK[..LOCK.len() / 2], "spack.lock is damaged"),
        (b"".as_slice(), "spack.lock is damaged"),
        (b"\x1f\x8b", "cannot be unpacked"),
        (&gz[..gz.len() / 2], "cannot be unpacked"),
        (br#"{"_meta":{"lockfile-version":7}}"#, "lockfile-version 7"),
    ] {
        scratch.write("env/spack.lock", bytes);
        let error = scratch.fault().await;
        assert!(error.starts_with("env/spack.lock: ") && error.contains(word), "{error}");
    }
    fs::remove_file(scratch.0.join("env/spack.lock")).unwrap();
    let error = scratch.fault().await;
    assert!(error.contains("env/spack.lock: there is no lock; run `spack -e env concretize` first"), "{error}");
    scratch.write("env/spack.lock/x", "");
    assert!(scratch.fault().await.contains("it is a folder, but a file is expected"));
}

#[tokio::test]
async fn a_lock_is_older_when_its_manifest_asks_for_more() {
    let scratch = Scratch::stack("spack: {specs: [lua, quandary, hdf5 ~mpi +fortran, hdf5 +mpi]}");
    let environment = scratch.read().await.unwrap();
    let missing = vec!["quandary".to_owned(), "hdf5 +mpi".to_owned()];
    assert_eq!(environment.lock_age, LockAge::OlderThanManifest { missing });
}

#[tokio::test]
async fn case_16_a_root_that_left_the_manifest_is_no_fault() {
    let scratch = Scratch::stack("spack: {specs: [lua]}");
    let environment = scratch.read().await.unwrap();
    assert_eq!(environment.lock_age, LockAge::Fresh);
    assert_eq!(environment.lock.roots_in(&environment.specs).len(), 1);
    assert!(environment.lock.roots().len() > 1);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_not_waited_for() {
    let scratch = Scratch::stack("spack: {}");
    let wanted = Wanted { lock: Some(PathBuf::from("/dev/null")), ..scratch.wanted() };
    let error = read(&wanted, &client()).await.unwrap_err().to_string();
    assert!(error.contains("/dev/null: it is a pipe or a device"), "{error}");
}
