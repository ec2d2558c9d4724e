//! What a person does on the dashboard, and what they read there.

use e2e::wait::until;
use serde_json::{Value, json};

use crate::mesh::Running;
use crate::session::{Options, Session};

/// A browser on one peer's dashboard.
pub(crate) struct Dashboard<'a> {
    pub(crate) session: Session,
    running: &'a Running,
    peer: &'static str,
    options: Options,
}

impl<'a> Dashboard<'a> {
    /// Opens a browser, and signs in where people do; no page of the dashboard yet.
    pub(crate) async fn open(running: &'a Running, peer: &'static str, options: Options) -> Self {
        let session = Session::open(options).await;
        running.sign_in(&session, peer).await;
        Self {
            session,
            running,
            peer,
            options,
        }
    }

    /// Which peer, and how: for what an assertion says.
    pub(crate) fn context(&self) -> String {
        let how = if self.options.javascript {
            "with"
        } else {
            "without"
        };
        format!("{}, {how} JavaScript", self.peer)
    }

    /// Which peer.
    pub(crate) fn peer(&self) -> &'static str {
        self.peer
    }

    /// Opens a page, and waits until it is live where it can be.
    pub(crate) async fn goto(&self, path: &str) {
        self.session.goto(&self.running.url(self.peer, path)).await;
        if self.options.javascript {
            self.session.find("html[data-live]").await;
        }
    }

    /// Shows one of the forms beside the matrix or a client.
    pub(crate) async fn tab(&self, operation: &str) {
        self.session
            .click(&format!("label[for=tab-{operation}]"))
            .await;
    }

    /// Fills in a field of a form.
    pub(crate) async fn fill(&self, form: &str, field: &str, text: &str) {
        self.session.fill(&format!("#{form}-{field}"), text).await;
    }

    /// Sends a form, and waits until the page says this of it.
    pub(crate) async fn send(&self, form: &str, message: &str) {
        self.session
            .click(&format!("#{form} button[type=submit]"))
            .await;
        until(
            &format!("{}: \"{message}\"", self.context()),
            async || match self.message().await {
                text if text == message => Ok(()),
                text => Err(text),
            },
        )
        .await;
    }

    /// What the page says of the last form.
    pub(crate) async fn message(&self) -> String {
        self.text("#said p").await.unwrap_or_default()
    }

    /// What stands in an element; `None` where there is none.
    pub(crate) async fn text(&self, css: &str) -> Option<String> {
        let script = format!(
            "return document.querySelector({})?.textContent?.trim() ?? null",
            json!(css)
        );
        self.session
            .script(&script)
            .await
            .as_str()
            .map(str::to_owned)
    }

    /// What is typed into a field.
    pub(crate) async fn value(&self, css: &str) -> String {
        let script = format!("return document.querySelector({}).value", json!(css));
        self.session
            .script(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A client's row in the matrix; `None` while there is none.
    pub(crate) async fn row(&self, client: &str) -> Option<Vec<Cell>> {
        let script = format!(
            "const row = [...document.querySelectorAll('.matrix tbody tr')]
                .find((row) => row.querySelector('th bdi')?.textContent === {});
             if (!row) return null;
             const text = (cell, css) => cell.querySelector(css).textContent;
             return [...row.querySelectorAll('td[data-peer]')]
                .map((cell) => [cell.dataset.peer, text(cell, '.word'), text(cell, '.hash')]);",
            json!(client)
        );
        let cells = self.session.script(&script).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let cell = |cell: &Value| Cell {
            peer: text(&cell[0]),
            word: text(&cell[1]),
            hash: text(&cell[2]),
        };
        cells
            .as_array()
            .map(|cells| cells.iter().map(cell).collect())
    }

    /// Waits until a client's row is as wanted. With JavaScript it changes by itself; without, the page is opened again.
    pub(crate) async fn until_row<T>(
        &self,
        what: &str,
        client: &str,
        wanted: impl Fn(Option<&[Cell]>) -> Option<T>,
    ) -> T {
        until(&format!("{}: {what}", self.context()), async || {
            if !self.options.javascript {
                self.goto("/").await;
            }
            let row = self.row(client).await;
            wanted(row.as_deref()).ok_or_else(|| format!("{row:?}"))
        })
        .await
    }

    /// Waits until all four peers hold a client, and returns the beginning of its hash.
    pub(crate) async fn until_everywhere(&self, client: &str, before: Option<&str>) -> String {
        self.until_row(&format!("{client} is in sync everywhere"), client, |row| {
            let row = row.filter(|row| row.len() == 4)?;
            let hash = &row.first()?.hash;
            let same = row
                .iter()
                .all(|cell| cell.word == "in sync" && cell.hash == *hash);
            (same && Some(hash.as_str()) != before).then(|| hash.clone())
        })
        .await
    }

    /// Marks the page, so that it can be told from another one.
    pub(crate) async fn mark(&self) {
        self.session.script("window.samePage = true").await;
    }

    /// Tells whether this is the page that was marked.
    pub(crate) async fn is_marked(&self) -> bool {
        self.session.script("return window.samePage === true").await == true
    }

    /// Closes the browser; nothing may have been complained of but that the peer refused.
    pub(crate) async fn close_after_refusals(self) {
        let mut complaints = self.session.complaints().await;
        complaints.retain(|complaint| !complaint.contains("responded with a status of 4"));
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.context());
        self.session.close().await;
    }

    /// Closes the browser; nothing may have been complained of.
    pub(crate) async fn close(self) {
        let complaints = self.session.complaints().await;
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.context());
        self.session.close().await;
    }
}

/// A client on a peer, as the matrix shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) peer: String,
    pub(crate) word: String,
    pub(crate) hash: String,
}

/// Both ways to use a page.
pub(crate) const WAYS: [Options; 2] = [
    Options {
        javascript: true,
        dark: false,
        width: 1_280,
    },
    Options {
        javascript: false,
        dark: false,
        width: 1_280,
    },
];
