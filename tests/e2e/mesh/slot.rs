//! Bounds how many meshes run at once on this machine, whatever runs the tests: threads of one process or many processes.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Two meshes of processes suit a small machine.
const SLOTS: usize = 2;

/// The right to run a mesh; given back when it is dropped, or by the system when the process is gone.
pub(crate) struct Slot {
    _file: File,
}

impl Slot {
    /// Waits for a free one of this build's.
    pub(crate) async fn take() -> Self {
        Self::one_of(SLOTS, Path::new(env!("CARGO_TARGET_TMPDIR"))).await
    }

    /// Waits for a free one of `count` whose files are in `folder`.
    pub(crate) async fn one_of(count: usize, folder: &Path) -> Self {
        loop {
            for number in 0..count {
                let path = folder.join(format!("mesh-slot-{number}"));
                let file = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(path)
                    .expect("a slot");
                if file.try_lock().is_ok() {
                    return Self { _file: file };
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
