//! Digests of files: those of their bytes, however they are read; errors name the file.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redun_core::hash::file::{digest_file, digest_files, SPLIT_MIN};
use redun_core::hash::{digest_bytes, Scheme};
use redun_core::Error;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 253) as u8).collect()
}

#[test]
fn a_file_has_the_digest_of_its_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data");
    let edge = usize::try_from(SPLIT_MIN).expect("a size");
    for length in [
        0,
        1,
        4096,
        300_000,
        edge - 1,
        edge,
        edge + 1,
        edge + (1 << 19),
        3 * edge + 7,
    ] {
        let bytes = content(length);
        fs::write(&path, &bytes).expect("written");
        for scheme in Scheme::ALL {
            let digest = digest_file(scheme, &path).expect("readable");
            assert_eq!(digest, digest_bytes(scheme, &bytes), "{scheme} {length}");
        }
    }
}

#[test]
fn many_files_keep_their_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths: Vec<PathBuf> = (0..100)
        .map(|i| {
            let path = folder.path().join(i.to_string());
            fs::write(&path, content(i * 97)).expect("written");
            path
        })
        .collect();
    for count in [0, 1, 5, 100] {
        let digests = digest_files(Scheme::Blake3, &paths[..count]).expect("readable");
        let expected: Vec<_> = (0..count)
            .map(|i| digest_bytes(Scheme::Blake3, &content(i * 97)))
            .collect();
        assert_eq!(digests, expected);
    }
}

#[test]
fn large_files_among_small_ones_keep_their_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let edge = usize::try_from(SPLIT_MIN).expect("a size");
    let lengths: Vec<usize> = (0..40)
        .map(|i| if i % 13 == 5 { edge + i } else { i })
        .collect();
    let paths: Vec<PathBuf> = lengths
        .iter()
        .map(|length| {
            let path = folder.path().join(length.to_string());
            fs::write(&path, content(*length)).expect("written");
            path
        })
        .collect();
    for scheme in Scheme::ALL {
        let expected: Vec<_> = lengths
            .iter()
            .map(|length| digest_bytes(scheme, &content(*length)))
            .collect();
        assert_eq!(digest_files(scheme, &paths).expect("readable"), expected);
    }
}

// A mapped file would end the process with a signal here.
#[test]
fn a_file_may_be_cut_short_while_it_is_hashed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data");
    let long = 4 * usize::try_from(SPLIT_MIN).expect("a size");
    let bytes = content(long);
    fs::write(&path, &bytes).expect("written");
    let done = AtomicBool::new(false);
    let lengths = [long, long / 4 + 1, long / 2 + 3, 17, 0];
    thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::File::options().write(true).open(&path);
            let file = file.expect("writable");
            for length in lengths.iter().cycle() {
                file.set_len(*length as u64).expect("a new length");
                if done.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let start = Instant::now();
        let mut hashed = 0;
        while start.elapsed() < Duration::from_millis(400) {
            digest_file(Scheme::Blake3, &path).expect("readable whatever its length");
            hashed += 1;
        }
        done.store(true, Ordering::Relaxed);
        assert!(hashed > 0);
    });
    fs::write(&path, &bytes).expect("written");
    let digest = digest_file(Scheme::Blake3, &path).expect("readable");
    assert_eq!(digest, digest_bytes(Scheme::Blake3, &bytes));
}

#[test]
fn the_first_unreadable_file_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = folder.path().join("good");
    fs::write(&good, b"x").expect("written");
    let mut paths = vec![good; 30];
    paths[11] = folder.path().join("gone");
    paths[20] = folder.path().join("gone too");
    match digest_files(Scheme::Blake3, &paths) {
        Err(Error::Io { path, source }) => {
            assert_eq!(path, paths[11]);
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("expected an error, got {other:?}"),
    }
}

#[cfg(unix)]
#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(digest_file(Scheme::Blake3, folder.path()).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_unknown_length_is_read_to_its_end() {
    let path = std::path::Path::new("/proc/self/cmdline");
    let bytes = fs::read(path).expect("readable");
    let digest = digest_file(Scheme::Blake3, path).expect("readable");
    assert_eq!(digest, digest_bytes(Scheme::Blake3, &bytes));
}
