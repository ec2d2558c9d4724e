//! A browser: it keeps cookies, follows nothing, and runs no scripts.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};

/// One browser, at one address of a gateway.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    pub(crate) at: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What it was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// The cookies that it sets: name and value.
    pub(crate) fn set(&self) -> BTreeMap<String, String> {
        let set = self.headers.get_all(SET_COOKIE).iter();
        set.map(|it| {
            let pair = it.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
    }

    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Browser {
    pub(crate) fn new(at: SocketAddr) -> Self {
        peer_kit::tls::install_provider();
        let client = Client::builder().redirect(Policy::none());
        Self {
            client: client.build().unwrap(),
            at,
            cookies: BTreeMap::new(),
        }
    }

    /// Asks with its cookies and these headers, and keeps none that come.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let method: Method = method.parse().unwrap();
        let url = format!("http://{}{path}", self.at);
        let mut request = self.client.request(method, url).body(body.to_owned());
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter();
            let pairs: Vec<_> = pairs
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    /// The same, and keeps the cookies that come.
    pub(crate) async fn keep(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let answer = self.ask(method, path, headers, body).await;
        // Those of the peer are of no interest.
        for (name, value) in answer
            .set()
            .into_iter()
            .filter(|(name, _)| name != "theirs")
        {
            match value.is_empty() {
                true => self.cookies.remove(&name),
                false => self.cookies.insert(name, value),
            };
        }
        answer
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.keep("GET", path, &[], "").await
    }

    /// Opens a page.
    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let accept = ("accept", "text/html,application/xhtml+xml");
        self.keep("GET", path, &[accept], "").await
    }

    /// Sends a form, as a page of this site does.
    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = format!("http://{}", self.at);
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(fields).finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("accept", "text/html"),
        ];
        self.keep("POST", path, &headers, &form).await
    }

    /// Signs in.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.send("/login", &[("email", email), ("password", password)])
            .await
    }
}
