//! Whether the one who asks would rather read a page than JSON.

/// Tells whether `Accept` names `text/html` and prefers it to JSON. Wildcards prefer nothing: a program that takes
/// anything reads JSON.
pub fn wants_html(accept: Option<&str>) -> bool {
    let accept = accept.unwrap_or_default();
    match (
        quality(accept, "text/html"),
        quality(accept, "application/json"),
    ) {
        (Some(html), Some(json)) => html > json,
        (Some(html), None) => html > 0.0,
        (None, _) => false,
    }
}

fn quality(accept: &str, wanted: &str) -> Option<f32> {
    accept.split(',').find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(wanted) {
            return None;
        }
        let quality =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_read_pages_and_programs_read_json() {
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for html in [
            chromium,
            "text/html",
            "TEXT/HTML; q=0.5",
            "application/json;q=0.4, text/html;q=0.5",
        ] {
            assert!(wants_html(Some(html)), "{html}");
        }
        for json in [
            "",
            "*/*",
            "application/json",
            "text/*",
            "text/html;q=0",
            "text/html;q=x",
            "application/json, text/html",
            "text/html;q=0.9, application/json",
        ] {
            assert!(!wants_html(Some(json)), "{json}");
        }
        assert!(!wants_html(None));
    }
}
