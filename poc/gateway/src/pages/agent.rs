//! What a browser calls itself (`User-Agent`), in two words: a guess for people, never a decision.

/// A browser by a word in its name. The first that is found counts: all but Firefox also call themselves Chrome or Safari.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// A system by a word. Android also calls itself Linux, and an iPhone says that it is like a Mac.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// Names of programs that are no browser are shown up to this length.
const LONGEST: usize = 32;

/// Says which browser it seems to be: `Firefox on Linux`.
pub(super) fn short(agent: &str) -> String {
    match (find(&BROWSERS, agent), find(&SYSTEMS, agent)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => match agent.split_whitespace().next() {
            Some(word) => word.chars().take(LONGEST).collect(),
            None => "Unknown browser".to_owned(),
        },
    }
}

fn find(words: &[(&str, &'static str)], agent: &str) -> Option<&'static str> {
    let found = words.iter().find(|(word, _)| agent.contains(word));
    found.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_browser_is_named_in_two_words() {
        for (agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.14.1", "curl/8.14.1"),
            ("Firefox/1", "Firefox"),
            ("  ", "Unknown browser"),
            ("", "Unknown browser"),
        ] {
            assert_eq!(short(agent), words);
        }
        assert_eq!(short(&"é".repeat(500)).chars().count(), super::LONGEST);
    }
}
