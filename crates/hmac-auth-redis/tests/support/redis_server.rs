//! A private Redis for one test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) struct Redis {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

pub(crate) async fn redis() -> Result<Redis, std::io::Error> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut redis = Redis { port, folder: TempDir::new()?, process: None };
    redis.start().await?;
    Ok(redis)
}

#[expect(dead_code, reason = "each test file uses a part of it")]
impl Redis {
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn start(&mut self) -> Result<(), std::io::Error> {
        let process = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "yes",
                "--dir",
            ])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn()?;
        self.process = Some(process);
        let client = redis::Client::open(self.url()).map_err(std::io::Error::other)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while client.get_connection().and_then(|mut c| redis::cmd("PING").exec(&mut c)).is_err() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(crate) async fn stop(&mut self) -> Result<(), std::io::Error> {
        if let Some(process) = &mut self.process {
            let _ = Command::new("kill").arg(process.id().to_string()).status();
            process.wait()?;
        }
        self.process = None;
        Ok(())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
