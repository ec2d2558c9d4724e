//! Logs. Whoever reads them can neither stop nor slow the peer: a line waits in a queue with a bound, and a thread of its own
//! writes it. Where the reader has stopped reading, lines are dropped and counted; where it is gone, nothing is said.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hmac_propagation::options::Settings;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat};

/// Lines of this many bytes may wait for their reader; further ones are dropped.
const WAITING_LIMIT: usize = 1024 * 1024;

/// What waits at the end of the process is written within this time, or lost.
const END_LIMIT: Duration = Duration::from_millis(500);

/// Where this process logs to, once it does.
static LOGS: OnceLock<Logs> = OnceLock::new();

/// Starts logging to standard error, once for the process; later calls change nothing.
pub fn start(config: &Config) {
    let Ok(logs) = Logs::to(io::stderr()) else {
        return;
    };
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = LOGS.get_or_init(|| logs);
    // What goes wrong inside would be printed, by a macro that panics where nobody reads.
    let format = fmt()
        .with_env_filter(filter)
        .with_writer(|| logs.clone())
        .log_internal_errors(false);
    let started = match config.log_format {
        LogFormat::Pretty => format.with_ansi(false).finish().try_init(),
        LogFormat::Json => format.json().flatten_event(true).finish().try_init(),
    };
    if started.is_ok() && config.otlp_endpoint.is_some() {
        tracing::warn!("OTEL_EXPORTER_OTLP_ENDPOINT is set, but this build exports no traces yet");
    }
    let least = config.settings().min_secret_bytes;
    if started.is_ok() && least < Settings::default().min_secret_bytes {
        tracing::warn!(
            least,
            "MIN_SECRET_BYTES lets clients have secrets that can be guessed; take it away when all are adopted"
        );
    }
}

/// Waits at the end of a process until its log is written, within a bound.
pub fn finish() {
    if let Some(logs) = LOGS.get() {
        logs.finish();
    }
}

/// The way of the lines to their reader. Writing to it never waits and never fails. Clones lead to the same reader.
#[derive(Clone)]
struct Logs {
    lines: Sender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Bytes that wait, or are being written.
    waiting: AtomicUsize,
    /// Lines that were dropped and not told of yet.
    dropped: AtomicU64,
}

impl Logs {
    fn to(reader: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, queue) = channel();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || write_all(reader, &queue, &shared))?;
        Ok(Self { lines, state })
    }

    fn finish(&self) {
        let begin = Instant::now();
        while self.state.waiting.load(Ordering::Acquire) > 0 && begin.elapsed() < END_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Write for Logs {
    /// Takes a whole line: the formatter gives it one.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let waiting = self.state.waiting.fetch_add(line.len(), Ordering::AcqRel);
        if waiting + line.len() > WAITING_LIMIT || self.lines.send(line.to_vec()).is_err() {
            self.state.waiting.fetch_sub(line.len(), Ordering::AcqRel);
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends with the last sender.
fn write_all(mut reader: impl Write, queue: &Receiver<Vec<u8>>, state: &State) {
    for line in queue {
        // A reader that is gone does not come back, and one that is there gets the next line.
        let _ = reader.write_all(&line);
        state.waiting.fetch_sub(line.len(), Ordering::AcqRel);
        let dropped = state.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "lines of the log were dropped: nobody read them in time"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    /// Takes lines as long as somebody reads them.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            match self.0.send(line.to_vec()) {
                Ok(()) => Ok(line.len()),
                Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_reading_blocks_nobody() {
        let (pipe, read) = sync_channel(0);
        let mut logs = Logs::to(Pipe(pipe)).unwrap();
        let line = [b'x'; 1000];
        for _ in 0..3_000 {
            logs.write_all(&line).unwrap();
        }
        let state = &logs.state;
        assert!(state.waiting.load(Ordering::SeqCst) <= WAITING_LIMIT);
        let kept = u64::try_from(WAITING_LIMIT / line.len()).unwrap();
        assert_eq!(state.dropped.load(Ordering::SeqCst), 3_000 - kept);
        for _ in 0..kept {
            assert_eq!(read.recv().unwrap(), line);
        }
        logs.finish();
        assert_eq!(state.waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_reader_that_is_gone_fails_nobody() {
        let (pipe, _) = sync_channel(0);
        let mut logs = Logs::to(Pipe(pipe)).unwrap();
        for _ in 0..3_000 {
            logs.write_all(b"line").unwrap();
        }
        logs.finish();
        assert_eq!(logs.state.waiting.load(Ordering::SeqCst), 0);
    }
}
