//! Directories and quick hashes: what belongs to a directory, and the text of a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use redun_core::codec::Node;
use redun_core::hash::structure::digest_structure;
use redun_core::hash::tree::{list_tree, quick_digests, seconds_text};
use redun_core::hash::Scheme;

fn make(root: &Path, path: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, b"x").expect("written");
}

fn names(root: &Path) -> Vec<String> {
    let relative = |path: PathBuf| {
        let path = path.strip_prefix(root).expect("below the root");
        path.to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = list_tree(root).into_iter().map(relative).collect();
    names.sort();
    names
}

#[test]
fn a_tree_is_its_files_without_dotfiles() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    for path in ["a", ".b", "c/d", "c/.e/f", "c/g/h/i"] {
        make(root, path);
    }
    fs::create_dir(root.join("empty")).expect("made");
    assert_eq!(names(root), ["a", "c/d", "c/g/h/i"]);
    assert!(list_tree(&root.join("a")).is_empty());
    assert!(list_tree(&root.join("gone")).is_empty());
}

#[test]
fn wide_trees_are_complete() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for i in 0..60 {
        for j in 0..20 {
            make(folder.path(), &format!("d{i}/{j}"));
        }
    }
    assert_eq!(names(folder.path()).len(), 1200);
}

#[cfg(unix)]
#[test]
fn links_are_followed_unless_they_lead_back() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (root, other) = (folder.path().join("root"), folder.path().join("other"));
    make(&root, "s/f");
    make(&other, "g");
    for (target, link) in [
        ("..", "s/up"),
        (".", "s/here"),
        ("../../other", "s/other"),
        ("nowhere", "broken"),
        ("loop", "loop"),
        ("s/f", "alias"),
        ("/dev/null", "device"),
    ] {
        symlink(target, root.join(link)).expect("linked");
    }
    assert_eq!(names(&root), ["alias", "s/f", "s/other/g"]);
}

#[test]
fn a_quick_hash_is_of_path_size_and_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("f");
    fs::write(&path, b"hello").expect("written");
    let file = fs::File::options().write(true).open(&path);
    let time = UNIX_EPOCH + Duration::new(1_600_000_000, 500_000_000);
    file.expect("writable").set_modified(time).expect("set");
    let gone = folder.path().join("gone");
    let record = |path: &Path, size: &str, time: &str| {
        let text = |text: &str| Node::Bytes(text.as_bytes().to_vec());
        let path = text(path.to_str().expect("a temporary name"));
        Node::List(vec![
            text("File"),
            text("local"),
            path,
            Node::Int(size.to_owned()),
            text(time),
        ])
    };
    for scheme in Scheme::ALL {
        let digests = quick_digests(scheme, &[&path, &gone]);
        let expected = [
            record(&path, "5", "1600000000.5"),
            record(&gone, "-1", "-1"),
        ]
        .map(|record| digest_structure(scheme, &record).expect("encodable"));
        assert_eq!(digests, expected);
    }
}

#[test]
fn seconds_are_written_as_python_does() {
    for (value, text) in [
        (0.0, "0.0"),
        (1_600_000_000.0, "1600000000.0"),
        (1_795_344_830.123_456_7, "1795344830.1234567"),
        (1e-9, "1e-09"),
        (1.5e-9, "1.5e-09"),
        (0.0001, "0.0001"),
        (0.00099, "0.00099"),
        (0.000_099, "9.9e-05"),
        (-1.5, "-1.5"),
        (-0.5, "-0.5"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (1.25e120, "1.25e+120"),
    ] {
        assert_eq!(seconds_text(value), text);
    }
}
