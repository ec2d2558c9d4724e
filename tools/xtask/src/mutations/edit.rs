//! One edit of a mutation: an original that is found whatever its line breaks, and what takes its place.

use std::ops::Range;
use std::path::Path;

use super::copy::Files;

/// Puts an edit in, for the mutation at this place of the table.
pub(super) fn apply(
    place: usize,
    edit: &str,
    folder: &Path,
    pristine: &Files,
    files: &mut Files,
) -> Result<(), String> {
    let (file, edit) = edit.split_once('\n').ok_or("no original")?;
    let (original, replacement) = edit.split_once("\n===>\n").ok_or("no replacement")?;
    let path = folder.join(file.trim());
    let (Some(before), Some(source)) = (pristine.get(&path), files.get_mut(&path)) else {
        return Err(format!("there is no {file}"));
    };
    let count = find(before, original).len();
    if count != 1 {
        return Err(format!(
            "its original is {count} times in {file}, not once:\n{original}"
        ));
    }
    let [range] = &find(source, original)[..] else {
        return Err(format!(
            "another mutation has changed its original in {file}:\n{original}"
        ));
    };
    let mutated = format!("crate::mutation::is({place})");
    let replacement = replacement
        .trim_end_matches('\n')
        .replace("MUTATED", &mutated);
    source.replace_range(range.clone(), &replacement);
    Ok(())
}

/// Where a text stands before the tests of a source. What a formatter may change does not count: white space, and a comma before
/// a closing bracket.
fn find(source: &str, wanted: &str) -> Vec<Range<usize>> {
    let end = source.find("\n#[cfg(test)]\n").unwrap_or(source.len());
    let (source, wanted) = (significant(&source[..end]), significant(wanted));
    if wanted.is_empty() {
        return Vec::new();
    }
    let is_here = |window: &[(usize, char)]| {
        let pairs = window.iter().zip(&wanted);
        pairs.into_iter().all(|((_, one), (_, other))| one == other)
    };
    let windows = source.windows(wanted.len()).filter(|it| is_here(it));
    windows
        .map(|window| {
            let (last, letter) = window[window.len() - 1];
            window[0].0..last + letter.len_utf8()
        })
        .collect()
}

/// The letters that count, each with its place.
fn significant(text: &str) -> Vec<(usize, char)> {
    let mut kept: Vec<(usize, char)> = Vec::new();
    for (at, letter) in text.char_indices().filter(|(_, it)| !it.is_whitespace()) {
        let closes = matches!(letter, ')' | ']' | '}');
        if closes && kept.last().is_some_and(|(_, before)| *before == ',') {
            kept.pop();
        }
        kept.push((at, letter));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_is_found_whatever_its_line_breaks() {
        let source = "fn a() {\n    call(\n        one,\n        two,\n    );\n}\n\n#[cfg(test)]\nmod tests {\n    call(one, two);\n}\n";
        let [range] = &find(source, "call(one, two);")[..] else {
            panic!("once");
        };
        assert_eq!(
            &source[range.clone()],
            "call(\n        one,\n        two,\n    );"
        );
        assert!(find(source, "call(one);").is_empty());
    }

    #[test]
    fn an_edit_is_put_in_once_or_refused() {
        let path = Path::new("src/a.rs").to_owned();
        let pristine = Files::from([(path.clone(), "f( x );\ng(); g();\n".to_owned())]);
        let mut files = pristine.clone();
        let mut put = |edit: &str| apply(3, edit, Path::new("src"), &pristine, &mut files);
        assert!(put("a.rs\nf(x)\n===>\nif !MUTATED { f(x) }\n").is_ok());
        assert!(put("a.rs\nf(x);\n===>\nh()").is_err(), "it is taken");
        assert!(put("a.rs\ng()\n===>\nh()").is_err(), "there are two");
        assert!(put("b.rs\nf(x)\n===>\nh()").is_err(), "no such file");
        assert_eq!(
            files[&path],
            "if !crate::mutation::is(3) { f(x) };\ng(); g();\n"
        );
    }
}
