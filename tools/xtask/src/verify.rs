//! `cargo verify`: format, lints, servers, tests, and what the documentation says of them.

use std::time::{Duration, Instant};

use services::output::say;
use tokio::time::timeout;

use crate::error::Error;
use crate::step::Step;
use crate::{compose, dashboard, earlier, install, leftovers, mutations, soak, tables};

/// Seeds of `cargo verify --long`, beside those of every run.
const MORE_SEEDS: u64 = 200_000;

/// How long the database of advisories may take to come.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// Options of `cargo verify`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the tests whose name contains this; format and lints are left out.
    #[arg(long)]
    filter: Option<String>,
    /// Stop at the first failing test.
    #[arg(long)]
    fail_fast: bool,
    /// Then what takes longer than every run may: more seeds of the simulation, the long soak, an earlier
    /// version beside this one, the stories in containers.
    #[arg(long, conflicts_with = "filter")]
    long: bool,
}

/// Runs everything; the test runner's closing line comes last.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let start = Instant::now();
    let run = format!("{}-{}", std::process::id(), start.elapsed().subsec_nanos());
    let steps = async {
        steps(&options, &run).await?;
        match options.long {
            true => long().await,
            false => Ok(()),
        }
    };
    let outcome = tokio::select! {
        outcome = steps => outcome,
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
    let is_whole = options.filter.is_none();
    if is_whole {
        lints().await?;
    }
    install::servers(install::given).await?;
    install::browser().await?;
    install::tools().await?;
    let build =
        Step::cargo("build").arguments(["build", "--workspace", "--all-targets", "--quiet"]);
    // In folders of their own: the one links while the other compiles.
    tokio::try_join!(build.run(), dashboard::build())?;
    if is_whole {
        tables::run(tables::Options { check: true }).await?;
    }

    say("\n── servers of this run ──")?;
    let start = Instant::now();
    let (rabbitmq, mariadb, browser) = tokio::try_join!(
        services::rabbitmq(),
        services::mariadb(),
        services::browser::browser()
    )?;
    say(format_args!(
        "── RabbitMQ, MariaDB and chromedriver ready: {:.1} s ──",
        start.elapsed().as_secs_f64()
    ))?;
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
    if is_whole {
        documentation(with_servers).await?;
        // The stories wait more than they work: meanwhile the mutations are built and run.
        let mutations = mutations::run(mutations::Options::check());
        let (tested, caught) = tokio::join!(with_servers(tests(options)).run(), mutations);
        return tested.and(caught);
    }
    with_servers(tests(options)).run().await
}

/// Format, dependencies that nobody names, and lints.
async fn lints() -> Result<(), Error> {
    Step::cargo("format")
        .arguments(["fmt", "--all", "--check"])
        .run()
        .await?;
    // To build it takes minutes: where it is not, the same look by `tests/architecture` has to do.
    if let Some(machete) = services::binary(&["cargo-machete"]) {
        Step::new("unused dependencies", machete).run().await?;
    }
    dependencies().await?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    Step::cargo("lints").arguments(lints).run().await
}

/// What `deny.toml` says of them. Neither the program nor the database of advisories is everywhere.
async fn dependencies() -> Result<(), Error> {
    let Some(deny) = services::binary(&["cargo-deny"]) else {
        return say(
            "── left out: bans, licences, sources and advisories of dependencies; cargo install --locked cargo-deny ──",
        )
        .map_err(Error::from);
    };
    let check = |name, what: &[&str]| {
        let quietly = ["--log-level", "error", "check", "--hide-inclusion-graph"];
        Step::new(name, &deny).arguments(quietly).arguments(what)
    };
    check("dependencies", &["bans", "licenses", "sources"])
        .run()
        .await?;
    let fetched = Step::new("database of advisories", &deny).arguments(["fetch", "db"]);
    if !matches!(timeout(FETCH_LIMIT, fetched.run()).await, Ok(Ok(()))) {
        say("── left out: advisories; their database could not be fetched from github.com ──")?;
        return Ok(());
    }
    check("advisories", &["advisories"]).run().await
}

async fn documentation(with_servers: impl Fn(Step) -> Step) -> Result<(), Error> {
    let tests = ["test", "--workspace", "--doc", "--quiet"];
    with_servers(Step::cargo("documentation tests").arguments(tests))
        .run()
        .await?;
    let pages = ["doc", "--workspace", "--no-deps", "--quiet"];
    Step::cargo("documentation")
        .arguments(pages)
        .variable("RUSTDOCFLAGS", "-D warnings")
        .run()
        .await
}

/// What every run has no time for.
async fn long() -> Result<(), Error> {
    let seeds = MORE_SEEDS.to_string();
    let simulation = ["run", "--quiet", "--bin", "simulation", "--"];
    Step::cargo("more seeds")
        .arguments(simulation)
        .arguments(["--from", "10000", "--seeds", &seeds])
        .run()
        .await?;
    soak::run(soak::Options::long()).await?;
    earlier::run().await?;
    compose::run(compose::Options::default()).await
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
