//! Each server comes up, is killed, comes back with its data, and leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[tokio::test]
async fn redis_comes_and_goes() {
    let start = Instant::now();
    let mut redis = services::redis().await.unwrap();
    println!("Redis ready in {:?}", start.elapsed());
    redis.kill();
    redis.start().await.unwrap();
    redis.stop();
}

#[tokio::test]
async fn mariadb_comes_and_goes() {
    let start = Instant::now();
    let mut server = services::private_mariadb().await.unwrap();
    println!("MariaDB ready in {:?}", start.elapsed());
    assert!(server.database("some").await.unwrap().contains("/some_"));
    server.kill();
    server.start().await.unwrap();
}

#[tokio::test]
async fn rabbitmq_comes_and_goes() {
    let start = Instant::now();
    let mut node = services::private_rabbitmq().await.unwrap();
    println!("RabbitMQ ready in {:?}", start.elapsed());
    let url = node.vhost("some").await.unwrap();
    node.kill();
    let start = Instant::now();
    node.start().await.unwrap();
    println!("RabbitMQ back in {:?}", start.elapsed());
    let vhosts = node.request("GET", "/api/vhosts", "").await.unwrap();
    assert!(vhosts.contains(url.rsplit('/').next().unwrap()));
}

/// Not a test by itself: what [`servers_die_with_a_killed_process`] kills.
#[tokio::test]
#[ignore = "started by servers_die_with_a_killed_process"]
async fn victim() {
    let (redis, broker, database) = tokio::try_join!(
        services::redis(),
        services::private_rabbitmq(),
        services::private_mariadb()
    )
    .unwrap();
    println!(
        "\nvictim {} {} {}",
        redis.url(),
        broker.url(),
        database.url()
    );
    std::future::pending::<()>().await;
}

#[test]
fn servers_die_with_a_killed_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find(|line| line.starts_with("victim "))
        .unwrap();
    let addresses: Vec<_> = line
        .split(' ')
        .skip(1)
        .map(|url| {
            url.rsplit(['@', '/'])
                .find(|part| part.contains(':'))
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        addresses
            .iter()
            .all(|address| TcpStream::connect(address).is_ok()),
        "{addresses:?}"
    );
    victim.kill().unwrap();
    victim.wait().unwrap();
    let containers = || {
        if services::variable("HMAC_MESH_CONTAINERS").is_none() {
            return Vec::new();
        }
        let output = Command::new("docker")
            .args(["ps", "--all", "--format", "{{.Names}}"])
            .output()
            .unwrap();
        let names = String::from_utf8(output.stdout).unwrap();
        let own = |name: &&str| {
            name.starts_with("hmac-mesh-") && name.contains(&format!("-{}-", victim.id()))
        };
        names.lines().filter(own).map(str::to_owned).collect()
    };
    let left = || {
        let addresses = addresses
            .iter()
            .filter(|address| TcpStream::connect(address).is_ok())
            .cloned();
        let files = folder
            .path()
            .read_dir()
            .unwrap()
            .flatten()
            .map(|entry| entry.path().display().to_string());
        addresses
            .chain(files)
            .chain(containers())
            .collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while !left().is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
}
