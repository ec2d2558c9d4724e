//! The front door of the demo: the accounts service and the gateway, in this process, before the peers' dashboards.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use accounts::private_api::{LinkKind, MakeLink, NewUser};
use accounts_server::Application;
use accounts_server::config::{Settings as AccountsSettings, Store};
use accounts_server::service::Caller;
use auth_base::random::{Random, SystemRandom};
use auth_base::secret::Secret;
use gateway::keys;
use gateway::proxy::{ProxyError, Settings, Upstream};
use gateway::sign_in::{self, SignInSettings};
use jwt_auth::{Jwks, MemoryKeySource};
use peer_backends::sql::sqlite_url;
use peer_kit::shutdown::Stop;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use url::Url;

use crate::options::Error;
use crate::peers::Peers;
use crate::tokens::Tokens;

/// The peers with pages, and where they are shown unless free ports are asked for.
const SHOWN: [(&str, u16); 2] = [("leptos-axum", 3100), ("leptos-actix", 3101)];

/// Who may do everything in the demo.
pub(crate) const ADMIN: &str = "admin@demo.example";

/// Both services, as long as they run.
pub(crate) struct FrontDoor {
    dashboards: Vec<(String, Url)>,
    link: Url,
    password: Secret,
    gateway_stop: Stop,
    gateway: JoinHandle<Result<(), ProxyError>>,
    accounts_stop: Stop,
    accounts: JoinHandle<Result<(), Error>>,
    /// The accounts of this run.
    _folder: TempDir,
}

impl FrontDoor {
    /// Starts both, if the peers ask for tokens, with one account.
    pub(crate) async fn start(peers: &Peers, free_ports: bool) -> Result<Option<Self>, Error> {
        let Some(tokens) = peers.tokens() else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new()
            .prefix("hmac-mesh-accounts-")
            .tempdir()?;
        let application = accounts(tokens, &folder).await?;
        let password = Secret::new(password());
        let token = admin(&application, &password).await?;
        let service = format!("accounts=http://{}", application.address());
        let accounts_stop = Stop::default();
        let asked = accounts_stop.clone();
        let accounts = tokio::spawn(async move {
            let served = application.run_until(async move { asked.asked().await });
            served.await
        });
        let key = keys::refresh_token_key(tokens.folder())?;
        let settings = settings(peers, free_ports)?;
        let port = settings.listens.first().map_or(0, SocketAddr::port);
        let public_url = Url::parse(&format!("http://localhost:{port}"))?;
        let told = SignInSettings::new(service.parse()?, public_url, key);
        let proxy = sign_in::bind(settings, told, tokens.signer());
        let proxy = proxy.await?;
        let mut dashboards = Vec::new();
        for (name, address) in proxy.dashboards() {
            // One name for both: a browser then sends its cookies to both.
            let url = Url::parse(&format!("http://localhost:{}", address.port()))?;
            dashboards.push((name.clone(), url));
        }
        let first = dashboards.first().map(|(_, url)| url.join("/login/link"));
        let mut link = first.ok_or("there is no dashboard")??;
        link.query_pairs_mut().append_pair("token", token.expose());
        Ok(Some(Self {
            dashboards,
            link,
            password,
            gateway_stop: proxy.stop(),
            gateway: tokio::spawn(proxy.run_until_stopped()),
            accounts_stop,
            accounts,
            _folder: folder,
        }))
    }

    /// Which peers it shows, and where.
    pub(crate) fn dashboards(&self) -> &[(String, Url)] {
        &self.dashboards
    }

    /// Signs in once.
    pub(crate) fn link(&self) -> &Url {
        &self.link
    }

    /// The admin's.
    pub(crate) fn password(&self) -> &Secret {
        &self.password
    }

    /// Ends both, each within its own bound: the gateway first, which writes into the audit what happened last.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.gateway_stop.ask();
        let gateway = self.gateway.await?;
        self.accounts_stop.ask();
        self.accounts.await??;
        Ok(gateway?)
    }
}

/// The accounts service, which takes the gateway's tokens.
async fn accounts(tokens: &Tokens, folder: &TempDir) -> Result<Application, Error> {
    let database = sqlite_url(&folder.path().join("accounts.sqlite"));
    let keys = Jwks::new([tokens.signer().key().clone()]);
    let keys = Arc::new(MemoryKeySource::new(keys));
    let settings = AccountsSettings::new(Store::Sql(Secret::new(database)), keys);
    Application::bind(settings).await
}

/// Makes the admin, and tells the token of a link that signs in.
async fn admin(application: &Application, password: &Secret) -> Result<Secret, Error> {
    let (accounts, caller) = (application.accounts(), Caller::command_line());
    let new = NewUser {
        email: ADMIN.to_owned(),
        name: "Admin of the demo".to_owned(),
        roles: vec!["admin".to_owned()],
        password: Some(password.expose().to_owned().into()),
    };
    let made = accounts.create_user(&caller, &new).await?;
    let asked = MakeLink {
        user_id: made.id,
        kind: LinkKind::SignIn,
    };
    let link = accounts.make_link(&caller, &asked).await?;
    Ok(Secret::new(link.token.as_str()))
}

/// Five groups of four letters and digits, without those that look alike: 99 bits.
fn password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    SystemRandom.fill(&mut bytes);
    let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let groups = letters.chunks(4).map(|group| group.iter().collect());
    groups.collect::<Vec<String>>().join("-")
}

fn settings(peers: &Peers, free_ports: bool) -> Result<Settings, Error> {
    let place = |name: &str| SHOWN.iter().position(|(shown, _)| *shown == name);
    let mut upstreams = Vec::new();
    for (peer, url) in peers.urls() {
        let upstream: Upstream = format!("{}={url}", peer.name).parse()?;
        upstreams.push(upstream);
    }
    // Those with pages come first.
    upstreams.sort_by_key(|upstream| place(&upstream.name).unwrap_or(SHOWN.len()));
    let mut listens = Vec::new();
    for (_, port) in SHOWN {
        // Links are made with it, so it is known before.
        let port = match free_ports {
            true => services::free_port()?,
            false => port,
        };
        listens.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    Ok(Settings::new(upstreams, listens))
}
