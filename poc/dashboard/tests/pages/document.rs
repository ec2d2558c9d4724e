//! As much of an HTML reader as the pages need: they are written by a machine, so tags nest and values are quoted.

/// A page that was read.
pub(crate) struct Document {
    elements: Vec<Element>,
    text: String,
}

/// One element's tag.
#[derive(Debug)]
pub(crate) struct Element {
    /// Its name.
    pub(crate) name: String,
    /// Its attributes.
    pub(crate) attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Document {
    /// Reads a page.
    pub(crate) fn parse(html: &str) -> Self {
        let mut document = Self {
            elements: Vec::new(),
            text: String::new(),
        };
        let mut rest = html;
        while let Some((text, after)) = rest.split_once('<') {
            document.text.push_str(&unescape(text));
            let (tag, after) = tag(after);
            rest = after;
            if !tag.starts_with(['/', '!']) {
                let element = element(tag);
                if ["script", "style"].contains(&element.name.as_str()) {
                    rest = rest.split_once("</").unwrap().1;
                }
                document.elements.push(element);
            }
        }
        document
    }

    /// All elements.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter()
    }

    /// All elements of a name.
    pub(crate) fn elements(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.all().filter(move |element| element.name == name)
    }

    /// The element of an id.
    pub(crate) fn by_id(&self, id: &str) -> &Element {
        self.all()
            .find(|element| element.attribute("id") == Some(id))
            .unwrap_or_else(|| panic!("no element {id}"))
    }

    /// All text.
    pub(crate) fn text(&self) -> String {
        self.text.clone()
    }
}

/// Splits after the tag's end; a `>` within quotes is none.
fn tag(rest: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = rest.find(|character| {
        quoted ^= character == '"';
        character == '>' && !quoted
    });
    let end = end.expect("a tag ends");
    (&rest[..end], &rest[end + 1..])
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start().trim_start_matches('/');
        if rest.is_empty() {
            break;
        }
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').expect("a value ends"),
            None => ("", after),
        };
        attributes.push((name.to_owned(), unescape(value)));
        rest = after;
    }
    Element {
        name: name.trim_end_matches('/').to_owned(),
        attributes,
    }
}

fn unescape(text: &str) -> String {
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    text.replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&#x2F;", "/")
        .replace("&amp;", "&")
}
