//! The cookies of a session.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cookie::{Cookie, SameSite};

use crate::proxy::cookies::{ACCESS, HOST_ACCESS, HOST_REFRESH, REFRESH};

/// What the cookies are called, and which connections they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cookies {
    access: &'static str,
    refresh: &'static str,
    is_secure: bool,
}

impl Cookies {
    /// Those for pages over TLS: no other host, path or plain connection sets or gets them.
    pub(crate) const SECURE: Self = Self {
        access: HOST_ACCESS,
        refresh: HOST_REFRESH,
        is_secure: true,
    };

    /// Those for pages of this machine without TLS.
    pub(crate) const PLAIN: Self = Self {
        access: ACCESS,
        refresh: REFRESH,
        is_secure: false,
    };

    /// With the name that clients of the original know, over TLS too.
    pub(crate) fn compat(self) -> Self {
        Self {
            refresh: REFRESH,
            ..self
        }
    }

    /// The access token that was sent. Of two cookies of one name none counts: a page of another port may have set one.
    pub(crate) fn access<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        sent(headers, self.access)
    }

    /// The refresh token that was sent.
    pub(crate) fn refresh<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        sent(headers, self.refresh)
    }

    /// Sets the access token. The cookie lives as long as the session: a token whose life is over tells that there is one.
    pub(crate) fn set_access(
        &self,
        token: &str,
        max_age_seconds: i64,
    ) -> Option<(HeaderName, HeaderValue)> {
        self.set(self.access, token, SameSite::Lax, max_age_seconds)
    }

    /// Sets the refresh token.
    pub(crate) fn set_refresh(
        &self,
        token: &str,
        max_age_seconds: i64,
    ) -> Option<(HeaderName, HeaderValue)> {
        self.set(self.refresh, token, self.same_site(), max_age_seconds)
    }

    /// Takes both away, with the attributes that they were set with.
    pub(crate) fn clear(&self) -> Vec<(HeaderName, HeaderValue)> {
        let access = self.set(self.access, "", SameSite::Lax, 0);
        let refresh = self.set(self.refresh, "", self.same_site(), 0);
        access.into_iter().chain(refresh).collect()
    }

    fn same_site(&self) -> SameSite {
        match self.is_secure {
            true => SameSite::Strict,
            false => SameSite::Lax,
        }
    }

    fn set(
        &self,
        name: &'static str,
        value: &str,
        same_site: SameSite,
        max_age_seconds: i64,
    ) -> Option<(HeaderName, HeaderValue)> {
        let cookie = Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            .same_site(same_site)
            .max_age(cookie::time::Duration::seconds(max_age_seconds.max(0)));
        let mut value = HeaderValue::from_str(&cookie.build().to_string()).ok()?;
        value.set_sensitive(true);
        Some((header::SET_COOKIE, value))
    }
}

fn sent<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';'));
    let mut named = pairs.filter_map(|pair| {
        let (own, value) = pair.trim().split_once('=')?;
        (own == name && !value.is_empty()).then_some(value)
    });
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_the_server_alone() {
        let (name, value) = Cookies::SECURE.set_refresh("rt_x", 60).unwrap();
        assert_eq!(name, "set-cookie");
        assert!(value.is_sensitive());
        assert_eq!(
            value.to_str().unwrap(),
            "__Host-refresh=rt_x; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=60"
        );
        let (_, value) = Cookies::PLAIN.set_access("jwt", 60).unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "access=jwt; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"
        );
        let cleared = Cookies::SECURE.compat().clear();
        assert!(cleared.iter().all(|(_, it)| {
            let text = it.to_str().unwrap();
            text.contains("Max-Age=0") && text.contains("Secure")
        }));
    }

    #[test]
    fn of_two_different_cookies_of_one_name_none_counts() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("cookie", HeaderValue::from_static(value));
            }
            Cookies::PLAIN.access(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["a=1; access=x"]), Some("x".to_owned()));
        assert_eq!(read(&["access=x", "access=x"]), Some("x".to_owned()));
        assert_eq!(read(&["access=x; access=y"]), None);
        assert_eq!(read(&["access=; __Host-access=z"]), None);
    }
}
