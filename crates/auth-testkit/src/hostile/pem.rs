//! Keys in variables of the environment.

use jwt_auth::pem::repair;
use jwt_auth::{read_private_key, read_public_key};

/// Takes the value of a variable. It holds a key, which is the same when its line breaks are lost in any of the usual ways, or
/// the mistake names the variable and shows nothing of the value. No value is both kinds of key.
///
/// # Panics
/// Where that does not hold.
pub fn pem(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let one_line = text.replace(['\r', '\n'], "\\n");
    let is_quoted = text.trim().starts_with(['"', '\'']);
    let quoted = match is_quoted {
        true => text.to_owned(),
        false => format!("\"{text}\""),
    };
    let private = read_private_key("KEY", Some(text));
    let public = read_public_key("KEY", Some(text));
    assert!(private.is_err() || public.is_err());
    for form in [one_line.clone(), one_line.replace('\\', "\\\\"), quoted] {
        if let Ok(key) = &private {
            let again = read_private_key("KEY", Some(&form));
            // What gets longer may get too long.
            assert!(again.is_ok_and(|it| it.public() == key.public()) || form.len() > 8 * 1024);
        }
        if let Ok(key) = &public {
            let again = read_public_key("KEY", Some(&form));
            assert!(again.as_ref() == Ok(key) || form.len() > 8 * 1024);
        }
    }
    for error in private.err().into_iter().chain(public.err()) {
        let shown = format!("{error} {error:?}");
        assert!(error.to_string().starts_with("KEY "), "{shown}");
        let mut lines = text
            .lines()
            .filter(|line| line.len() > 30 && !line.contains(' '));
        assert!(!lines.any(|line| shown.contains(line)), "{shown}");
    }
    let once = repair(text).into_owned();
    assert!(!once.contains('\\'), "a backslash is left");
}
