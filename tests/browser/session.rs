//! One browser: opening pages, acting on them, and asking what only the browser knows.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::wait::DEADLINE;
use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use services::browser::Browser;
use tokio::time::timeout;
use url::{ParseError, Url};

/// One command to the driver takes no longer.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// How a browser is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) javascript: bool,
    pub(crate) dark: bool,
    pub(crate) width: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            javascript: true,
            dark: false,
            width: 1_280,
        }
    }
}

/// A browser window, closed by [`Session::close`]; a driver of our own takes it along in any case.
pub(crate) struct Session {
    client: Client,
    _driver: Browser,
}

impl Session {
    /// Opens a browser.
    pub(crate) async fn open(options: Options) -> Self {
        let driver = services::browser::browser().await.expect("a browser");
        let capabilities = capabilities(&driver, options);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        // Bounded, as every command: a browser that hangs must not hang the run.
        let client = bounded("opening a browser", builder.connect(driver.url())).await;
        let session = Self {
            client,
            _driver: driver,
        };
        session.resize(options.width).await;
        let scheme = if options.dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        session
            .devtools(
                "Emulation.setEmulatedMedia",
                json!({ "features": features }),
            )
            .await;
        session
    }

    /// Sets the width of the page.
    pub(crate) async fn resize(&self, width: u32) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn goto(&self, url: &Url) {
        bounded("opening a page", self.client.goto(url.as_str())).await;
    }

    /// Opens one more tab and goes there; returns the one before.
    pub(crate) async fn tab(&self) -> WindowHandle {
        let before = bounded("the tab", self.client.window()).await;
        let opened = bounded("a new tab", self.client.new_window(true)).await;
        self.switch_to(opened.handle).await;
        before
    }

    /// Goes to a tab.
    pub(crate) async fn switch_to(&self, tab: WindowHandle) {
        bounded("going to a tab", self.client.switch_to_window(tab)).await;
    }

    /// Goes to a tab; returns the one before.
    pub(crate) async fn switch_to_other(&self, tab: WindowHandle) -> WindowHandle {
        let before = bounded("the tab", self.client.window()).await;
        self.switch_to(tab).await;
        before
    }

    /// The address of the page.
    pub(crate) async fn url(&self) -> Url {
        bounded("the address", self.client.current_url()).await
    }

    /// Waits for an element.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let wait = self
            .client
            .wait()
            .at_most(DEADLINE)
            .every(Duration::from_millis(25));
        let found = wait.for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!(
                "no {css} on {}: {error}; {:#?}",
                self.url().await,
                self.complaints().await
            ),
        }
    }

    /// Types into a field, in the place of what it holds.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        bounded("emptying a field", element.clear()).await;
        bounded("typing", element.send_keys(text)).await;
    }

    /// Clicks an element; whatever that leads to is waited for by the next command.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        bounded(&format!("clicking {css}"), element.click()).await;
    }

    /// The HTML as the server sent it or scripts changed it.
    pub(crate) async fn html(&self) -> String {
        bounded("the source", self.client.source()).await
    }

    /// Runs a function body in the page.
    pub(crate) async fn script(&self, body: &str) -> Value {
        bounded("a script", self.client.execute(body, Vec::new())).await
    }

    /// What was written to the console since the last time: level and text of warnings and errors.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let command = Command {
            path: "se/log",
            body: json!({ "type": "browser" }),
        };
        let entries = bounded("the console", self.client.issue_cmd(command)).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let bad = entries
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("WARNING" | "SEVERE")));
        bad.map(|entry| format!("{} {}", entry["level"], entry["message"]))
            .collect()
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let command = Command {
            path: "goog/cdp/execute",
            body: json!({ "cmd": method, "params": parameters }),
        };
        bounded(method, self.client.issue_cmd(command)).await
    }

    /// A picture of the whole page, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let taken = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", taken).await;
        STANDARD
            .decode(taken["data"].as_str().unwrap_or_default())
            .expect("base64")
    }

    /// Closes the browser.
    pub(crate) async fn close(self) {
        bounded("closing", self.client.close()).await;
    }
}

fn capabilities(driver: &Browser, options: Options) -> Capabilities {
    let mut chrome = json!({ "args": driver.arguments() });
    if let Some(program) = driver.program() {
        chrome["binary"] = json!(program);
    }
    if !options.javascript {
        chrome["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let all = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": chrome,
    });
    all.as_object().cloned().unwrap_or_default()
}

async fn bounded<T, E: std::fmt::Display>(
    what: &str,
    command: impl Future<Output = Result<T, E>>,
) -> T {
    match timeout(COMMAND_LIMIT, command).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => panic!("{what}: {error}"),
        Err(_) => panic!("{what}: no answer within {} s", COMMAND_LIMIT.as_secs()),
    }
}

/// A command of the driver that is not in the standard.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
