//! Reads the members of an object, and notes what is wrong with each instead of stopping at the first.

use std::cell::RefCell;
use std::collections::HashSet;

use auth_base::secret::Secret;
use auth_base::server_url::is_loopback;
use url::Url;

use crate::config::document::{Node, element, member};
use crate::config::mistake::Mistake;

/// A text may have so many bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// What was found wrong so far.
pub(crate) type Mistakes = RefCell<Vec<Mistake>>;

pub(crate) fn note(mistakes: &Mistakes, path: String, problem: impl Into<String>) {
    mistakes.borrow_mut().push(Mistake {
        path,
        problem: problem.into(),
    });
}

/// An object that is being read. What nobody asked for is unknown in the end.
pub(crate) struct Object<'a> {
    path: String,
    members: &'a [(String, Node)],
    asked: RefCell<Vec<&'static str>>,
    mistakes: &'a Mistakes,
}

impl<'a> Object<'a> {
    /// Begins to read `node`, which should be an object.
    pub(crate) fn of(node: &'a Node, path: String, mistakes: &'a Mistakes) -> Option<Self> {
        match node {
            Node::Object(members) => Some(Self {
                path,
                members,
                asked: RefCell::default(),
                mistakes,
            }),
            other => {
                note(
                    mistakes,
                    path,
                    format!("must be an object, is {}", other.kind()),
                );
                None
            }
        }
    }

    /// Notes a mistake of a member.
    pub(crate) fn wrong(&self, name: &str, problem: impl Into<String>) {
        note(self.mistakes, member(&self.path, name), problem);
    }

    fn find(&self, name: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(name);
        let found = self.members.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value)
    }

    fn required(&self, name: &'static str) -> Option<&'a Node> {
        let found = self.find(name);
        if found.is_none() {
            self.wrong(name, "is required");
        }
        found
    }

    fn as_text(&self, name: &'static str, node: &'a Node) -> Option<&'a str> {
        let problem = match node {
            Node::Unresolved => return None,
            Node::Text(text) if text.trim().is_empty() => "must not be empty".to_owned(),
            Node::Text(text) if text.len() > MAX_TEXT_BYTES => {
                format!("must have at most {MAX_TEXT_BYTES} bytes")
            }
            Node::Text(text) if text.chars().any(char::is_control) => {
                "must have no control character".to_owned()
            }
            Node::Text(text) => return Some(text),
            other => format!("must be a text, is {}", other.kind()),
        };
        self.wrong(name, problem);
        None
    }

    /// A text that must be there.
    pub(crate) fn text(&self, name: &'static str) -> Option<&'a str> {
        self.as_text(name, self.required(name)?)
    }

    /// A text that may be there.
    pub(crate) fn optional_text(&self, name: &'static str) -> Option<&'a str> {
        self.as_text(name, self.find(name)?)
    }

    /// A text that must be there and is not to be shown.
    pub(crate) fn secret(&self, name: &'static str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// A flag that is `false` unless set.
    pub(crate) fn flag(&self, name: &'static str) -> bool {
        match self.find(name) {
            None => false,
            Some(Node::Flag(flag)) => *flag,
            Some(other) => {
                self.wrong(name, format!("must be a boolean, is {}", other.kind()));
                false
            }
        }
    }

    /// A path below a server's address; `otherwise` unless set.
    pub(crate) fn server_path(&self, name: &'static str, otherwise: &str) -> String {
        let path = self.optional_text(name).unwrap_or(otherwise);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let is_path = path.starts_with('/')
            && path.bytes().all(plain)
            && path
                .split('/')
                .skip(1)
                .all(|part| !matches!(part, "" | "." | ".."));
        if !is_path {
            self.wrong(name, "must be a path such as /keys, without a / at its end");
        }
        path.to_owned()
    }

    /// The address of a server, without a `/` at its end: `https`, or `http` where that is safe.
    pub(crate) fn server(&self, name: &'static str, plain: Plain) -> Option<Url> {
        let text = self.text(name)?;
        match server(text, plain) {
            Ok(url) => Some(url),
            Err(problem) => {
                self.wrong(name, problem);
                None
            }
        }
    }

    /// An object that must be there.
    pub(crate) fn object(&self, name: &'static str) -> Option<Object<'a>> {
        let node = self.required(name)?;
        Object::of(node, member(&self.path, name), self.mistakes)
    }

    /// An object that may be there.
    pub(crate) fn optional_object(&self, name: &'static str) -> Option<Object<'a>> {
        let node = self.find(name)?;
        Object::of(node, member(&self.path, name), self.mistakes)
    }

    /// The items of a list that must be there, each with its path.
    pub(crate) fn list(&self, name: &'static str) -> Option<Vec<(String, &'a Node)>> {
        let node = self.required(name)?;
        self.items(name, node)
    }

    /// The texts of a list that may be there.
    pub(crate) fn optional_texts(&self, name: &'static str) -> Option<Vec<&'a str>> {
        let items = self.items(name, self.find(name)?)?;
        let texts = items.into_iter().filter_map(|(path, item)| match item {
            Node::Text(text) => Some(text.as_str()),
            other => {
                let problem = format!("must be a text, is {}", other.kind());
                note(self.mistakes, path, problem);
                None
            }
        });
        Some(texts.collect())
    }

    fn items(&self, name: &'static str, node: &'a Node) -> Option<Vec<(String, &'a Node)>> {
        let path = member(&self.path, name);
        match node {
            Node::List(items) => {
                let items = items.iter().enumerate();
                Some(items.map(|(at, item)| (element(&path, at), item)).collect())
            }
            other => {
                self.wrong(name, format!("must be a list, is {}", other.kind()));
                None
            }
        }
    }

    /// Notes every member that nobody asked for, and every one that comes twice.
    pub(crate) fn finish(self) {
        let asked = self.asked.borrow();
        let mut seen = HashSet::new();
        for (name, _) in self.members {
            if !asked.iter().any(|it| it == name) {
                self.wrong(name, "is unknown");
            }
            if !seen.insert(name.as_str()) {
                self.wrong(name, "comes twice");
            }
        }
    }
}

/// Where `http` may be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Nowhere.
    Never,
    /// To this machine.
    Loopback,
    /// Anywhere, because somebody said so.
    Anywhere,
}

fn server(text: &str, plain: Plain) -> Result<Url, &'static str> {
    let url = Url::parse(text.strip_suffix('/').unwrap_or(text)).map_err(|_| "must be a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no credentials");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have no query and no fragment");
    }
    if !url.has_host() {
        return Err("must name a host");
    }
    match (url.scheme(), plain) {
        ("https", _) | ("http", Plain::Anywhere) => Ok(url),
        ("http", Plain::Loopback) if is_loopback(&url) => Ok(url),
        ("http", Plain::Loopback) => {
            Err("must begin with https://, unless it is this machine or allowPlain is true")
        }
        ("http", Plain::Never) => Err("must begin with https://: the client shows a certificate"),
        _ => Err("must begin with https:// or http://"),
    }
}
