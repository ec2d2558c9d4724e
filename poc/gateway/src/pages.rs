//! The pages of the front door: sign-in, sessions, people and the audit, as functions from data to an HTML document.
//!
//! ```text
//!   LinkShown, SessionList, UserPage, AuditRows ─► login, link, sessions, people, audit ─► a document, sent with POLICY
//!   (accounts::private_api)                        within a Frame                          and STYLE beside it
//! ```
//!
//! Three rules hold for all of them, and the tests say so. No page needs a script, so [`POLICY`] allows none. Whatever comes
//! from outside is text, and escaped. A form says in the page, beside its field, what was wrong with it.
//!
//! Nothing here knows HTTP. Whoever calls reads the request, asks the accounts service and picks the page.

mod agent;
mod assets;
mod audit;
mod audit_csv;
mod field;
mod frame;
mod link;
mod login;
mod message;
mod moment;
mod people;
mod sessions;

pub use self::assets::{ICON, ICON_PATH, STYLE, STYLE_PATH};
pub use self::audit::audit;
pub use self::audit_csv::audit_csv;
pub use self::frame::{Frame, Notice};
pub use self::link::{LinkError, link, link_gone, link_made};
pub use self::login::{Login, LoginError, login};
pub use self::message::{Confirmation, confirm, message};
pub use self::moment::from_input;
pub use self::people::{Invitation, InvitationError, people};
pub use self::sessions::{Whose, sessions};

/// The `Content-Security-Policy` of every page.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use accounts::private_api::{
        AuditEntry, AuditQuery, AuditRows, LinkKind, LinkShown, Session, User, UserPage,
    };
    use mesh_api::permission::{Permission, Role};

    use super::*;

    const HOSTILE: &str = "\"><script>alert('1')</script><b style=\"x\" onload='y'>&amp;";
    const NOW: i64 = 1_796_092_205_120;

    fn frame<'a>(text: &'a str, notice: Option<Notice<'a>>) -> Frame<'a> {
        Frame {
            signed_in_as: Some(text),
            may: Role::Admin.permissions(),
            notice,
        }
    }

    fn session(text: &str, sid: &str) -> Session {
        Session {
            sid: sid.to_owned(),
            created_at_ms: NOW - 86_400_000,
            last_used_at_ms: NOW,
            idle_until_ms: NOW + 8 * 3_600_000,
            until_ms: NOW + 30 * 86_400_000,
            agent: text.to_owned(),
            address: text.to_owned(),
        }
    }

    fn user(text: &str, id: &str) -> User {
        User {
            id: id.to_owned(),
            email: text.to_owned(),
            name: text.to_owned(),
            roles: vec!["viewer".to_owned(), text.to_owned()],
            permissions: Vec::new(),
            has_password: true,
            disabled_at_ms: None,
            version: 7,
        }
    }

    fn user_page(text: &str) -> UserPage {
        let disabled = User {
            disabled_at_ms: Some(NOW),
            ..user(text, "3")
        };
        UserPage {
            users: vec![user(text, text), user(text, "2"), disabled],
            page: 2,
            limit: 3,
            total: 8,
        }
    }

    fn query(text: &str) -> AuditQuery {
        let text = Some(text.to_owned());
        AuditQuery {
            actor: text.clone(),
            action: text.clone(),
            subject: text.clone(),
            outcome: text.clone(),
            peer: text.clone(),
            from_ms: Some(NOW),
            until_ms: Some(NOW + 1),
            after: text,
            limit: Some(50),
        }
    }

    fn rows(text: &str) -> AuditRows {
        let entry = AuditEntry {
            at_ms: NOW,
            actor: text.to_owned(),
            action: text.to_owned(),
            subject: text.to_owned(),
            outcome: text.to_owned(),
            reason: Some(text.to_owned()),
            peer: None,
            request_id: Some(text.to_owned()),
            address: Some(text.to_owned()),
        };
        AuditRows {
            rows: vec![entry],
            next: Some(text.to_owned()),
        }
    }

    fn link_shown(text: &str, kind: LinkKind) -> LinkShown {
        LinkShown {
            email: text.to_owned(),
            kind,
            expires_at_ms: NOW,
        }
    }

    fn sign_in(text: &str, error: Option<LoginError>) -> String {
        login(&Login {
            next: text,
            email: text,
            remember: true,
            error,
        })
    }

    /// Every page, wherever it can say `text`.
    fn every_page(text: &str) -> Vec<(&'static str, String)> {
        let plain = frame(text, None);
        let told = frame(text, Some(Notice::Done(text)));
        let refused = frame(text, Some(Notice::Refused(text)));
        let whose = Some(Whose {
            id: text,
            email: text,
        });
        let roles = [text.to_owned()];
        let invitation = |error| Invitation {
            email: text,
            name: text,
            roles: &roles,
            error: Some(error),
        };
        let asked = Confirmation {
            title: text,
            sentence: text,
            action: "/account/people/1/disable",
            fields: &[(text, text)],
            button: text,
            back: "/account/people",
        };
        let choose = link_shown(text, LinkKind::ChoosePassword);
        let of_one = [session(text, "1"), session(text, text)];
        vec![
            ("login", sign_in(text, None)),
            (
                "login wrong",
                sign_in(text, Some(LoginError::WrongCredentials)),
            ),
            ("login away", sign_in(text, Some(LoginError::Unavailable))),
            (
                "link",
                link(&link_shown(text, LinkKind::SignIn), text, None),
            ),
            ("link choose", link(&choose, text, None)),
            (
                "link weak",
                link(&choose, text, Some(LinkError::TooWeak(Some(text)))),
            ),
            (
                "link differs",
                link(&choose, text, Some(LinkError::NotTheSame)),
            ),
            ("link gone", link_gone()),
            (
                "link made",
                link_made(&plain, text, text, NOW, LinkKind::SignIn),
            ),
            ("sessions", sessions(&told, &of_one, "1", None)),
            ("sessions of", sessions(&plain, &of_one, "1", whose)),
            ("no sessions", sessions(&plain, &[], "1", whose)),
            (
                "people",
                people(&refused, &user_page(text), "2", &Invitation::default()),
            ),
            (
                "people email",
                people(
                    &plain,
                    &user_page(text),
                    "2",
                    &invitation(InvitationError::Email(text)),
                ),
            ),
            (
                "people roles",
                people(
                    &plain,
                    &user_page(text),
                    "2",
                    &invitation(InvitationError::Roles(text)),
                ),
            ),
            ("confirm", confirm(&plain, &asked)),
            ("audit", audit(&plain, &query(text), &rows(text))),
            (
                "no audit",
                audit(
                    &plain,
                    &AuditQuery::default(),
                    &AuditRows {
                        rows: Vec::new(),
                        next: None,
                    },
                ),
            ),
            ("message", message(&Frame::default(), 503, text, text)),
            ("message framed", message(&plain, 403, text, text)),
        ]
    }

    /// The tags of a document, without what stands between them. Attributes of ours are quoted, and quotes in them are escaped.
    fn tags(page: &str) -> Vec<&str> {
        let after = page.split('<').skip(1);
        after.filter_map(|rest| rest.split('>').next()).collect()
    }

    /// The names of a tag's attributes.
    fn attributes(tag: &str) -> Vec<&str> {
        let outside = tag.split('"').step_by(2);
        let words = outside.flat_map(str::split_whitespace);
        words
            .map(|word| word.trim_end_matches('='))
            .skip(1)
            .collect()
    }

    fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
        let start = format!(" {attribute}=\"");
        let after = page.split(start.as_str()).skip(1);
        after.filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn what_comes_from_outside_is_text() {
        for (name, page) in every_page(HOSTILE) {
            assert!(!page.contains("<script"), "{name}");
            assert!(!page.contains("<b "), "{name}");
            for tag in tags(&page) {
                for attribute in attributes(tag) {
                    let allowed = attribute != "style" && !attribute.starts_with("on");
                    assert!(allowed, "{name}: <{tag}>");
                }
            }
        }
    }

    #[test]
    fn every_page_can_be_read_without_seeing_it() {
        for (name, page) in every_page("ada@example.org") {
            for once in [
                "<!DOCTYPE html><html lang=\"en\">",
                "<h1>",
                "<main",
                "<title>",
                "<header",
                "<footer",
            ] {
                assert_eq!(page.matches(once).count(), 1, "{name}: {once}");
            }
            let ids = values(&page, "id");
            let unique: BTreeSet<_> = ids.iter().collect();
            assert_eq!(unique.len(), ids.len(), "{name}: an id is there twice");
            for attribute in ["for", "aria-describedby", "aria-labelledby"] {
                for id in values(&page, attribute).iter().flat_map(|it| it.split(' ')) {
                    assert!(ids.contains(&id), "{name}: {attribute}={id}");
                }
            }
            for head in tags(&page)
                .iter()
                .filter(|it| it.starts_with("th ") || **it == "th")
            {
                assert!(head.contains("scope="), "{name}: <{head}>");
            }
        }
    }

    #[test]
    fn no_tag_has_an_attribute_twice() {
        for (name, page) in every_page("ada@example.org") {
            for tag in tags(&page) {
                let all = attributes(tag);
                let unique: BTreeSet<_> = all.iter().collect();
                assert_eq!(unique.len(), all.len(), "{name}: <{tag}>");
            }
        }
    }

    #[test]
    fn an_error_is_announced_beside_its_field() {
        let page = sign_in("ada@example.org", Some(LoginError::WrongCredentials));
        assert!(page.contains("aria-invalid=\"true\" aria-describedby=\"password-error\""));
        assert!(page.contains("<p class=\"mistake\" id=\"password-error\" role=\"alert\">"));
        assert!(page.contains("<title>Error: Sign in"));
        let shown = link_shown("ada@example.org", LinkKind::ChoosePassword);
        let page = link(&shown, "t", Some(LinkError::TooWeak(None)));
        assert!(page.contains("aria-describedby=\"password-error password-hint\""));
    }

    #[test]
    fn password_managers_are_told_what_is_what() {
        let page = sign_in("ada@example.org", None);
        assert!(
            page.contains("autocomplete=\"username\"")
                && page.contains("autocomplete=\"current-password\"")
        );
        let page = link(
            &link_shown("ada@example.org", LinkKind::ChoosePassword),
            "t",
            None,
        );
        assert!(page.contains("autocomplete=\"username\""));
        assert_eq!(page.matches("autocomplete=\"new-password\"").count(), 2);
    }

    #[test]
    fn only_who_gives_rights_sees_people_and_audit() {
        let page = |may| {
            message(
                &Frame {
                    may,
                    ..frame("ada", None)
                },
                404,
                "Nothing here",
                "",
            )
        };
        assert!(page(Role::Admin.permissions()).contains("/account/people"));
        for may in [Role::Viewer.permissions(), &[Permission::ClientsWrite]] {
            let page = page(may);
            assert!(!page.contains("/account/people") && !page.contains("/account/audit"));
            assert!(page.contains("/account/sessions") && page.contains("action=\"/logout\""));
        }
    }

    #[test]
    fn this_browser_is_not_signed_out_by_its_row() {
        let rows = [session("Firefox/1", "mine"), session("curl/8", "theirs")];
        let page = sessions(&frame("ada", None), &rows, "mine", None);
        assert!(page.contains("This browser") && page.contains("name=\"but\" value=\"this\""));
        assert!(!page.contains("value=\"mine\"") && page.contains("name=\"sid\" value=\"theirs\""));
        let page = sessions(&frame("ada", None), &rows[..1], "mine", None);
        assert!(!page.contains("everywhere else"));
        // Somebody else's session is never "this browser".
        let whose = Whose {
            id: "u1",
            email: "bob",
        };
        let page = sessions(&frame("ada", None), &rows, "mine", Some(whose));
        assert_eq!(page.matches("name=\"of\" value=\"u1\"").count(), 3);
        assert!(page.contains("name=\"all\" value=\"yes\"") && !page.contains("name=\"but\""));
    }

    #[test]
    fn nobody_is_offered_to_disable_themselves() {
        let page = people(
            &frame("ada", None),
            &user_page("a"),
            "2",
            &Invitation::default(),
        );
        assert!(page.contains("action=\"/account/people/a/disable\""));
        assert!(page.contains("action=\"/account/people/3/enable\""));
        assert!(!page.contains("/account/people/2/disable"));
        assert!(page.contains("?page=1&amp;limit=3") && page.contains("?page=3&amp;limit=3"));
    }

    #[test]
    fn links_of_the_audit_keep_its_filters() {
        let asked = AuditQuery {
            outcome: None,
            peer: None,
            ..query("a&b=c")
        };
        let page = audit(&frame("ada", None), &asked, &rows("x/y"));
        let filters = "actor=a%26b%3Dc&amp;action=a%26b%3Dc&amp;subject=a%26b%3Dc\
                       &amp;from=2026-12-01T02%3A30%3A05.120&amp;until=2026-12-01T02%3A30%3A05.121";
        for link in [
            format!("\"/account/audit.csv?{filters}\""),
            format!("\"/account/audit.json?{filters}\""),
            format!("\"/account/audit?{filters}&amp;limit=50&amp;after=x%2Fy\""),
            format!("\"/account/audit?{filters}&amp;limit=50\""),
        ] {
            assert!(page.contains(&link), "{link}");
        }
    }

    #[test]
    fn an_id_stays_one_segment_of_a_path() {
        let page = people(
            &frame("ada", None),
            &user_page("../a b?c"),
            "2",
            &Invitation::default(),
        );
        assert!(page.contains("action=\"/account/people/..%2Fa%20b%3Fc/disable\""));
    }

    #[test]
    fn the_colours_are_the_dashboards() {
        let dashboard = include_str!("../../dashboard/style/dashboard.css");
        let colours = STYLE.lines().filter(|line| line.contains("light-dark("));
        let colours: Vec<_> = colours.collect();
        assert!(colours.len() > 15);
        for colour in colours {
            assert!(dashboard.contains(colour), "{colour}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
