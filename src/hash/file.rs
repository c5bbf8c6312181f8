//! Digests of file contents: many files at a time, and the pieces of a large one, on every core.
//!
//! Files are read, not mapped: if someone cuts a mapped file short meanwhile, the operating system
//! ends the process with a signal. A large file is cut into pieces of a power of two, which are
//! subtrees of its BLAKE3 tree: each is read into a buffer that stays in the cache of one core and
//! is hashed there, so that neither reading nor hashing waits for the other.

use std::fs::File;
use std::io;
use std::path::Path;

use blake3::hazmat::{
    merge_subtrees_non_root, merge_subtrees_root, ChainingValue, HasherExt, Mode,
};

use super::hasher::Hasher;
use super::scheme::Scheme;
use super::spread::spread;
use crate::digest::Digest;
use crate::error::{Error, Result};

/// Regular files of at least this many bytes are hashed in pieces.
pub const SPLIT_MIN: u64 = 4 << 20;
/// Bytes of a piece: a power of two, and small enough for the second-level cache.
const PIECE: usize = 1 << 19;
/// Bytes read in one step of a file that is not split.
const STEP: usize = 1 << 18;
/// A thread is worth starting for this many files.
const FILES_MIN: usize = 4;

/// The digest of the bytes of `path`.
///
/// # Errors
/// [`Error::Io`] naming the path.
pub fn digest_file(scheme: Scheme, path: &Path) -> Result<Digest> {
    let digest = match digest_small(scheme, path, &mut Vec::new()) {
        Ok(Content::Small(digest)) => Ok(digest),
        Ok(Content::Large(file, length)) => digest_large(&file, length),
        Err(error) => Err(error),
    };
    digest.map_err(|source| Error::io(path, source))
}

/// The digests of several files, in their order: small files several at a time, then the large ones
/// one after the other with all cores on each.
///
/// # Errors
/// The [`Error::Io`] of the first file in order that cannot be read.
pub fn digest_files<P: AsRef<Path> + Sync>(scheme: Scheme, paths: &[P]) -> Result<Vec<Digest>> {
    let contents = spread(paths, FILES_MIN, Vec::new, |buffer, path| {
        match digest_small(scheme, path.as_ref(), buffer) {
            Ok(Content::Small(digest)) => Ok(Some(digest)),
            // Opened again later: thousands of files may not be open at once.
            Ok(Content::Large(..)) => Ok(None),
            Err(error) => Err(error),
        }
    });
    contents
        .into_iter()
        .zip(paths)
        .map(|(content, path)| match content {
            Ok(Some(digest)) => Ok(digest),
            Ok(None) => digest_file(scheme, path.as_ref()),
            Err(source) => Err(Error::io(path.as_ref(), source)),
        })
        .collect()
}

enum Content {
    Small(Digest),
    /// A file to be hashed in pieces, and its length.
    Large(File, u64),
}

fn digest_small(scheme: Scheme, path: &Path, buffer: &mut Vec<u8>) -> io::Result<Content> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if scheme == Scheme::Blake3 && about.is_file() && about.len() >= SPLIT_MIN {
        return Ok(Content::Large(file, about.len()));
    }
    // One byte more than the file has: the second read finds the end instead of growing the buffer.
    let wanted = usize::try_from(about.len()).unwrap_or(STEP).min(STEP - 1) + 1;
    buffer.resize(wanted.max(4096), 0);
    digest_stream(scheme, file, buffer).map(Content::Small)
}

fn digest_stream(scheme: Scheme, mut file: impl io::Read, buffer: &mut [u8]) -> io::Result<Digest> {
    let mut hasher = Hasher::new(scheme);
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(hasher.digest()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The digest of a file of `length` bytes, in pieces. If the file turns out to have another length,
/// because someone writes to it, it is read once more from its start to wherever its end is then.
fn digest_large(file: &File, length: u64) -> io::Result<Digest> {
    let offsets: Vec<u64> = (0..length).step_by(PIECE).collect();
    let start = || vec![0; PIECE];
    let pieces: io::Result<Vec<Option<ChainingValue>>> =
        spread(&offsets, 2, start, |buffer, &from| {
            let wanted = usize::try_from(length - from).map_or(PIECE, |rest| rest.min(PIECE));
            let buffer = &mut buffer[..wanted];
            let read = fill(file, buffer, from)?;
            Ok((read == wanted).then(|| subtree(buffer, from)))
        })
        .into_iter()
        .collect();
    let whole: Option<Vec<ChainingValue>> = pieces?.into_iter().collect();
    match whole {
        Some(pieces) if fill(file, &mut [0], length)? == 0 => Ok(root(&pieces)),
        _ => {
            let reader = At { file, from: 0 };
            digest_stream(Scheme::Blake3, reader, &mut vec![0; STEP])
        }
    }
}

fn subtree(bytes: &[u8], from: u64) -> ChainingValue {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(from);
    hasher.update(bytes);
    hasher.finalize_non_root()
}

/// The digest whose tree has these subtrees, at least two.
fn root(pieces: &[ChainingValue]) -> Digest {
    let (left, right) = halves(pieces);
    let hash = merge_subtrees_root(&merge(left), &merge(right), Mode::Hash);
    Digest::truncated(hash.as_bytes())
}

fn merge(pieces: &[ChainingValue]) -> ChainingValue {
    if let [piece] = pieces {
        return *piece;
    }
    let (left, right) = halves(pieces);
    merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
}

/// The left side of a tree is the largest full one that leaves something to the right.
fn halves(pieces: &[ChainingValue]) -> (&[ChainingValue], &[ChainingValue]) {
    pieces.split_at(pieces.len().next_power_of_two() / 2)
}

/// Read at an offset until the buffer is full or the file ends; returns the number of bytes.
fn fill(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A file read from an offset on, whatever its own position.
struct At<'a> {
    file: &'a File,
    from: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(self.file, buffer, self.from)?;
        self.from += read as u64;
        Ok(read)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, from)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, from)
}
