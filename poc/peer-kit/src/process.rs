//! The process of a peer: its command line, and what happens before and after it serves.

use std::error::Error;
use std::fmt::Write as _;
use std::future::{Future, Ready};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use auth_base::error_chain::chain;
use clap::{Arg, ArgMatches, Command};
use hmac_propagation::propagator::Mode;
use secrets_at_rest::Resealed;

use crate::application::Application;
use crate::config::mistake::Mistakes;
use crate::config::source::Source;
use crate::config::variable::{VARIABLES, Variable};
use crate::config::{Config, Defaults, Role};
use crate::shutdown::{LIMIT, Stop};
use crate::{telemetry, tls};

/// The configuration is wrong.
const WRONG_CONFIGURATION: u8 = 2;

/// What was asked on the command line.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Serve,
    CheckConfig,
    Healthcheck,
    ResealSecrets,
}

/// Why a peer does not start or go on. What a `main` adds nothing to: it is logged with its sources, and the process ends.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Runs a receive-only peer: reads the command line and the configuration, builds the peer by `build`, and serves until a
/// signal comes. It is given [`LIMIT`] to end after that.
pub fn run<F, Fut>(defaults: &Defaults, build: F) -> ExitCode
where
    F: FnOnce(Config) -> Fut,
    Fut: Future<Output = Result<Application, Failure>>,
{
    perform(
        defaults,
        build,
        None::<fn(Config) -> Ready<Result<Resealed, Failure>>>,
    )
}

/// Runs a full-mode peer: as [`run`] does, and `secrets reseal` by `reseal`.
pub fn run_full<F, Fut, R, Done>(defaults: &Defaults, build: F, reseal: R) -> ExitCode
where
    F: FnOnce(Config) -> Fut,
    Fut: Future<Output = Result<Application, Failure>>,
    R: FnOnce(Config) -> Done,
    Done: Future<Output = Result<Resealed, Failure>>,
{
    perform(defaults, build, Some(reseal))
}

fn perform<F, Fut, R, Done>(defaults: &Defaults, build: F, reseal: Option<R>) -> ExitCode
where
    F: FnOnce(Config) -> Fut,
    Fut: Future<Output = Result<Application, Failure>>,
    R: FnOnce(Config) -> Done,
    Done: Future<Output = Result<Resealed, Failure>>,
{
    let matches = command(defaults).get_matches();
    let (action, source) = asked(&matches, Source::from_environment());
    let exit = match (action, Config::load(&source, defaults)) {
        (Action::Healthcheck, _) => healthcheck(&source, defaults),
        (_, Err(mistakes)) => refuse(defaults, &mistakes),
        (Action::CheckConfig, Ok(config)) => {
            say(&mut std::io::stdout(), &summary(&config, defaults));
            ExitCode::SUCCESS
        }
        (Action::ResealSecrets, Ok(config)) => match reseal {
            Some(reseal) => reseal_secrets(config, reseal),
            // The command line of a receive-only peer has no such command.
            None => ExitCode::FAILURE,
        },
        (Action::Serve, Ok(config)) => start(config, build),
    };
    telemetry::finish();
    exit
}

/// May be ended at any moment and run again: what is done is done.
fn reseal_secrets<R, Done>(config: Config, reseal: R) -> ExitCode
where
    R: FnOnce(Config) -> Done,
    Done: Future<Output = Result<Resealed, Failure>>,
{
    telemetry::start(&config);
    tls::install_provider();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(reseal(config)) {
        Ok(resealed) => {
            say(&mut std::io::stdout(), &resealed.to_string());
            if resealed.is_complete() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => failed(error.as_ref()),
    }
}

fn start<F, Fut>(config: Config, build: F) -> ExitCode
where
    F: FnOnce(Config) -> Fut,
    Fut: Future<Output = Result<Application, Failure>>,
{
    telemetry::start(&config);
    tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let outcome = runtime.block_on(async {
        let stop = Stop::default();
        if let Err(error) = stop.on_signals() {
            return failed(&error);
        }
        let overdue = async {
            stop.asked().await;
            tokio::time::sleep(LIMIT).await;
        };
        tokio::select! {
            served = serve(build(config), stop.clone()) => match served {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.as_ref()),
            },
            () = overdue => {
                tracing::error!("not stopped in time, leaving all the same");
                ExitCode::FAILURE
            }
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

async fn serve(
    building: impl Future<Output = Result<Application, Failure>>,
    asked: Stop,
) -> Result<(), Failure> {
    let application = building.await?;
    let own = application.stop();
    tokio::spawn(async move {
        asked.asked().await;
        own.ask();
    });
    Ok(application.run_until_stopped().await?)
}

fn command(defaults: &Defaults) -> Command {
    let flags = VARIABLES
        .iter()
        .filter(|variable| variable.is_read_by(defaults.mode))
        .map(flag);
    let of_mode = match defaults.mode {
        Mode::Full => Some(secrets_command()),
        Mode::ReceiveOnly => None,
    };
    Command::new(defaults.binary)
        .about(defaults.about)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(
            "Every flag overrides the variable named with it. Secrets are given as variables or files.",
        )
        .args(flags)
        .subcommand(
            Command::new("serve").about("Serves until SIGTERM or SIGINT (what happens without a subcommand)"),
        )
        .subcommand(
            Command::new("config")
                .about("Looks at the configuration")
                .subcommand_required(true)
                .subcommand(Command::new("check").about("Lists every mistake and contacts nobody")),
        )
        .subcommand(
            Command::new("healthcheck")
                .about("Succeeds when the peer at BIND and PORT is ready (a container's probe)"),
        )
        .subcommands(of_mode)
}

fn secrets_command() -> Command {
    Command::new("secrets").about("Looks after the secrets at rest").subcommand_required(true).subcommand(
        Command::new("reseal").about(
            "Seals every value anew with the first key of SECRETS_KEY, also beside running peers; fails while one cannot be read",
        ),
    )
}

fn flag(variable: &Variable) -> Arg {
    let value = if variable.secret {
        "PATH".to_owned()
    } else {
        "VALUE".to_owned()
    };
    let source = given_as(variable);
    Arg::new(source.clone())
        .long(variable.flag())
        .value_name(value)
        .num_args(1)
        .allow_hyphen_values(true)
        .global(true)
        .help(format!(
            "{} ({}) [{source}]",
            variable.purpose, variable.expected
        ))
}

/// The variable a flag stands for.
fn given_as(variable: &Variable) -> String {
    if variable.secret {
        variable.file_name()
    } else {
        variable.name.to_owned()
    }
}

fn asked(matches: &ArgMatches, mut source: Source) -> (Action, Source) {
    let action = match matches.subcommand_name() {
        Some("config") => Action::CheckConfig,
        Some("healthcheck") => Action::Healthcheck,
        Some("secrets") => Action::ResealSecrets,
        _ => Action::Serve,
    };
    for variable in VARIABLES {
        let name = given_as(variable);
        if let Ok(Some(value)) = matches.try_get_one::<String>(&name) {
            source.unset(variable.name);
            source.set(name, value.clone());
        }
    }
    (action, source)
}

fn refuse(defaults: &Defaults, mistakes: &Mistakes) -> ExitCode {
    let text = format!(
        "{}: the configuration cannot be used\n{mistakes}",
        defaults.binary
    );
    say(&mut std::io::stderr(), &text);
    ExitCode::from(WRONG_CONFIGURATION)
}

fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    tracing::error!(error = %chain(error), "the peer ended with an error");
    ExitCode::FAILURE
}

fn summary(config: &Config, defaults: &Defaults) -> String {
    let mut text = format!(
        "{}: the configuration is valid\npeer {} ({:?}) on {}",
        defaults.binary,
        config.peer,
        config.mode(),
        config.listen
    );
    if let Role::Full(full) = &config.role {
        let names = |names: Vec<String>| {
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        };
        let targets = names(
            full.targets
                .iter()
                .map(|(name, _)| name.to_string())
                .collect(),
        );
        let peers = names(
            full.peer_urls
                .iter()
                .map(|(name, url)| format!("{name}={url}"))
                .collect(),
        );
        // Writing to a String cannot fail.
        let _ = write!(text, "\nseeded targets: {targets}\npeers: {peers}");
    }
    text
}

fn say(to: &mut impl Write, text: &str) {
    // Nobody is left to be told when the output is closed.
    let _ = writeln!(to, "{text}");
}

/// Asks the peer itself, over its own port. Needs `PORT` and `BIND` only.
fn healthcheck(source: &Source, defaults: &Defaults) -> ExitCode {
    let listen = match Config::listen(source, defaults) {
        Ok(listen) => listen,
        Err(mistakes) => return refuse(defaults, &mistakes),
    };
    match probe(reachable(listen)) {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => {
            say(
                &mut std::io::stderr(),
                &format!("not ready: status {status}"),
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&mut std::io::stderr(), &format!("not ready: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// "Every address" is no address to connect to; this machine's own is meant.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

fn probe(address: SocketAddr) -> std::io::Result<u16> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::with_capacity(64);
    stream.take(64).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    head.split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| std::io::Error::other("no HTTP answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Defaults = Defaults {
        binary: "authority",
        about: "",
        mode: Mode::Full,
        peer: "authority",
        port: 3001,
    };

    fn parse(args: &[&str], source: Source) -> (Action, Source) {
        let matches = command(&DEFAULTS).try_get_matches_from(args).unwrap();
        asked(&matches, source)
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command(&DEFAULTS).debug_assert();
    }

    #[test]
    fn subcommands_choose_what_is_done() {
        assert_eq!(parse(&["authority"], Source::default()).0, Action::Serve);
        assert_eq!(
            parse(&["authority", "serve"], Source::default()).0,
            Action::Serve
        );
        assert_eq!(
            parse(&["authority", "config", "check"], Source::default()).0,
            Action::CheckConfig
        );
        assert_eq!(
            parse(&["authority", "healthcheck"], Source::default()).0,
            Action::Healthcheck
        );
        assert_eq!(
            parse(&["authority", "secrets", "reseal"], Source::default()).0,
            Action::ResealSecrets
        );
    }

    #[test]
    fn only_who_keeps_secrets_at_rest_can_seal_them_anew() {
        let consumer = Defaults {
            binary: "consumer",
            mode: Mode::ReceiveOnly,
            ..DEFAULTS
        };
        assert!(
            command(&consumer)
                .try_get_matches_from(["consumer", "secrets", "reseal"])
                .is_err()
        );
        assert!(
            command(&DEFAULTS)
                .try_get_matches_from(["authority", "secrets"])
                .is_err()
        );
    }

    #[test]
    fn a_flag_overrides_its_variable_before_and_after_a_subcommand() {
        for args in [
            ["authority", "--port", "4000", "healthcheck"],
            ["authority", "healthcheck", "--port", "4000"],
        ] {
            let (_, source) = parse(&args, Source::from_pairs([("PORT", "5000")]));
            assert_eq!(Config::listen(&source, &DEFAULTS).unwrap().port(), 4000);
        }
    }

    #[test]
    fn a_secret_has_no_flag_but_its_file_has() {
        let with = |flag: &str| command(&DEFAULTS).try_get_matches_from(["authority", flag, "x"]);
        assert!(with("--propagation-secret").is_err());
        assert!(with("--propagation-secret-file").is_ok());
    }

    #[test]
    fn every_address_is_probed_as_this_machine() {
        assert_eq!(
            reachable(([0, 0, 0, 0], 3001).into()).to_string(),
            "127.0.0.1:3001"
        );
    }
}
