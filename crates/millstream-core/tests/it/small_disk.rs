//! A disk that is soon full.

use std::ffi::CString;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::directory::Directory;

/// A file system of its own, unmounted at the end.
pub(crate) struct SmallDisk(Directory);

impl SmallDisk {
    /// Mounts one of some KiB; nothing if this user may not.
    pub(crate) fn mount(kib: usize) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let directory = Directory::new(&format!("disk-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let size = CString::new(format!("size={kib}k")).unwrap();
        let path = path_of(&directory);
        // SAFETY: all pointers are to strings that end with zero and live longer than the call.
        let mounted = unsafe {
            libc::mount(c"tmpfs".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, size.as_ptr().cast())
        };
        (mounted == 0).then_some(SmallDisk(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = path_of(&self.0);
        // SAFETY: as above.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

fn path_of(directory: &Directory) -> CString {
    CString::new(directory.0.to_str().unwrap()).unwrap()
}
