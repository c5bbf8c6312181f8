//! Digests of file contents: streamed when small, mapped and hashed on every core when large.
//!
//! A mapped file must not be cut short by someone else meanwhile; the operating system answers that
//! with a signal. So only regular files of at least [`MAP_MIN`] bytes are mapped, read as they are
//! needed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::hasher::{threads_are_ours, Hasher};
use super::scheme::Scheme;
use crate::digest::Digest;
use crate::error::{Error, Result};

/// Regular files of at least this many bytes are mapped.
pub const MAP_MIN: u64 = 1 << 20;
/// Bytes read in one step of a streamed file.
const STEP: usize = 1 << 18;
/// Fewer files than this are hashed one after the other.
const SPREAD_MIN: usize = 8;

/// The digest of the bytes of `path`.
///
/// # Errors
/// [`Error::Io`] naming the path.
pub fn digest_file(scheme: Scheme, path: &Path) -> Result<Digest> {
    digest_with(scheme, path, &mut Vec::new()).map_err(|source| Error::io(path, source))
}

/// The digests of several files, in their order, on every core.
///
/// # Errors
/// The [`Error::Io`] of the first file in order that cannot be read.
pub fn digest_files<P: AsRef<Path> + Sync>(scheme: Scheme, paths: &[P]) -> Result<Vec<Digest>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = cores.min(paths.len() / (SPREAD_MIN / 2)).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = Vec::new();
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index).map(AsRef::as_ref) else {
                return done;
            };
            let digest = digest_with(scheme, path, &mut buffer);
            done.push((index, digest.map_err(|source| Error::io(path, source))));
        }
    };
    let mut all = thread::scope(|scope| {
        let helpers: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for helper in helpers {
            all.extend(helper.join().expect("hashing a file does not panic"));
        }
        all
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, digest)| digest).collect()
}

fn digest_with(scheme: Scheme, path: &Path, buffer: &mut Vec<u8>) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    let mut hasher = Hasher::new(scheme);
    if about.is_file() && about.len() >= MAP_MIN && threads_are_ours() {
        if let Some(blake3) = hasher.as_blake3() {
            blake3.update_mmap_rayon(path)?;
            return Ok(hasher.digest());
        }
    }
    // One byte more than the file has: the second read finds the end instead of growing the buffer.
    let wanted = usize::try_from(about.len()).unwrap_or(STEP).min(STEP - 1) + 1;
    buffer.resize(wanted.max(4096), 0);
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(hasher.digest()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
