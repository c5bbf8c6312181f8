//! Directories: the files below one, and the quick hashes of files, which no content is read for.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::hasher::Spool;
use super::scheme::Scheme;
use super::spread::spread;
use crate::codec::Encoder;
use crate::digest::Digest;

/// A thread is worth starting for this many directories, or this many files to ask about.
const DIRECTORIES_MIN: usize = 8;
const FILES_MIN: usize = 64;

/// The paths of all files below a directory, in no particular order; links are followed.
///
/// Names that begin with a dot are left out, and so is what cannot be read. A link that leads back
/// to a directory it was reached through is not followed.
pub fn list_tree(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut level = vec![root.to_owned()];
    while !level.is_empty() {
        let listings = spread(&level, DIRECTORIES_MIN, || (), |(), top| list(top, root));
        level.clear();
        for listing in listings {
            files.extend(listing.files);
            level.extend(listing.directories);
        }
    }
    files
}

#[derive(Default)]
struct Listing {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

fn list(top: &Path, root: &Path) -> Listing {
    let mut listing = Listing::default();
    let Ok(entries) = fs::read_dir(top) else {
        return listing; // missing, unreadable or not a directory: nothing in it
    };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().first() == Some(&b'.') {
            continue;
        }
        match kind(&entry, root) {
            Some(Kind::File) => listing.files.push(entry.path()),
            Some(Kind::Directory) => listing.directories.push(entry.path()),
            None => {}
        }
    }
    listing
}

enum Kind {
    File,
    Directory,
}

fn kind(entry: &DirEntry, root: &Path) -> Option<Kind> {
    let mut about = entry.file_type().ok()?;
    if about.is_symlink() {
        let path = entry.path();
        about = fs::metadata(&path).ok()?.file_type();
        if about.is_dir() && leads_back(&path, root) {
            return None;
        }
    }
    if about.is_dir() {
        Some(Kind::Directory)
    } else {
        about.is_file().then_some(Kind::File)
    }
}

/// Whether a link to a directory leads to one of the directories between `root` and itself.
fn leads_back(link: &Path, root: &Path) -> bool {
    let Ok(target) = fs::canonicalize(link) else {
        return true;
    };
    link.ancestors()
        .skip(1)
        .take_while(|parent| parent.starts_with(root))
        .any(|parent| fs::canonicalize(parent).is_ok_and(|parent| parent == target))
}

/// The quick hash of each file: the structure `["File", "local", path, size, time]`, where `time` is
/// the text of the modification time in seconds. A file that is not there has -1 and "-1".
pub fn quick_digests<P: AsRef<Path> + Sync>(scheme: Scheme, paths: &[P]) -> Vec<Digest> {
    spread(
        paths,
        FILES_MIN,
        || Spool::new(scheme),
        |spool, path| quick_digest(spool, path.as_ref()),
    )
}

fn quick_digest(spool: &mut Spool, path: &Path) -> Digest {
    let (size, time) = match fs::metadata(path) {
        Ok(about) => (signed(about.len()), seconds_text(modified(&about))),
        Err(_) => (-1, "-1".to_owned()),
    };
    let path: &OsStr = path.as_ref();
    let mut encoder = Encoder::new(spool);
    encoder.begin_list();
    encoder.bytes(b"File");
    encoder.bytes(b"local");
    encoder.bytes(path.as_encoded_bytes());
    encoder.int(size);
    encoder.bytes(time.as_bytes());
    encoder.end();
    spool.finish()
}

/// No file has more bytes, and no time more seconds, than the largest signed number.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The modification time as Python has it: seconds and nanoseconds become floats before they are
/// added, so nanoseconds beyond the precision of the sum are not seen.
fn modified(about: &Metadata) -> f64 {
    let (seconds, nanoseconds) = about.modified().map_or((0, 0), since_epoch);
    #[allow(clippy::cast_precision_loss)] // exact until the year 285 million
    let seconds = seconds as f64;
    seconds + 1e-9 * f64::from(nanoseconds)
}

/// Seconds, rounded down, and the nanoseconds that follow.
fn since_epoch(time: SystemTime) -> (i64, u32) {
    let split = |span: Duration| (signed(span.as_secs()), span.subsec_nanos());
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => split(after),
        Err(before) => match split(before.duration()) {
            (seconds, 0) => (-seconds, 0),
            (seconds, nanoseconds) => (-seconds - 1, 1_000_000_000 - nanoseconds),
        },
    }
}

/// A number as Python writes it: the fewest digits that lead back to it, and an exponent below
/// 0.0001 and from 1e16 on.
pub fn seconds_text(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text; // infinite or not a number
    };
    let exponent: i32 = exponent.parse().expect("a formatted exponent is a number");
    if (-4..16).contains(&exponent) {
        let text = value.to_string();
        return if text.contains('.') {
            text
        } else {
            text + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
