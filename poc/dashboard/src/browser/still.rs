//! On the server.

use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;

use crate::entry::Form;
use crate::page::Query;
use crate::state::State;

pub(crate) fn live(_state: State) {}

pub(crate) fn submit(_event: &SubmitEvent, _form: &Form) {}

pub(crate) fn check_all(_group: NodeRef<html::Fieldset>, _checked: bool) {}

pub(crate) fn generate(_input: NodeRef<html::Input>, _note: RwSignal<&'static str>) {}

pub(crate) fn copy(_input: NodeRef<html::Input>, _note: RwSignal<&'static str>) {}

pub(crate) fn filter(_state: State, _text: String) {}

pub(crate) fn filter_now(_state: State, _event: &SubmitEvent) {}

pub(crate) fn go(_state: State, _event: &MouseEvent, _query: Query) {}
