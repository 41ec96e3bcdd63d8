//! Where the socket lies: made in a folder that only its owner may enter, readable by its owner only before anybody can find it, removed at the end.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// A socket that is listened on; it is removed with this, unless another one lies there by then.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Place {
    /// Listens. What a daemon that is dead left there is replaced: whoever calls this has the lead, so that no other may serve.
    pub fn open(path: &Path) -> io::Result<(Self, UnixListener)> {
        let folder = path.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let entry = std::fs::metadata(folder)?;
        if entry.mode() & 0o077 != 0 {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
        // Under another name first: nobody finds it before it is closed to others, and the old one goes in the same moment.
        let fresh = folder.join(format!("{}", std::process::id()));
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&fresh)?;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
        let made = std::fs::metadata(&fresh)?;
        std::fs::rename(&fresh, path)?;
        Ok((Self { path: path.to_owned(), file: (made.dev(), made.ino()) }, listener))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_ours = std::fs::metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.file);
        if is_ours {
            // Somebody may have removed it meanwhile.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
