//! `cargo screenshots`: the pictures in `docs/images`, of the real thing.

use services::output::say;

use crate::error::Error;
use crate::step::Step;
use crate::{dashboard, install};

/// Takes them all.
pub(crate) async fn run() -> Result<(), Error> {
    install::browser().await?;
    Step::cargo("build")
        .arguments(["build", "--workspace", "--all-targets", "--quiet"])
        .run()
        .await?;
    dashboard::build().await?;
    let test = [
        "test",
        "--workspace",
        "--test",
        "browser",
        "--quiet",
        "--",
        "--ignored",
        "pictures_of_the_demo",
    ];
    Step::cargo("pictures").arguments(test).run().await?;
    say("The pictures are in docs/images: look at them before they are committed.")?;
    Ok(())
}
