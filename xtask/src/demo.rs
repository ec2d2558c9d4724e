//! `cargo demo`: the four peers on local private servers, with something in them to look at.

use std::time::{Duration, Instant};

use services::mesh::{self, Mesh, Mode};
use tokio::signal::unix::{SignalKind, signal};

use crate::step::Step;
use crate::{Error, install};

/// Options of `cargo demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Bring the mesh up, try the commands that are printed, and stop.
    #[arg(long)]
    check: bool,
    /// Use free ports instead of 3001 to 3004.
    #[arg(long)]
    free_ports: bool,
}

/// A client of the demo, and the peers that shall know it.
struct Client {
    id: &'static str,
    secret: &'static str,
    targets: &'static [&'static str],
}

/// Loaded at the start, so that there is something to see. Demo secrets, worth nothing elsewhere.
const CLIENTS: &[Client] = &[
    Client {
        id: "billing",
        secret: "demo-secret-of-billing-0001",
        targets: &["consumer", "leptos-axum", "leptos-actix"],
    },
    Client { id: "reports", secret: "demo-secret-of-reports-0002", targets: &["consumer"] },
    Client {
        id: "warehouse",
        secret: "demo-secret-of-warehouse-03",
        targets: &["leptos-axum", "leptos-actix"],
    },
    Client { id: "local-only", secret: "demo-secret-of-local-only-4", targets: &[] },
];

/// Runs the mesh until Ctrl-C.
pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let mut mesh = tokio::select! {
        mesh = bring_up(&options) => mesh?,
        stopped = stopped() => return stopped,
    };
    let commands = explain(&mesh);
    let outcome = if options.check {
        check(&mut mesh, &commands).await
    } else {
        println!("\nCtrl-C stops everything and leaves nothing behind.");
        tokio::select! {
            ended = a_peer_ends(&mesh) => Err(ended),
            stopped = stopped() => stopped,
        }
    };
    println!("\nStopping ...");
    let killed = mesh.stop();
    outcome?;
    if killed.is_empty() { Ok(()) } else { Err(format!("had to be killed: {}", killed.join(", ")).into()) }
}

/// Waits for Ctrl-C or SIGTERM.
async fn stopped() -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

async fn bring_up(options: &Options) -> Result<Mesh, Error> {
    println!("The first build takes minutes; later ones take seconds.");
    install::servers(|server| match server {
        "rabbitmq" => services::variable("HMAC_MESH_RABBITMQ").is_some(),
        "mariadb" => services::variable("HMAC_MESH_MARIADB").is_some(),
        _ => false,
    })
    .await?;
    Step::cargo("build").arguments(["build", "--workspace", "--bins"]).run().await?;
    println!("\n── RabbitMQ, MariaDB, four Redis, four peers ──");
    let start = Instant::now();
    let options = mesh::Options {
        binaries: mesh::binaries()?,
        standard_ports: !options.free_ports,
        variables: Vec::new(),
    };
    let mut mesh = Mesh::start(&options).await?;
    load(&mut mesh).await?;
    println!("── ready: {:.1} s ──\n", start.elapsed().as_secs_f64());
    Ok(mesh)
}

async fn load(mesh: &mut Mesh) -> Result<(), Error> {
    let authority = mesh.peer("authority").ok_or("the mesh has no authority")?;
    for client in CLIENTS {
        let targets: Vec<_> = client.targets.iter().map(|target| format!("\"{target}\"")).collect();
        let body = format!(
            r#"{{"clientId":"{}","secret":"{}","targets":[{}]}}"#,
            client.id,
            client.secret,
            targets.join(",")
        );
        let (status, answer) = authority.request("POST", "/admin/ensure", Some(body)).await?;
        if status != 201 {
            return Err(format!("the authority refused client {}: {status} {answer}", client.id).into());
        }
    }
    Ok(())
}

/// Prints where everything is and returns the commands to try, as arguments of `curl`.
fn explain(mesh: &Mesh) -> Vec<Vec<String>> {
    for peer in &mesh.peers {
        let mode = match peer.mode() {
            Mode::Full => "full mode",
            Mode::ReceiveOnly => "receive-only",
        };
        println!("  {:<13} {:<24} {mode}", peer.name(), peer.url().as_str().trim_end_matches('/'));
    }
    println!("  {:<13} {} (guest, guest)", "RabbitMQ", mesh.rabbitmq.api_url());
    println!("  {:<13} {}", "MariaDB", mesh.mariadb.url());
    println!("  {:<13} {}", "logs", mesh.logs().display());
    let authority = mesh.peers[0].url().as_str().trim_end_matches('/').to_owned();
    let post = |path: &str, body: &str| {
        let url = format!("{authority}{path}");
        ["-sS", url.as_str(), "-H", "content-type: application/json", "-d", body].map(str::to_owned).to_vec()
    };
    let call = r#"{"target":"consumer","clientId":"billing","secret":"demo-secret-of-billing-0001"}"#;
    let rotate = r#"{"clientId":"billing","secret":"demo-secret-of-billing-0009"}"#;
    let commands = vec![
        post("/admin/call-target", call),
        post("/admin/rotate", rotate),
        vec!["-sS".to_owned(), format!("{authority}/admin/state")],
    ];
    println!("\nTry (a signed call, a rotation that reaches every peer, and how far it got):\n");
    for command in &commands {
        let quoted: Vec<_> = command
            .iter()
            .map(|it| if it.contains([' ', '"']) { format!("'{it}'") } else { it.clone() })
            .collect();
        println!("  curl {}", quoted.join(" "));
    }
    commands
}

/// Waits until a peer ends by itself, which none should; says which, with its log.
async fn a_peer_ends(mesh: &Mesh) -> Error {
    loop {
        if let Some(peer) = mesh.peers.iter().find(|peer| !peer.is_running()) {
            return format!("{} has ended; its log:\n{}", peer.name(), peer.log()).into();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Runs the commands as a user would, and looks at what they answer.
async fn check(mesh: &mut Mesh, commands: &[Vec<String>]) -> Result<(), Error> {
    let expected = [r#""status":200"#, r#""clientId":"billing""#, r#""billing""#];
    converged(mesh).await?;
    for (arguments, expected) in commands.iter().zip(expected) {
        let output = tokio::process::Command::new("curl").args(arguments).kill_on_drop(true).output();
        let output = tokio::time::timeout(Duration::from_secs(30), output).await??;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("\n{answer}");
        if !answer.contains(expected) {
            return Err(format!("the answer lacks {expected}").into());
        }
    }
    Ok(())
}

/// Waits until every target has confirmed what it was sent.
async fn converged(mesh: &mut Mesh) -> Result<(), Error> {
    let authority = mesh.peer("authority").ok_or("the mesh has no authority")?;
    for _ in 0..300 {
        let (_, state) = authority.request("GET", "/admin/state", None).await?;
        if !state.contains(r#""pending""#) && !state.contains(r#""sent""#) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the mesh did not converge within 30 s".into())
}
