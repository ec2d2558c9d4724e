//! What a web framework brings to a peer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use peer_kit::application::listen;
pub use peer_kit::application::{Application, ApplicationError};
use peer_kit::process::Failure;
use tokio::net::TcpListener;

use crate::config::{Config, Role};
use crate::pages::Pages;
use crate::parts::{Context, Parts};
use crate::shutdown::Stop;

/// Serving, until it is done.
pub type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What a web framework brings.
pub trait Serve: Send + 'static {
    /// Serves the peer's routes on `listener` until [`Context::stop`] is asked for, then takes no new request and finishes
    /// the open ones. It is cut off when that takes longer than [`crate::shutdown::HTTP_LIMIT`].
    fn serve(self: Box<Self>, listener: TcpListener, context: Arc<Context>) -> Serving;
}

/// Binds the port, then wires the parts by `wire`. Succeeds while servers are away. Without `pages` the peer has the HTTP
/// surface only.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn build(
    config: &Config,
    wire: impl FnOnce(&Config, &Stop) -> Result<Parts, Failure>,
    server: impl Serve,
    pages: Option<Pages>,
) -> Result<Application, Failure> {
    let listener = listen(config.listen).await?;
    let address = listener.local_addr()?;
    let stop = Stop::default();
    let parts = wire(config, &stop)?;
    let full = match (&config.role, &parts.management) {
        (Role::Full(full), Some(_)) => Some(&**full),
        (Role::ReceiveOnly { .. }, None) => None,
        _ => return Err("the configuration and the parts are of different kinds of peers".into()),
    };
    let context = Arc::new(Context::new(config, full, parts, pages, stop));
    let peer = context.life.clone();
    Ok(Application::new(
        address,
        peer,
        Box::new(server).serve(listener, context),
    ))
}
