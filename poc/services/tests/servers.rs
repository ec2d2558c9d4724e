//! Each server comes up, is killed, comes back with its data, and leaves nothing behind.

use std::time::Instant;

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
