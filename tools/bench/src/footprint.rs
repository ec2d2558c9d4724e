//! What a peer costs before anything is asked of it: time to ready, memory, size.

use std::time::Duration;

use crate::error::Error;
use crate::peers::Peers;
use crate::table::{Table, median};

/// Nobody asks anything of the peers for this long before their memory is read.
const IDLE: Duration = Duration::from_secs(5);

/// Measures every peer.
pub(crate) async fn measure(runs: usize, table: &mut Table) -> Result<(), Error> {
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..runs {
        let peers = Peers::start().await?;
        tokio::time::sleep(IDLE).await;
        for (index, peer) in peers.all().iter().enumerate() {
            if rows.len() == index {
                rows.push(Row {
                    name: peer.name,
                    ..Row::default()
                });
            }
            rows[index]
                .ready_seconds
                .push(peer.ready_after.as_secs_f64());
            rows[index]
                .resident_mib
                .push(peer.resident_kib()? as f64 / 1024.0);
            rows[index].program_mb = peer.program_bytes()? as f64 / 1e6;
        }
    }
    for row in rows {
        let Row {
            name,
            ready_seconds,
            resident_mib,
            program_mb,
        } = row;
        let (ready, resident) = (median(ready_seconds), median(resident_mib));
        table.add(
            &format!("{name}: start to ready / resident memory idle / program"),
            format!("{ready:.2} s / {resident:.1} MiB / {program_mb:.1} MB"),
            "-".into(),
            "-".into(),
        );
    }
    Ok(())
}

#[derive(Default)]
struct Row {
    name: &'static str,
    ready_seconds: Vec<f64>,
    resident_mib: Vec<f64>,
    program_mb: f64,
}
