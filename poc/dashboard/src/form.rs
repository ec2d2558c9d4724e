//! Forms that post to the peer's HTTP surface: by the browser alone, or sent in place once the page is live.

use leptos::html;
use leptos::prelude::*;

use crate::browser;
use crate::entry::Form;
use crate::field::Field;
use crate::name;

impl Form {
    /// The form around its fields and buttons.
    pub(crate) fn around<V: IntoView>(&self, inside: V) -> impl IntoView + use<V> {
        let form = self.clone();
        view! {
            <form
                id=self.id.clone()
                class="form"
                method="post"
                action=self.action.clone()
                data-operation=self.operation.as_str()
                autocomplete="off"
                novalidate
                on:submit=move |event| browser::submit(&event, &form)
            >
                <input type="hidden" name="back" value=self.state.back()/>
                {inside}
            </form>
        }
    }

    /// The mistake at a field, in words.
    fn mistake(&self, field: Field) -> impl Fn() -> Option<String> + Clone + Send + Sync + use<> {
        let outcome = self.outcome;
        move || {
            outcome.with(|outcome| {
                let outcome = outcome.as_ref().filter(|outcome| !outcome.ok)?;
                (outcome.field.as_deref() == Some(field.name))
                    .then(|| sentence(field.label, &outcome.message))
            })
        }
    }

    /// A field around its control; `control` gets the control's id and what describes it.
    fn field<V: IntoView, C: FnOnce(String, String) -> V>(
        &self,
        field: Field,
        control: C,
    ) -> impl IntoView + use<V, C> {
        self.fields.update_value(|fields| fields.push(field.name));
        let id = format!("{}-{}", self.id, field.name);
        let (hint_id, mistake_id) = (format!("{id}-hint"), format!("{id}-mistake"));
        let described = match field.hint {
            "" => mistake_id.clone(),
            _ => format!("{hint_id} {mistake_id}"),
        };
        let hint =
            (!field.hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{field.hint}</p> });
        let optional =
            (!field.required).then(|| view! { <span class="optional">" optional"</span> });
        view! {
            <div class="field">
                <label for=id.clone()>{field.label}{optional}</label>
                {control(id, described)}
                {hint}
                <p class="mistake" id=mistake_id>{self.mistake(field)}</p>
            </div>
        }
    }

    /// A line of text. `list` names the suggestions. Without `autocomplete` a browser takes the one before a secret for the name
    /// of a login.
    pub(crate) fn text(
        &self,
        field: Field,
        default: &str,
        list: &'static str,
    ) -> impl IntoView + use<> {
        let value = self.value(field.name, default);
        let mistake = self.mistake(field);
        self.field(field, move |id, described| {
            view! {
                <input
                    type="text"
                    id=id
                    name=field.name
                    value=value
                    list=(!list.is_empty()).then_some(list)
                    autocomplete="off"
                    spellcheck="false"
                    autocapitalize="off"
                    aria-describedby=described
                    aria-required=field.required.then_some("true")
                    aria-invalid=move || mistake().map(|_| "true")
                />
            }
        })
    }

    /// Some lines of text.
    pub(crate) fn lines(&self, field: Field) -> impl IntoView + use<> {
        let value = self.value(field.name, "");
        let mistake = self.mistake(field);
        self.field(field, move |id, described| {
            view! {
                <textarea
                    id=id
                    name=field.name
                    rows="2"
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby=described
                    aria-invalid=move || mistake().map(|_| "true")
                >
                    {value}
                </textarea>
            }
        })
    }

    /// A moment in UTC.
    pub(crate) fn moment(&self, field: Field) -> impl IntoView + use<> {
        let value = self.value(field.name, "");
        let mistake = self.mistake(field);
        self.field(field, move |id, described| {
            view! {
                <input
                    type="datetime-local"
                    id=id
                    name=field.name
                    value=value
                    autocomplete="off"
                    aria-describedby=described
                    aria-invalid=move || mistake().map(|_| "true")
                />
            }
        })
    }

    /// One of some choices; the first, unless another was chosen before.
    pub(crate) fn choice(
        &self,
        field: Field,
        choices: Vec<(String, String)>,
    ) -> impl IntoView + use<> {
        let mistake = self.mistake(field);
        let options: Vec<_> = choices
            .into_iter()
            .map(|(value, label)| {
                let chosen = self.chose(field.name, &value, false);
                view! { <option value=value selected=chosen>{label}</option> }
            })
            .collect();
        self.field(field, move |id, described| {
            view! {
                <select
                    id=id
                    name=field.name
                    aria-describedby=described
                    aria-invalid=move || mistake().map(|_| "true")
                >
                    {options}
                </select>
            }
        })
    }

    /// A secret. It is never written into the page; one can be made here, is shown once, and copied.
    pub(crate) fn secret(&self, field: Field) -> impl IntoView + use<> {
        let mistake = self.mistake(field);
        let input: NodeRef<html::Input> = NodeRef::new();
        let note = self.note;
        let made = move || browser::generate(input, note);
        let copied = move || browser::copy(input, note);
        self.field(field, move |id, described| {
            view! {
                <div class="secret">
                    <input
                        type="password"
                        id=id
                        name=field.name
                        node_ref=input
                        autocomplete="new-password"
                        spellcheck="false"
                        aria-describedby=described
                        aria-required=field.required.then_some("true")
                        aria-invalid=move || mistake().map(|_| "true")
                    />
                    <button type="button" class="quiet live-only" on:click=move |_| made()>"Generate"</button>
                    <button type="button" class="quiet live-only" on:click=move |_| copied()>"Copy"</button>
                </div>
                <p class="note live-only" role="status">{move || said(note.get())}</p>
            }
        })
    }

    /// Targets to choose from, all chosen at first.
    pub(crate) fn targets(&self, field: Field) -> impl IntoView + use<> {
        self.fields.update_value(|fields| fields.push(field.name));
        let id = format!("{}-{}", self.id, field.name);
        let (mistake_id, mistake) = (format!("{id}-mistake"), self.mistake(field));
        let invalid = mistake.clone();
        let group: NodeRef<html::Fieldset> = NodeRef::new();
        let form = self.clone();
        let (prefix, described) = (id.clone(), mistake_id.clone());
        let boxes = move || {
            let (form, prefix) = (form.clone(), prefix.clone());
            let names = form.state.target_names();
            names
                .into_iter()
                .enumerate()
                .map(move |(index, name)| check(&form, &prefix, index, name))
                .collect_view()
        };
        view! {
            <fieldset
                class="targets"
                id=id
                tabindex="-1"
                node_ref=group
                aria-describedby=described
                aria-invalid=move || invalid().map(|_| "true")
            >
                <legend>{field.label}</legend>
                <div class="checks">{boxes}</div>
                <p class="choose live-only">
                    <button type="button" class="link" on:click=move |_| browser::check_all(group, true)>
                        "Select all"
                    </button>
                    <button type="button" class="link" on:click=move |_| browser::check_all(group, false)>
                        "Clear"
                    </button>
                </p>
                <p class="hint">{field.hint}</p>
                <p class="mistake" id=mistake_id>{mistake}</p>
            </fieldset>
        }
    }

    /// A box to tick, which stands there once the surface has asked for it.
    pub(crate) fn consent(&self, field: Field, value: &'static str) -> impl IntoView + use<> {
        self.fields.update_value(|fields| fields.push(field.name));
        let (mistake, id) = (self.mistake(field), format!("{}-{}", self.id, field.name));
        move || {
            let (words, id) = (mistake()?, id.clone());
            Some(view! {
                <p class="mistake">{words}</p>
                <span class="check">
                    <input type="checkbox" id=id.clone() name=field.name value=value/>
                    <label for=id>{field.label}</label>
                </span>
            })
        }
    }

    /// The button that sends it.
    pub(crate) fn send(
        &self,
        label: &'static str,
        busy: &'static str,
        class: &'static str,
    ) -> impl IntoView + use<> {
        let pending = self.pending;
        view! {
            <button
                type="submit"
                class=class
                class:busy=move || pending.get()
                aria-disabled=move || pending.get().then_some("true")
            >
                {move || if pending.get() { busy } else { label }}
            </button>
        }
    }

    /// A mistake that belongs to no field that is shown.
    pub(crate) fn general_mistake(&self) -> impl IntoView + use<> {
        let (outcome, fields) = (self.outcome, self.fields);
        let words = move || {
            outcome.with(|outcome| {
                let outcome = outcome.as_ref().filter(|outcome| !outcome.ok)?;
                let at_field = outcome
                    .field
                    .as_deref()
                    .is_some_and(|field| fields.with_value(|fields| fields.contains(&field)));
                (!at_field).then(|| {
                    sentence(
                        outcome.field.as_deref().unwrap_or_default(),
                        &outcome.message,
                    )
                })
            })
        };
        view! { <p class="mistake">{words}</p> }
    }
}

fn check(form: &Form, prefix: &str, index: usize, name: String) -> impl IntoView + use<> {
    let id = format!("{prefix}-{index}");
    let chosen = form.chose("targets", &name, true);
    view! {
        <span class="check">
            <input type="checkbox" id=id.clone() name="targets" value=name.clone() checked=chosen/>
            <label for=id>{name}</label>
        </span>
    }
}

/// Nothing at all instead of an empty text, which a server writes as a space: what is empty is hidden by the style sheet.
pub(crate) fn said<T: AsRef<str>>(text: T) -> Option<T> {
    (!text.as_ref().is_empty()).then_some(text)
}

/// Makes a sentence of what the surface says of a field (`is missing`), and of what it says at all.
pub(crate) fn sentence(label: &str, message: &str) -> String {
    // It may name a client.
    let message = name::shown(message);
    let about_field = ["is ", "must ", "has ", "holds ", "leads ", "may "]
        .iter()
        .any(|verb| message.starts_with(verb));
    let mut sentence = if about_field && !label.is_empty() {
        format!("{label} {message}")
    } else {
        message
    };
    if let Some(first) = sentence.chars().next() {
        sentence.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_surface_says_becomes_a_sentence() {
        assert_eq!(sentence("Client id", "is missing"), "Client id is missing.");
        assert_eq!(
            sentence("Targets", "unknown targets: x"),
            "Unknown targets: x."
        );
        assert_eq!(sentence("", "is missing"), "Is missing.");
        assert_eq!(sentence("", ""), ".");
    }
}
