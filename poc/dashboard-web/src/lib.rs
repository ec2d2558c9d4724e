//! The entry of the WebAssembly bundle: what `start.js` calls once the page is there.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen::prelude::wasm_bindgen;

/// Brings the page to life.
#[wasm_bindgen]
pub fn hydrate() {
    dashboard::hydrate();
}
