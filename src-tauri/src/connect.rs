//! Connecting a client from the window: what would change is shown, and what was shown is what is done.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use signbell_connect::plan::What;
use signbell_connect::{Client, Places};
use signbell_engine::connect::{self, ClientView, Offer, Wish};
use signbell_engine::control::client::call;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::ServiceName;
use signbell_engine::paths::Paths;
use signbell_engine::wording::{cli, connect as words};

/// What the page asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Wished {
    client: String,
    services: Vec<ServiceName>,
    #[serde(default)]
    undo: bool,
    #[serde(default)]
    rotate: bool,
}

/// What would change. The diff shows no secret.
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    file: String,
    diff: String,
    changes: bool,
    notes: Vec<String>,
}

/// The change that was shown last.
pub(crate) struct Connecting {
    paths: Paths,
    shown: Mutex<Option<Offer>>,
}

impl Connecting {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone(), shown: Mutex::default() }
    }

    pub(crate) async fn clients(&self) -> Result<Vec<ClientView>, Failure> {
        let Reply::View(view) = call(&self.paths.engine_socket(), &Request::Status).await? else {
            return Err(cli::odd_reply());
        };
        Ok(connect::clients(&places()?, &view.proxy.address))
    }

    pub(crate) async fn plan(&self, wished: Wished) -> Result<PlanView, Failure> {
        let client = Client::named(&wished.client).ok_or_else(words::no_service)?;
        let what = if wished.undo { What::Undo } else { What::Connect };
        let wish = Wish { services: wished.services, rotate: wished.rotate, ..Wish::plain(client, what) };
        self.keep(None);
        let offer = connect::offer(&self.paths, &places()?, wish).await?;
        let plan = &offer.plan;
        let view = PlanView {
            file: plan.file.display().to_string(),
            diff: plan.diff(),
            changes: plan.changes(),
            notes: offer.notes(),
        };
        self.keep(Some(offer));
        Ok(view)
    }

    pub(crate) async fn apply(&self) -> Result<String, Failure> {
        let offer = self.keep(None).ok_or_else(words::no_service)?;
        let done = connect::carry_out(&self.paths, &places()?, &offer, |_| ()).await?;
        Ok(offer.told(&done))
    }

    /// Keeps this one, and gives what was kept before.
    fn keep(&self, offer: Option<Offer>) -> Option<Offer> {
        std::mem::replace(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner), offer)
    }
}

fn places() -> Result<Places, Failure> {
    Places::from_env().ok_or_else(words::no_home)
}
