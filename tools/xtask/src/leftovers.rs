//! Processes that a run left behind, which is a failure.

use std::fs;

/// Every process of a run carries this variable with the run's own value.
pub(crate) const MARKER: &str = "HMAC_MESH_RUN";

/// The command lines of the processes that carry `run`, ourselves not counted. Empty where there is no `/proc`.
pub(crate) fn of(run: &str) -> Vec<String> {
    let needle = format!("{MARKER}={run}");
    let own = std::process::id().to_string();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let carries = |folder: &std::path::Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == needle.as_bytes())
    };
    processes
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|folder| {
            folder
                .file_name()
                .is_some_and(|name| name.to_string_lossy() != own)
                && carries(folder)
        })
        .filter_map(|folder| fs::read(folder.join("cmdline")).ok())
        .map(|line| {
            String::from_utf8_lossy(&line)
                .replace('\0', " ")
                .trim()
                .to_owned()
        })
        .filter(|line| !line.is_empty())
        .collect()
}
