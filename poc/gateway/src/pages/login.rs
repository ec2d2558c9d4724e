//! The sign-in page.

use maud::html;

use crate::pages::field::{Field, hidden};
use crate::pages::frame::card;

/// What the sign-in form is filled with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Login<'a> {
    /// Where to go afterwards. The form sends it back, so it is checked again then.
    pub next: &'a str,
    /// The e-mail address that was typed.
    pub email: &'a str,
    /// Whether the box was ticked.
    pub remember: bool,
    /// Why the attempt before failed.
    pub error: Option<LoginError>,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// No such person, or another password.
    WrongCredentials,
    /// Too many attempts failed.
    TooManyAttempts {
        /// When the next attempt is looked at, in seconds.
        retry_after_seconds: u64,
    },
    /// The accounts service does not answer.
    Unavailable,
}

impl LoginError {
    pub(super) fn text(self) -> String {
        match self {
            Self::WrongCredentials => "The e-mail address or the password is wrong.".to_owned(),
            Self::TooManyAttempts { retry_after_seconds } => {
                let minutes = retry_after_seconds.div_ceil(60).max(1);
                let s = if minutes == 1 { "" } else { "s" };
                format!("Too many attempts failed. Try again in {minutes} minute{s}.")
            }
            Self::Unavailable => {
                "Nobody can be signed in now, because the accounts service does not answer. Try again in a moment."
                    .to_owned()
            }
        }
    }
}

/// The page at `/login`. Its form posts `next`, `email`, `password` and `remember` (`on`, or absent) to `/login`.
pub fn login(page: &Login<'_>) -> String {
    let error = page.error.map(LoginError::text);
    let wrong = page.error == Some(LoginError::WrongCredentials);
    let content = html! {
        h1 { "Sign in" }
        @if let (Some(error), false) = (&error, wrong) { p.problem role="alert" { (error) } }
        form.form method="post" action="/login" {
            (hidden("next", page.next))
            (Field {
                name: "email", label: "E-mail address", kind: "email", value: page.email,
                autocomplete: "username", required: true, first: page.email.is_empty(), ..Field::default()
            }.markup())
            (Field {
                name: "password", label: "Password", kind: "password", autocomplete: "current-password",
                error: error.as_deref().filter(|_| wrong), required: true, first: !page.email.is_empty(), ..Field::default()
            }.markup())
            div.tick {
                input id="remember" type="checkbox" name="remember" checked[page.remember];
                label for="remember" { "Keep me signed in for 30 days" }
            }
            button.primary type="submit" { "Sign in" }
        }
    };
    card(title("Sign in", error.is_some()).as_str(), &content)
}

/// Begins a window's title with the error, so that it is heard first.
pub(super) fn title(title: &str, error: bool) -> String {
    let prefix = if error { "Error: " } else { "" };
    format!("{prefix}{title}")
}

#[cfg(test)]
mod tests {
    use super::LoginError;

    #[test]
    fn waiting_is_said_in_whole_minutes() {
        for (retry_after_seconds, end) in [
            (0, "in 1 minute."),
            (60, "in 1 minute."),
            (61, "in 2 minutes."),
        ] {
            let text = LoginError::TooManyAttempts {
                retry_after_seconds,
            }
            .text();
            assert!(text.ends_with(end), "{text}");
        }
    }
}
