//! `gateway serve`.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mesh_management::edge::host_name;
use url::{Host, Url};

use crate::command::places::{self, Failure, Places};
use crate::keys;
use crate::proxy::{Origin, Upstream};
use crate::sign_in::{self, Lifetimes, SignInSettings};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    places: Places,
    /// The accounts service, as NAME=http://HOST:PORT: tokens are for that name.
    #[arg(
        long,
        env = "ACCOUNTS",
        value_name = "NAME=URL",
        default_value = "accounts=http://127.0.0.1:3200"
    )]
    accounts: Upstream,
    /// Where browsers find the gateway. Over https its cookies are for TLS alone; over http it is for this machine alone.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://localhost:3100", value_parser = public_url)]
    public_url: Url,
    /// An origin whose pages may ask with their user's cookies, as https://app.example.
    #[arg(
        long = "cors-origin",
        env = "CORS_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    origins: Vec<Origin>,
    /// Gives the refresh token the name that clients of the original know.
    #[arg(long, env = "COOKIE_COMPAT")]
    cookie_compat: bool,
    /// How long an access token counts, in seconds: rights follow within this time.
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(5..=3600))]
    access_seconds: u32,
    /// How long a session lives that is not used, in hours.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=720))]
    idle_hours: u32,
    /// How long one lives whose person wants to be remembered, in days.
    #[arg(long, env = "JWT_REFRESH_REMEMBER_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
    remember_days: u32,
    /// How often one address may prove who it is, in a quarter of an hour.
    #[arg(long, env = "AUTH_RATE_MAX", default_value_t = SignInSettings::ATTEMPTS)]
    attempts: NonZeroU32,
}

fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no URL".to_owned())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_local = match url.host() {
        Some(Host::Domain(name)) => matches!(name, "localhost" | "localhost."),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        _ if !is_bare || !url.username().is_empty() || url.password().is_some() => {
            Err("has more than a scheme, a host and a port".to_owned())
        }
        "https" => Ok(url),
        "http" if is_local => Ok(url),
        "http" => Err("needs https: over http everybody on the way reads the cookies".to_owned()),
        _ => Err("is no https URL".to_owned()),
    }
}

impl Serve {
    /// Serves until it is asked to stop.
    pub(super) fn run(self) -> Result<(), Failure> {
        places::run(async {
            let signer = Arc::new(keys::load(&self.places.dir)?);
            let key = keys::refresh_token_key(&self.places.dir)?;
            let hour = Duration::from_secs(3600);
            let sign_in_settings = SignInSettings {
                cookie_compat: self.cookie_compat,
                lifetimes: Lifetimes {
                    access: Duration::from_secs(self.access_seconds.into()),
                    idle: hour * self.idle_hours,
                    remembered: hour * 24 * self.remember_days,
                },
                attempts: self.attempts,
                ..SignInSettings::new(self.accounts, self.public_url, key)
            };
            if sign_in_settings.is_secure() && !self.places.has_proxies() {
                tracing::warn!(
                    "no --trusted-proxy: whatever ends TLS before this is everybody's address"
                );
            }
            let name = sign_in_settings.public_url.host_str().and_then(host_name);
            let mut settings = self.places.settings(name);
            settings.origins = self.origins;
            Ok(sign_in::bind(settings, sign_in_settings, signer).await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::public_url;

    #[test]
    fn cookies_do_not_travel_in_the_clear() {
        for good in [
            "https://mesh.example",
            "https://mesh.example:8443/",
            "http://localhost:3100",
            "http://127.0.0.1:3100",
            "http://[::1]:3100",
        ] {
            assert!(public_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://mesh.example",
            "https://mesh.example/a",
            "https://u:p@mesh.example",
            "ftp://localhost",
            "mesh.example",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }
}
