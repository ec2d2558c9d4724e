//! The pages of a peer with the dashboard, without a framework: what each shows, and the files it loads.
//!
//! A page is drawn from one value, which the same use cases give that answer the HTTP surface: so a page can show nothing that the
//! surface would not say. A peer's own router says which path is which page.

pub mod bundle;
pub mod pages;
pub mod reply;
