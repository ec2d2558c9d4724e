//! `cargo verify`: servers, format, lints, tests.

use std::time::{Duration, Instant};

use crate::step::Step;
use crate::{Error, dashboard, install, leftovers};

/// Options of `cargo verify`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the tests whose name contains this; format and lints are left out.
    #[arg(long)]
    filter: Option<String>,
    /// Stop at the first failing test.
    #[arg(long)]
    fail_fast: bool,
}

/// Runs everything; the test runner's closing line comes last.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let start = Instant::now();
    let run = format!("{}-{}", std::process::id(), start.elapsed().subsec_nanos());
    let outcome = tokio::select! {
        outcome = steps(&options, &run) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    let left = survivors(&run).await;
    outcome?;
    if !left.is_empty() {
        return Err(format!("processes were left behind:\n  {}", left.join("\n  ")).into());
    }
    Ok(())
}

async fn steps(options: &Options, run: &str) -> Result<(), Error> {
    if options.filter.is_none() {
        Step::cargo("format")
            .arguments(["fmt", "--all", "--check"])
            .run()
            .await?;
        let lints = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ];
        Step::cargo("lints").arguments(lints).run().await?;
    }
    install::servers(install::given).await?;
    install::browser().await?;
    install::tools().await?;
    Step::cargo("build")
        .arguments(["build", "--workspace", "--all-targets", "--quiet"])
        .run()
        .await?;
    dashboard::build().await?;

    println!("\n── servers of this run ──");
    let start = Instant::now();
    let (rabbitmq, mariadb, browser) = tokio::try_join!(
        services::rabbitmq(),
        services::mariadb(),
        services::browser::browser()
    )?;
    println!(
        "── RabbitMQ, MariaDB and chromedriver ready: {:.1} s ──",
        start.elapsed().as_secs_f64()
    );
    let servers = [
        ("HMAC_MESH_RABBITMQ", rabbitmq.url()),
        ("HMAC_MESH_RABBITMQ_API", rabbitmq.api_url()),
        ("HMAC_MESH_MARIADB", mariadb.url()),
        ("HMAC_MESH_CHROMEDRIVER", browser.url()),
        (leftovers::MARKER, run),
    ];
    let with_servers = |step: Step| {
        servers
            .iter()
            .fold(step, |step, (name, value)| step.variable(name, value))
    };
    if options.filter.is_none() {
        with_servers(Step::cargo("documentation tests").arguments([
            "test",
            "--workspace",
            "--doc",
            "--quiet",
        ]))
        .run()
        .await?;
        let documentation = ["doc", "--workspace", "--no-deps", "--quiet"];
        Step::cargo("documentation")
            .arguments(documentation)
            .variable("RUSTDOCFLAGS", "-D warnings")
            .run()
            .await?;
    }
    with_servers(tests(options)).run().await
}

/// The tests, by nextest where it is installed: it gives each test a process of its own and a limit of time.
fn tests(options: &Options) -> Step {
    let nextest = services::binary(&["cargo-nextest"]).is_some() || cargo_home_has_nextest();
    let mut step = Step::cargo("tests");
    step = match nextest {
        true => step.arguments([
            "nextest",
            "run",
            "--workspace",
            "--all-targets",
            "--cargo-quiet",
        ]),
        false => step.arguments(["test", "--workspace", "--all-targets", "--quiet"]),
    };
    if nextest {
        step = step.arguments(["--test-threads", &test_threads().to_string()]);
    }
    if !options.fail_fast {
        step = step.arguments(["--no-fail-fast"]);
    }
    step.arguments(options.filter.clone())
}

/// Tests of real servers wait more than they work.
fn test_threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .max(4)
}

fn cargo_home_has_nextest() -> bool {
    let Some(cargo) = option_env!("CARGO_HOME") else {
        return false;
    };
    std::path::Path::new(cargo)
        .join("bin/cargo-nextest")
        .is_file()
}

/// What is still there a moment after the run.
async fn survivors(run: &str) -> Vec<String> {
    for _ in 0..50 {
        if leftovers::of(run).is_empty() {
            return Vec::new();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    leftovers::of(run)
}
