//! What all pages load.

/// What the pages look like. Served at [`STYLE_PATH`] as `text/css`.
pub const STYLE: &str = include_str!("style.css");

/// Where every page asks for [`STYLE`].
pub const STYLE_PATH: &str = "/account/style.css";

/// The icon of all pages (SVG), served at [`ICON_PATH`].
pub const ICON: &str = include_str!("icon.svg");

/// Where pages look for [`ICON`].
pub const ICON_PATH: &str = "/account/icon.svg";
