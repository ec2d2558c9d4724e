//! The pages: what the kit collects, drawn by the dashboard.

use std::error::Error;

use dashboard::model::PageData;
use kit::config::Config;
use kit::pages::Pages;
use kit::pages::bundle::Assets;
use serde::Deserialize;
use serde_json::Value;

/// The pages of a peer with this configuration.
pub(crate) fn of(config: &Config) -> Pages {
    Pages::new(config, render, dashboard::STYLE)
}

fn render(data: &Value, assets: &Assets) -> Result<String, Box<dyn Error + Send + Sync>> {
    let data = PageData::deserialize(data)?;
    let assets = dashboard::Assets { style: assets.style.clone(), start: assets.start.clone() };
    Ok(dashboard::render(&data, &assets))
}
