//! What every page must be: named for those who do not see it, readable, reachable by keyboard, no wider than the window.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::session::Session;

/// Texts with less contrast than the guidelines ask for (4.5, and 3 where large or bold), with their ratio.
const CONTRAST: &str = include_str!("look/contrast.js");

/// Remembers what the Tab key must reach.
const REACHABLE: &str = include_str!("look/keyboard.js");

/// Tells what has the focus, and whether that is to be seen.
const FOCUS: &str = include_str!("look/focus.js");

/// Roles that people act on: each must say what it is.
const ACTED_ON: &[&str] = &[
    "button",
    "checkbox",
    "combobox",
    "link",
    "listbox",
    "radio",
    "searchbox",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
    "DisclosureTriangle",
];

impl Session {
    /// Checks a page as a whole and returns what is wrong with it, in words.
    pub(crate) async fn flaws(&self) -> Vec<String> {
        let mut flaws = self.unnamed().await;
        flaws.extend(texts(&self.script(CONTRAST).await));
        flaws.extend(self.too_wide().await);
        flaws.extend(self.complaints().await);
        flaws
    }

    /// What assistive technology reads: roles and names, by the browser's own tree.
    pub(crate) async fn accessibility(&self) -> Vec<(String, String)> {
        let tree = self
            .devtools("Accessibility.getFullAXTree", json!({}))
            .await;
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let seen = nodes.iter().filter(|node| node["ignored"] != true);
        let text = |value: &Value| {
            value["value"]
                .as_str()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        seen.map(|node| (text(&node["role"]), text(&node["name"])))
            .collect()
    }

    async fn unnamed(&self) -> Vec<String> {
        let tree = self.accessibility().await;
        let count = |role: &str| tree.iter().filter(|(found, _)| found == role).count();
        let mut flaws: Vec<String> = tree
            .iter()
            .filter(|(role, name)| ACTED_ON.contains(&role.as_str()) && name.is_empty())
            .map(|(role, _)| format!("a {role} without a name"))
            .collect();
        if count("main") != 1 {
            flaws.push(format!("{} main landmarks", count("main")));
        }
        if count("heading") == 0 {
            flaws.push("no heading".to_owned());
        }
        if tree
            .iter()
            .any(|(role, name)| role == "RootWebArea" && name.is_empty())
        {
            flaws.push("no title".to_owned());
        }
        let described = "return [document.documentElement.lang === '' ? 'no language' : '']";
        flaws.extend(texts(&self.script(described).await));
        flaws
    }

    /// Presses Tab until the focus has gone round, and returns what it did not reach or where it was not to be seen.
    pub(crate) async fn unreachable(&self) -> Vec<String> {
        let count = self.script(REACHABLE).await.as_u64().unwrap_or_default();
        let mut missing: BTreeSet<u64> = (0..count).collect();
        let mut flaws = Vec::new();
        for _ in 0..count {
            self.press("Tab", 9).await;
            let focus = self.script(FOCUS).await;
            match focus[0].as_u64() {
                Some(index) => missing.remove(&index),
                None => break,
            };
            if focus[2] == false {
                flaws.push(format!("{} does not show that it has the focus", focus[1]));
            }
        }
        for index in missing {
            let script = format!("return window.reachable[{index}].outerHTML.slice(0, 100)");
            flaws.push(format!("Tab does not reach {}", self.script(&script).await));
        }
        flaws
    }

    /// Presses a key as a person does.
    pub(crate) async fn press(&self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.devtools("Input.dispatchKeyEvent", event).await;
        }
    }

    async fn too_wide(&self) -> Option<String> {
        let script =
            "const page = document.scrollingElement; return [page.scrollWidth, page.clientWidth];";
        let widths = self.script(script).await;
        let (page, window) = (widths[0].as_i64(), widths[1].as_i64());
        (page > window)
            .then(|| format!("the page is {page:?} px wide in a window of {window:?} px"))
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter()
        .filter_map(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}
