//! Mirrors in a folder. Everything here waits for the disk: call it aside.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::fault::{Fault, Object, Pieces};
use super::settings::MAX_NAMES;
use super::walk::file_tag;
use crate::ci::Timestamp;

/// The contents of a file; `None` where there is none.
pub(super) fn get(path: &Path, limit: usize) -> Result<Option<Object>, Fault> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(broken(&error)),
    };
    // A pipe would wait for a writer.
    if !found.is_file() {
        return Err(Fault::lasting("it is no file"));
    }
    Pieces::new(limit, Some(found.len()))?;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(broken(&error)),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    if bytes.len() > limit {
        return Err(Fault::too_large(limit));
    }
    let modified = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.and_then(|age| i64::try_from(age.as_millis()).ok()).map(Timestamp::from_millis);
    Ok(Some(Object { bytes, modified, is_packed: false, tag: Some(file_tag(&found)) }))
}

/// The names in a folder, sorted; none where there is no folder.
pub(super) fn names(path: &Path) -> Result<Vec<String>, Fault> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(broken(&error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is no text is the name of nothing that Spack writes.
        names.extend(entry.map_err(|error| broken(&error))?.file_name().into_string());
        if names.len() > MAX_NAMES {
            return Err(Fault::lasting(format!("it has more than {MAX_NAMES} entries")));
        }
    }
    names.sort();
    Ok(names)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn broken(error: &io::Error) -> Fault {
    Fault::lasting(format!("it cannot be read ({error})"))
}
