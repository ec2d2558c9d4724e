//! `gateway proxy`.

use std::sync::Arc;

use clap::Args;
use mesh_api::permission::Role;

use crate::command::places::{self, Failure, Places};
use crate::keys;
use crate::proxy::{LocalOperator, Proxy};

#[derive(Args)]
pub(super) struct LocalProxy {
    /// What whoever uses it may do: viewer, operator or admin.
    #[arg(long)]
    role: Role,
    /// Whose name is in the peers' logs.
    #[arg(long, default_value = "local-operator")]
    subject: String,
    #[command(flatten)]
    places: Places,
}

impl LocalProxy {
    /// Serves until it is asked to stop.
    pub(super) fn run(self) -> Result<(), Failure> {
        places::run(async {
            let who = LocalOperator::new(self.role, self.subject, &self.places.listens)?;
            let signer = Arc::new(keys::load(&self.places.dir)?);
            let settings = self.places.settings([]);
            Ok(Proxy::bind(settings, Arc::new(who), signer).await?)
        })
    }
}
