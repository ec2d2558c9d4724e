//! Which passwords may be chosen. What was chosen before is not judged again at a sign-in.

use crate::password::Password;

/// Characters of a password that is chosen.
pub const SHORTEST: usize = 12;

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakPassword {
    /// It has fewer than 12 characters.
    #[error("a password has at least {SHORTEST} characters")]
    Short,
    /// It would be guessed: with what is known about the person, with words, names, dates or keys that lie side by side.
    #[error("this password would be guessed too easily")]
    Guessable,
}

/// Judges a password that is to be chosen: at least 12 characters, and zxcvbn's score is 3 or 4. `known` is what anybody knows
/// about the person (the e-mail address, the name, the name of this service): it makes a password no better.
///
/// It takes some milliseconds and blocks. Only the first 100 characters are judged.
///
/// # Errors
/// [`WeakPassword`].
pub fn judge(password: &Password, known: &[&str]) -> Result<(), WeakPassword> {
    if password.expose().chars().count() < SHORTEST {
        return Err(WeakPassword::Short);
    }
    let forms: Vec<String> = known.iter().flat_map(|text| forms_of(text)).collect();
    let known: Vec<&str> = forms.iter().map(String::as_str).collect();
    match zxcvbn::zxcvbn(password.expose(), &known).score() {
        zxcvbn::Score::Three | zxcvbn::Score::Four => Ok(()),
        _ => Err(WeakPassword::Guessable),
    }
}

/// What a text is guessed as: itself, its words, and its words run together; of an address, what is before the `@` as well.
fn forms_of(text: &str) -> Vec<String> {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|it: char| !it.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let before = text.split('@').next().unwrap_or_default();
    let mut forms = words(text);
    forms.extend([
        text.to_owned(),
        words(text).concat(),
        words(before).concat(),
    ]);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_no_guess() {
        let judged = |typed: &str| {
            let known = ["ada.lovelace@example.org", "Ada Lovelace", "hmac-mesh"];
            judge(&Password::new(typed).unwrap(), &known)
        };
        assert_eq!(judged("correct horse battery staple"), Ok(()));
        assert_eq!(judged("kz83_Wq!pa0x"), Ok(()));
        assert_eq!(judged("kz83_Wq!pa0"), Err(WeakPassword::Short));
        for guess in [
            "password1234",
            "qwertyuiop12",
            "aaaaaaaaaaaaaaaa",
            "adalovelace12",
            "lovelace.ada1",
        ] {
            assert_eq!(judged(guess), Err(WeakPassword::Guessable), "{guess}");
        }
    }
}
