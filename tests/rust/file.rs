//! Digests of files: those of their bytes, however they are read; errors name the file.

use std::fs;
use std::path::PathBuf;

use redun_core::hash::file::{digest_file, digest_files, MAP_MIN};
use redun_core::hash::{digest_bytes, Scheme};
use redun_core::Error;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 253) as u8).collect()
}

#[test]
fn a_file_has_the_digest_of_its_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data");
    let edge = usize::try_from(MAP_MIN).expect("a size");
    for length in [0, 1, 4096, 300_000, edge - 1, edge, edge + 1, 3 * edge + 7] {
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
