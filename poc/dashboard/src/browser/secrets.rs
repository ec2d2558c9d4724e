//! Secrets in the browser: made, shown and copied as the browser's own objects. Not one of their characters enters the memory
//! of this program, which anybody can read who reads the page.

use js_sys::{Array, Function, JsString, Promise, Reflect, Uint8Array};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// How long a made secret is, in bytes before they are written as text.
const BYTES: u32 = 24;

/// Makes a secret, and shows it.
pub(crate) fn generate(input: NodeRef<html::Input>, note: RwSignal<&'static str>) {
    let Some(input) = input.get_untracked() else {
        return;
    };
    let shown = random().and_then(|secret| {
        Reflect::set(&input, &"value".into(), &secret)?;
        Reflect::set(&input, &"type".into(), &"text".into())
    });
    note.set(match shown {
        Ok(_) => "Made in this browser. Copy it now: once sent it is not shown again.",
        Err(_) => "This browser cannot make one: type it.",
    });
}

/// Copies what stands in the field.
pub(crate) fn copy(input: NodeRef<html::Input>, note: RwSignal<&'static str>) {
    let Some(input) = input.get_untracked() else {
        return;
    };
    let Ok(promise) = write(&input) else {
        // Without a secure context there is no clipboard to write to.
        let _ = Reflect::set(&input, &"type".into(), &"text".into());
        input.select();
        note.set("Press Ctrl+C to copy it.");
        return;
    };
    spawn_local(async move {
        note.set(match JsFuture::from(promise).await {
            Ok(_) => "Copied.",
            Err(_) => "The browser did not allow it: select it and press Ctrl+C.",
        });
    });
}

fn random() -> Result<JsValue, JsValue> {
    let window: JsValue = window().into();
    let bytes = Uint8Array::new_with_length(BYTES);
    let crypto = Reflect::get(&window, &"crypto".into())?;
    method(&crypto, "getRandomValues")?.call1(&crypto, &bytes)?;
    let string = Reflect::get(&window, &"String".into())?;
    let raw = Reflect::apply(
        &method(&string, "fromCharCode")?,
        &string,
        &Array::from(&bytes),
    )?;
    let text: JsString = method(&window, "btoa")?
        .call1(&window, &raw)?
        .unchecked_into();
    Ok(text.replace_all("+", "-").replace_all("/", "_").into())
}

fn write(input: &JsValue) -> Result<Promise, JsValue> {
    let navigator: JsValue = window().navigator().into();
    let clipboard = Reflect::get(&navigator, &"clipboard".into())?;
    let text = Reflect::get(input, &"value".into())?;
    method(&clipboard, "writeText")?
        .call1(&clipboard, &text)?
        .dyn_into()
}

fn method(of: &JsValue, name: &str) -> Result<Function, JsValue> {
    Reflect::get(of, &name.into())?.dyn_into()
}
