//! Taking over from other programs in the window: what they have is listed, and taken over only where the person
//! ticked it.

use serde::Serialize;
use signbell_engine::control::client::call;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::{AccountName, ServiceName};
use signbell_engine::paths::Paths;
use signbell_engine::view::AppView;
use signbell_engine::wording::{cli, connect as words, import};
use signbell_import::{Found, Item, Listed, Note, Places, Terms, Tokens, find, shortened, take, why};

/// All that was found; no secret of it is here.
#[derive(Debug, Serialize)]
pub(crate) struct FoundView {
    items: Vec<ItemView>,
    /// Files that were left out, and why.
    unusable: Vec<String>,
}

/// One thing that another program has.
#[derive(Debug, Serialize)]
pub(crate) struct ItemView {
    id: String,
    source: &'static str,
    /// Where it was read.
    places: Vec<String>,
    who: Option<String>,
    url: Option<String>,
    /// The service that has this address already.
    here: Option<ServiceName>,
    /// What keeps it from being taken over here.
    lacks: Option<Lack>,
    sign_in: SignIn,
}

/// What an item lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Lack {
    /// The service's address.
    Address,
    /// A client id of the person's own.
    ClientId,
    /// A person who could sign in.
    Person,
    /// A value other than the sample's.
    Value,
}

/// What may become of the other program's sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum SignIn {
    /// The person signs in anew.
    Anew,
    /// Both programs can go on with it.
    Shared,
    /// One of them can.
    Moves,
}

/// What became of one.
#[derive(Debug, Serialize)]
pub(crate) struct TakenView {
    service: ServiceName,
    account: AccountName,
    /// Why its sign-in could not be gone on with, where that was wanted.
    not_adopted: Option<Failure>,
}

/// Where they are looked for, and where the engine is spoken to.
pub(crate) struct Importing {
    paths: Paths,
}

impl Importing {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone() }
    }

    pub(crate) async fn found(&self) -> Result<FoundView, Failure> {
        let view = self.view().await?;
        let Found { items, unusable } = look().await?;
        let left_out =
            |file: &signbell_import::Unusable| import::unusable(&file.file.display().to_string(), &why(&file.why));
        Ok(FoundView {
            items: items.iter().map(|item| ItemView::of(item, &view)).collect(),
            unusable: unusable.iter().map(left_out).collect(),
        })
    }

    /// What is taken is read anew: the page names it, and nothing else.
    pub(crate) async fn take(&self, id: &str, with_tokens: bool) -> Result<TakenView, Failure> {
        let view = self.view().await?;
        let found = look().await?;
        let item = found.items.iter().find(|item| item.id() == id && lack(item).is_none());
        let item = item.ok_or_else(|| import::unknown_id(id))?;
        let terms = Terms { with_tokens, ..Terms::default() };
        let taken = take(&self.paths.engine_socket(), item, &terms, &view, |_| ()).await?;
        let (service, account) = (taken.added.service, taken.added.account);
        Ok(TakenView { service, account, not_adopted: taken.not_adopted })
    }

    async fn view(&self) -> Result<AppView, Failure> {
        match call(&self.paths.engine_socket(), &Request::Status).await? {
            Reply::View(view) => Ok(*view),
            _ => Err(cli::odd_reply()),
        }
    }
}

/// The files are read on a thread of their own: some have megabytes.
async fn look() -> Result<Found, Failure> {
    let places = Places::from_env(None).ok_or_else(words::no_home)?;
    let found = tokio::task::spawn_blocking(move || find(&places, None)).await;
    found.map_err(|_| cli::odd_reply())
}

impl ItemView {
    fn of(item: &Item, view: &AppView) -> Self {
        let listed = Listed::of(item, Some(view));
        Self {
            id: listed.id,
            source: listed.source,
            places: listed.places.iter().map(|place| shortened(place)).collect(),
            who: listed.who,
            url: listed.url,
            here: listed.here,
            lacks: lack(item),
            sign_in: match item.tokens {
                Tokens::Refresh { shared: true, .. } => SignIn::Shared,
                Tokens::Refresh { shared: false, .. } => SignIn::Moves,
                Tokens::None | Tokens::Theirs | Tokens::Sealed => SignIn::Anew,
            },
        }
    }
}

fn lack(item: &Item) -> Option<Lack> {
    let noted = item.notes.iter().find_map(|note| match note {
        Note::ClientIdNeeded => Some(Lack::ClientId),
        Note::NoPerson(_) => Some(Lack::Person),
        Note::Placeholder(_) => Some(Lack::Value),
        Note::UnknownAddress | Note::NoService | Note::OwnHeader | Note::ProgramsClient(_) | Note::Sealed(_) => None,
    });
    noted.or_else(|| item.url.is_none().then_some(Lack::Address))
}
