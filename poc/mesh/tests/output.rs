//! The demo as a process whose output is cut off (`cargo demo | head`).

use std::io::pipe;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_demo_ends_without_a_word_when_nobody_reads_it() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut demo = Command::new(env!("CARGO_BIN_EXE_mesh"))
        .arg("--free-ports")
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while demo.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(60) {
            demo.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = demo.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(1));
}
