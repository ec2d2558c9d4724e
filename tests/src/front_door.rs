//! The front door as processes: the accounts service, and the gateway where people sign in.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use parking_lot::Mutex;
use services::Process;
use services::http::exchange;
use url::Url;

use crate::gateway::{Keys, listening};
use crate::programs::program;
use crate::wait::until;

/// Who may do everything.
pub const ADMIN: &str = "admin@example.org";

/// The admin's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// Both programs. They end when this is dropped.
pub struct FrontDoor {
    /// Where the dashboards are, in the order of the upstreams.
    pub dashboards: Vec<Url>,
    /// Where both log to.
    pub logs: Vec<PathBuf>,
    accounts: Mutex<Option<Process>>,
    environment: Vec<(String, String)>,
    listen: String,
    _gateway: Process,
}

/// Starts both before `upstreams`, the first `shown` of which have their pages at an address of its own, with one account, an
/// admin's. What they keep and log is in `folder`.
///
/// # Panics
/// When one does not start.
#[expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]
pub async fn front_door(
    keys: &Keys,
    upstreams: &[(&str, &str)],
    shown: usize,
    access_seconds: u32,
    folder: &Path,
) -> FrontDoor {
    let port = services::free_port().expect("a port");
    let listen = format!("127.0.0.1:{port}");
    let database = format!("sqlite://{}", folder.join("accounts.sqlite").display());
    let environment = [
        ("ACCOUNTS_DATABASE_URL", database),
        ("ACCOUNTS_LISTEN", listen.clone()),
        ("ACCOUNTS_LINK_KEY", "5e".repeat(32)),
        ("GATEWAY_KEYS", keys.set().display().to_string()),
        ("NO_COLOR", "1".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    add_admin(&environment);
    let gateway_log = folder.join("gateway.log");
    let mut command = vec![program("gateway").display().to_string(), "serve".to_owned()];
    let mut argument = |name: &str, value: String| command.push(format!("--{name}={value}"));
    argument("dir", keys.folder().display().to_string());
    argument("accounts", format!("accounts=http://{listen}"));
    argument("access-seconds", access_seconds.to_string());
    for (name, url) in upstreams {
        argument("upstream", format!("{name}={}", url.trim_end_matches('/')));
    }
    for _ in 0..shown {
        argument("listen", "127.0.0.1:0".to_owned());
    }
    let gateway = Process::start(&command, &environment, &gateway_log).expect("a gateway");
    let names: Vec<&str> = upstreams
        .iter()
        .take(shown)
        .map(|(name, _)| *name)
        .collect();
    let mut dashboards = listening(&gateway_log, &names).await;
    for url in &mut dashboards {
        // One name for all of them: a browser then sends its cookies to all.
        url.set_host(Some("localhost")).expect("a name");
    }
    let front_door = FrontDoor {
        dashboards,
        logs: vec![folder.join("accounts.log"), gateway_log],
        accounts: Mutex::default(),
        environment: environment.to_vec(),
        listen,
        _gateway: gateway,
    };
    front_door.start_accounts().await;
    front_door
}

#[expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]
fn add_admin(environment: &[(String, String)]) {
    let mut add = Command::new(program("accounts-server"));
    add.args(["user", "add", "--email", ADMIN, "--name", "Admin"]);
    add.args(["--role", "admin", "--password-stdin"]);
    add.envs(environment.iter().map(|(name, value)| (name, value)));
    let piped = add.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut adding = piped.spawn().expect("the accounts service starts");
    let mut input = adding.stdin.take().expect("its input");
    writeln!(input, "{PASSWORD}").expect("it reads");
    drop(input);
    let added = adding.wait_with_output().expect("it ends");
    assert!(added.status.success(), "{added:?}");
}

impl FrontDoor {
    /// Kills the accounts service.
    pub fn kill_accounts(&self) {
        drop(self.accounts.lock().take());
    }

    /// Stops the accounts service in its tracks: what it is asked waits.
    pub fn pause_accounts(&self) {
        self.accounts.lock().iter().for_each(Process::pause);
    }

    /// Lets it go on.
    pub fn resume_accounts(&self) {
        self.accounts.lock().iter().for_each(Process::resume);
    }

    /// Starts it, at its address.
    ///
    /// # Panics
    /// When it does not start.
    #[expect(
        clippy::expect_used,
        reason = "a test stops where an expectation fails"
    )]
    pub async fn start_accounts(&self) {
        let command = [program("accounts-server").display().to_string()];
        let started = Process::start(&command, &self.environment, &self.logs[0]);
        let started = started.expect("the accounts service starts");
        *self.accounts.lock() = Some(started);
        let ready = Url::parse(&format!("http://{}/readyz", self.listen)).expect("a URL");
        until("the accounts service is ready", async || {
            match exchange("GET", ready.clone(), None).await {
                Ok((200, _)) => Ok(()),
                Ok((status, answer)) => Err(format!("{status} {answer}")),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }
}

/// Signs in at a gateway as a program does, and tells the value of `Cookie` for what follows.
///
/// # Panics
/// When nobody is let in.
#[expect(
    clippy::expect_used,
    reason = "a test stops where an expectation fails"
)]
pub async fn cookies(gateway: &Url, email: &str, password: &str) -> String {
    // Somebody else may have been faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    let url = gateway.join("/login").expect("a path");
    let form = [("email", email), ("password", password)];
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(form).finish();
    let asked = client.post(url).body(body);
    let asked = asked.header("content-type", "application/x-www-form-urlencoded");
    let answer = asked.send().await.expect("an answer");
    let set = answer.headers().get_all("set-cookie").iter();
    let pairs = set.filter_map(|it| it.to_str().ok()?.split(';').next().map(str::to_owned));
    let cookies = pairs.collect::<Vec<_>>().join("; ");
    assert!(cookies.contains("access="), "{gateway} lets nobody in");
    cookies
}
