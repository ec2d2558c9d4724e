//! What people type, and the token that their browser holds.

use accounts::account::roles_of_text;
use accounts::{
    AuditText, Email, FamilyId, Password, PasswordHash, PersonName, RefreshIds, RefreshTokenKey,
    Seen, TokenId,
};

/// Takes what somebody typed as an e-mail address, a name and a password, or sent as a refresh token. What is taken has one
/// normal form, within its bounds; a refresh token opens only if it is, byte for byte, the one that its ids make; nothing is
/// shown that is secret.
///
/// # Panics
/// Where that does not hold.
pub fn sign_in(bytes: &[u8]) {
    refresh_token(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(email) = Email::parse(text) {
        assert_eq!(Email::parse(email.as_str()).as_ref(), Ok(&email));
        let (local, domain) = (email.local_part().len(), email.as_str().len());
        assert!((1..=64).contains(&local) && domain <= 254);
        assert_eq!(email.as_str().matches('@').count(), 1);
        let is_odd = |it: char| it.is_whitespace() || it.is_control();
        assert!(!email.as_str().contains(is_odd));
    }
    if let Ok(name) = PersonName::parse(text) {
        assert_eq!(PersonName::parse(name.as_str()).as_ref(), Ok(&name));
        assert!((1..=200).contains(&name.as_str().len()));
    }
    if let Ok(password) = Password::new(text) {
        let composed = Password::new(password.expose());
        let again = composed.as_ref().map(Password::expose);
        assert_eq!(again.ok(), Some(password.expose()));
        assert_eq!(format!("{password:?}"), "Password(redacted)");
    }
    if let Ok(hash) = PasswordHash::parse(text) {
        assert!(hash.expose() == text && text.starts_with("$argon2id$"));
        assert_eq!(format!("{hash:?}"), "PasswordHash(redacted)");
    }
    for kept in [
        AuditText::new(text).as_str(),
        Seen::new(text, text).agent(),
        Seen::new(text, text).address(),
    ] {
        assert!(kept.len() <= 256 && !kept.contains(char::is_control));
    }
    // An unknown role is never passed over.
    let listed = text.split(',').filter(|name| !name.is_empty()).count();
    if let Some(roles) = roles_of_text(text) {
        assert!(roles.len() <= listed);
    }
}

fn refresh_token(bytes: &[u8]) {
    let key = RefreshTokenKey::new([7; 32]);
    // The ids that the bytes begin with make a token, and no other text is one.
    let mut ids = [0; 32];
    let most = bytes.len().min(32);
    ids[..most].copy_from_slice(&bytes[..most]);
    let (mut family, mut token) = ([0; 16], [0; 16]);
    family.copy_from_slice(&ids[..16]);
    token.copy_from_slice(&ids[16..]);
    let ids = RefreshIds {
        family: FamilyId::from_bytes(family),
        token: TokenId::from_bytes(token),
    };
    let made = key.token(&ids);
    assert_eq!(key.open(made.expose()), Some(ids));
    assert_eq!(RefreshTokenKey::new([8; 32]).open(made.expose()), None);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(ids) = key.open(text) {
        assert_eq!(key.token(&ids).expose(), text);
    }
    assert_eq!(
        key.open(&format!("{}{text}", made.expose())).is_some(),
        text.is_empty()
    );
}
