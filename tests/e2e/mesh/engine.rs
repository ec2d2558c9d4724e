//! The container engine, over its socket: what the stories do to the containers of a composed mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

const SOCKET: &str = "/var/run/docker.sock";

/// Where a container that a story has changed keeps the environment it was composed with.
const ORIGINAL: &str = "hmac-mesh.original-environment";

/// The engine that runs this container.
#[derive(Clone)]
pub(super) struct Engine {
    client: Client,
}

impl Engine {
    /// The engine behind the socket that the story's own container was given.
    pub(super) fn here() -> Self {
        // A connection is not kept: the next call may come from another runtime.
        let client = Client::builder()
            .unix_socket(SOCKET)
            .pool_max_idle_per_host(0);
        let client = client
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        Self { client }
    }

    /// The addresses of this container, one for each network.
    pub(super) async fn own_addresses(&self) -> Vec<String> {
        let own = self.own().await;
        let networks = own["NetworkSettings"]["Networks"].as_object();
        let addresses = networks.into_iter().flatten();
        addresses
            .filter_map(|(_, network)| network["IPAddress"].as_str().map(str::to_owned))
            .collect()
    }

    /// The containers of the project that this container belongs to, by service.
    pub(super) async fn own_project(&self) -> BTreeMap<String, Container> {
        let own = self.own().await;
        let project = own["Config"]["Labels"]["com.docker.compose.project"]
            .as_str()
            .expect("a project");
        let filters =
            json!({ "label": [format!("com.docker.compose.project={project}")] }).to_string();
        let filters: String = url::form_urlencoded::byte_serialize(filters.as_bytes()).collect();
        let listed = self
            .get(&format!("/containers/json?all=true&filters={filters}"))
            .await;
        let containers = listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|listed| {
                let service = listed["Labels"]["com.docker.compose.service"]
                    .as_str()?
                    .to_owned();
                let name = listed["Names"][0]
                    .as_str()?
                    .trim_start_matches('/')
                    .to_owned();
                Some((
                    service,
                    Container {
                        engine: self.clone(),
                        name,
                    },
                ))
            });
        containers.collect()
    }

    async fn own(&self) -> Value {
        let own = fs::read_to_string("/etc/hostname").expect("this container's id");
        self.get(&format!("/containers/{}/json", own.trim())).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self
            .client
            .request(method.clone(), format!("http://engine{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }
}

/// One container, by its name, which it keeps when it is made anew.
#[derive(Clone)]
pub(super) struct Container {
    engine: Engine,
    name: String,
}

impl Container {
    /// Starts it as it is; nothing happens when it runs.
    pub(super) async fn start(&self) {
        self.post("start", &[204, 304]).await;
    }

    /// Ends it as an operator would; nothing happens when it does not run.
    pub(super) async fn stop(&self) {
        self.post("stop?t=15", &[204, 304]).await;
    }

    /// Ends it with `SIGKILL`; nothing happens when it does not run.
    pub(super) async fn kill(&self) {
        self.post("kill", &[204, 409]).await;
        self.post("wait", &[200]).await;
    }

    /// Stops all of it in its tracks.
    pub(super) async fn pause(&self) {
        self.post("pause", &[204]).await;
    }

    /// Lets it go on.
    pub(super) async fn resume(&self) {
        self.post("unpause", &[204]).await;
    }

    /// Runs again, whatever happened to it.
    pub(super) async fn restore(&self) {
        if self.inspect().await["State"]["Paused"] == true {
            self.resume().await;
        }
        self.start().await;
    }

    /// The environment it was composed with.
    pub(super) async fn original_environment(&self) -> Vec<(String, String)> {
        let inspected = self.inspect().await;
        match inspected["Config"]["Labels"][ORIGINAL].as_str() {
            Some(original) => serde_json::from_str(original).expect("what a story has noted"),
            None => environment(&inspected),
        }
    }

    /// Starts it with this environment. Another one than it has takes another container of the same name.
    pub(super) async fn launch(&self, mut wanted: Vec<(String, String)>) {
        let inspected = self.inspect().await;
        let mut current = environment(&inspected);
        current.sort();
        wanted.sort();
        if current != wanted {
            let original = self.original_environment().await;
            self.replace(inspected, &wanted, &original).await;
        }
        self.start().await;
    }

    async fn replace(
        &self,
        inspected: Value,
        wanted: &[(String, String)],
        original: &[(String, String)],
    ) {
        let mut body = inspected["Config"].clone();
        body["HostConfig"] = inspected["HostConfig"].clone();
        body["Env"] = wanted
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        body["Labels"][ORIGINAL] = json!(serde_json::to_string(original).expect("JSON"));
        // Its first id was its name as well; the next one gets its own.
        let id = &inspected["Id"].as_str().expect("an id")[..12];
        body.as_object_mut().expect("an object").remove("Hostname");
        let networks = inspected["NetworkSettings"]["Networks"]
            .as_object()
            .expect("networks");
        let endpoints = networks.iter().map(|(network, endpoint)| {
            let aliases = endpoint["Aliases"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|alias| *alias != id);
            (network, json!({ "Aliases": aliases.collect::<Vec<_>>() }))
        });
        // Older engines make a container on its first network only; it joins the others before it starts.
        let (first, others): (Vec<_>, Vec<_>) =
            endpoints.partition(|(network, _)| body["HostConfig"]["NetworkMode"] == **network);
        let first: serde_json::Map<_, _> = first
            .into_iter()
            .map(|(network, endpoint)| (network.clone(), endpoint))
            .collect();
        body["NetworkingConfig"] = json!({ "EndpointsConfig": first });
        let path = format!("/containers/{}?force=true", self.name);
        let (status, answer) = self.engine.call(Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "DELETE {path}: {answer}");
        let path = format!("/containers/create?name={}", self.name);
        let (status, answer) = self.engine.call(Method::POST, &path, Some(&body)).await;
        assert_eq!(status, 201, "POST {path}: {answer}");
        for (network, endpoint) in others {
            let path = format!("/networks/{network}/connect");
            let join = json!({ "Container": self.name, "EndpointConfig": endpoint });
            let (status, answer) = self.engine.call(Method::POST, &path, Some(&join)).await;
            assert_eq!(status, 200, "POST {path}: {answer}");
        }
    }

    /// The networks it is on.
    pub(super) async fn networks(&self) -> BTreeSet<String> {
        let inspected = self.inspect().await;
        let networks = inspected["NetworkSettings"]["Networks"].as_object();
        networks
            .into_iter()
            .flat_map(|networks| networks.keys().cloned())
            .collect()
    }

    /// What it has logged since it was made.
    pub(super) async fn log(&self) -> String {
        let path = format!(
            "http://engine/containers/{}/logs?stdout=true&stderr=true",
            self.name
        );
        let answer = self
            .engine
            .client
            .get(path)
            .send()
            .await
            .expect("the engine's answer");
        let bytes = answer.bytes().await.expect("a log");
        let mut rest = &bytes[..];
        let mut text = Vec::new();
        // Each piece comes with a head of 8 bytes, of which the last four say how long it is.
        while let Some((head, body)) = rest.split_at_checked(8) {
            let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let (piece, next) = body.split_at(length.min(body.len()));
            text.extend_from_slice(piece);
            rest = next;
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    async fn inspect(&self) -> Value {
        self.engine
            .get(&format!("/containers/{}/json", self.name))
            .await
    }

    async fn post(&self, action: &str, expected: &[u16]) {
        let path = format!("/containers/{}/{action}", self.name);
        let (status, answer) = self.engine.call(Method::POST, &path, None).await;
        assert!(expected.contains(&status), "POST {path}: {status} {answer}");
    }
}

fn environment(inspected: &Value) -> Vec<(String, String)> {
    let lines = inspected["Config"]["Env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
