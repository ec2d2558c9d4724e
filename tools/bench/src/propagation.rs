//! Bulk sync, single changes, ensures, checks for drift: through the real propagators, on real servers.

use std::time::Instant;

use hdrhistogram::Histogram;
use hmac_propagation::origin::Origin;

use crate::arguments::Arguments;
use crate::broker_floor::{self, Floor};
use crate::error::Error;
use crate::mesh::{Mesh, Servers};
use crate::table::{Table, median};

const TARGETS: usize = 2;
/// Clients that are ensured together before a check for drift is measured.
const SOME: usize = 500;

/// Measures the propagation rows.
pub(crate) async fn measure(arguments: &Arguments, table: &mut Table) -> Result<(), Error> {
    let servers = Servers::start().await?;
    let floor = Floor::connect(&servers).await?;
    bulk(arguments, &servers, &floor, table).await?;
    single(arguments, &servers, &floor, table).await
}

/// `clients` x 2 targets, from `sync()` to every row `success`; beside it the same messages without stores.
async fn bulk(
    arguments: &Arguments,
    servers: &Servers,
    floor: &Floor,
    table: &mut Table,
) -> Result<(), Error> {
    let rows = arguments.clients * TARGETS;
    let (mut ours, mut below, mut ensures, mut batches) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..arguments.runs {
        let mesh = Mesh::start(servers, TARGETS).await?;
        // One by one, then the same clients again as a batch; the sync sends the last state of each.
        let start = Instant::now();
        for i in 0..arguments.clients {
            mesh.source
                .ensure(mesh.ensure(format!("client-{i}"), "the-first-secret"))
                .await?;
        }
        ensures.push(arguments.clients as f64 / start.elapsed().as_secs_f64());
        let batch = (0..arguments.clients)
            .map(|i| mesh.ensure(format!("client-{i}"), "the-second-secret"))
            .collect();
        let start = Instant::now();
        for result in mesh.source.ensure_batch(batch).await {
            result?;
        }
        batches.push(arguments.clients as f64 / start.elapsed().as_secs_f64());

        let before = mesh.answered().await?;
        let start = Instant::now();
        mesh.source.sync(&Origin::default()).await?;
        mesh.acknowledged(before + rows as u64).await?;
        ours.push(rows as f64 / start.elapsed().as_secs_f64());
        let counts = mesh.management.counts().await?;
        if counts.success != rows as u64 {
            return Err(format!("run {run}: not every row is success: {counts:?}").into());
        }
        mesh.close().await;
        below.push(floor.bulk(rows).await?);
    }
    let (ours, below) = (median(ours), median(below));
    table.add(
        &format!(
            "sync, {} clients x {TARGETS} targets, to every row success",
            arguments.clients
        ),
        format!("{ours:.0} rows/s"),
        format!("{below:.0} rows/s (the same two messages a row, no stores)"),
        format!("{:.2}", ours / below),
    );
    for (what, figures) in [
        ("ensure, one after the other", ensures),
        ("ensure, in batches of all clients", batches),
    ] {
        let figure = format!("{:.0}/s", median(figures));
        table.add(what, figure, "-".into(), "-".into());
    }
    Ok(())
}

/// One change after the other: ensure + sync to the last of 2 acks; every row must be success at the end.
async fn single(
    arguments: &Arguments,
    servers: &Servers,
    floor: &Floor,
    table: &mut Table,
) -> Result<(), Error> {
    let mesh = Mesh::start(servers, TARGETS).await?;
    let mut times = Histogram::<u64>::new(3)?;
    for i in 0..arguments.changes {
        let start = Instant::now();
        mesh.source
            .ensure(mesh.ensure(format!("single-{i}"), "a-secret-of-sixteen"))
            .await?;
        mesh.source.sync(&Origin::default()).await?;
        mesh.acknowledged(((i + 1) * TARGETS) as u64).await?;
        times.record(broker_floor::micros(start))?;
    }
    let counts = mesh.management.counts().await?;
    let lost = (arguments.changes * TARGETS) as u64 - counts.success;
    mesh.close().await;
    let below = floor.single(arguments.changes.min(500)).await?;
    let (p50, p99) = (
        times.value_at_quantile(0.5) as f64 / 1e3,
        times.value_at_quantile(0.99) as f64 / 1e3,
    );
    table.add(
        &format!(
            "one change, ensure + sync to the last of {TARGETS} acks, {} in a row",
            arguments.changes
        ),
        format!("p50 {p50:.1} ms, p99 {p99:.1} ms"),
        format!("p50 {below:.1} ms (two broker round trips)"),
        format!("{:.2}", p50 / below),
    );
    table.add(
        &format!("acks lost in {} single changes", arguments.changes),
        lost.to_string(),
        "0".into(),
        "-".into(),
    );
    Ok(())
}

/// A check for drift of `shown` clients on one target that all agree.
pub(crate) async fn drift(arguments: &Arguments, table: &mut Table) -> Result<(), Error> {
    let (servers, clients) = (Servers::start().await?, arguments.shown);
    let mesh = Mesh::start(&servers, 1).await?;
    let all: Vec<_> = (0..clients)
        .map(|i| mesh.ensure(format!("client-{i}"), "the-first-secret"))
        .collect();
    for some in all.chunks(SOME) {
        for result in mesh.source.ensure_batch(some.to_vec()).await {
            result?;
        }
    }
    mesh.source.sync(&Origin::default()).await?;
    mesh.acknowledged(clients as u64).await?;
    let (mut times, mut statements) = (Vec::new(), 0);
    for _ in 0..arguments.runs {
        let (start, before) = (Instant::now(), mesh.management.statements());
        let reports = mesh.source.check_drift().await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        statements = mesh.management.statements() - before;
        let compared: u64 = reports.iter().map(|report| report.rows).sum();
        if compared != clients as u64
            || reports
                .iter()
                .any(|report| report.drifted > 0 || report.wanted != report.held)
        {
            return Err(format!("{clients} rows should agree: {reports:?}").into());
        }
    }
    mesh.close().await;
    table.add(
        &format!("check for drift, {clients} clients on one target that agree"),
        format!("{:.0} ms, {statements} SQL statements", median(times)),
        "-".into(),
        "-".into(),
    );
    Ok(())
}
