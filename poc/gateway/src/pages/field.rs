//! Fields of forms: each with its label, its hint, and what was wrong with it.

use maud::{Markup, html};
use mesh_api::permission::Role;

/// One line of text.
#[derive(Clone, Copy, Default)]
pub(super) struct Field<'a> {
    /// Its id on the page, and what the form calls it.
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    /// `text`, `email`, `password`.
    pub(super) kind: &'a str,
    pub(super) value: &'a str,
    pub(super) autocomplete: &'a str,
    pub(super) hint: Option<&'a str>,
    pub(super) error: Option<&'a str>,
    pub(super) required: bool,
    /// Whether typing begins here.
    pub(super) first: bool,
}

impl Field<'_> {
    /// The field with all that belongs to it.
    pub(super) fn markup(self) -> Markup {
        let Self {
            name,
            label,
            kind,
            hint,
            error,
            ..
        } = self;
        html! {
            div.field {
                label for=(name) { (label) }
                input id=(name) name=(name) type=(kind) value=[Some(self.value).filter(|it| !it.is_empty())]
                    autocomplete=(self.autocomplete) autocapitalize=[(kind != "text").then_some("none")]
                    spellcheck=[(kind != "text").then_some("false")]
                    required[self.required] autofocus[self.first]
                    aria-invalid=[error.map(|_| "true")] aria-describedby=[described_by(name, hint, error)];
                @if let Some(hint) = hint { p.hint id={ (name) "-hint" } { (hint) } }
                @if let Some(error) = error { p.mistake id={ (name) "-error" } role="alert" { (error) } }
            }
        }
    }
}

fn described_by(name: &str, hint: Option<&str>, error: Option<&str>) -> Option<String> {
    let parts = [(error, "error"), (hint, "hint")];
    let named = parts.iter().filter(|(text, _)| text.is_some());
    let ids: Vec<_> = named.map(|(_, part)| format!("{name}-{part}")).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// A value that the form sends and nobody sees.
pub(super) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// The roles to choose from, as checkboxes named `roles`. `prefix` keeps their ids apart on one page.
pub(super) fn roles(prefix: &str, chosen: &[String], error: Option<&str>) -> Markup {
    let described_by = error.map(|_| format!("{prefix}-roles-error"));
    html! {
        fieldset aria-describedby=[described_by.as_deref()] {
            legend { "Roles" }
            div.checks {
                @for role in Role::ALL {
                    @let id = format!("{prefix}-{role}");
                    span.check {
                        input id=(id) type="checkbox" name="roles" value=(role) checked[chosen.iter().any(|it| it == role.as_str())];
                        label for=(id) { (role) }
                    }
                }
            }
            @if let Some(error) = error { p.mistake id=[described_by.as_deref()] role="alert" { (error) } }
        }
    }
}
