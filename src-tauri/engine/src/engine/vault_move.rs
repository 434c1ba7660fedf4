//! The person's choice of another store for their tokens: what is kept moves there first.

use std::collections::BTreeSet;

use toml_edit::DocumentMut;

use super::core::{Core, grant_of, lock};
use crate::config::{self, Config, ConfigError, VaultKind};
use crate::control::Failure;
use crate::model::GrantId;
use crate::provider::{client_key_item, client_secret_item};
use crate::proxy::forward_proxy::AUTHORITY_ITEM;
use crate::secret::Secret;
use crate::session;
use crate::vault::{ItemName, KeyringStore, MoveError, SealedFile, SecretStore, StoreKind, VaultError};
use crate::wording;

impl Core {
    /// Moves what is kept to the store that `alone` names, and writes the choice down.
    pub(super) async fn move_vault(&self, alone: &DocumentMut, passphrase: Option<Secret>) -> Result<(), Failure> {
        let wanted = toml_edit::de::from_str::<Config>(&alone.to_string()).unwrap_or_default().vault.kind;
        if self.overrides.vault {
            return Err(wording::vault_overridden());
        }
        let to: Box<dyn SecretStore> = match (wanted, self.vault.kind()) {
            (VaultKind::Keyring, StoreKind::Keyring) | (VaultKind::SealedFile, StoreKind::SealedFile) => return Ok(()),
            (VaultKind::Keyring, _) => Box::new(KeyringStore::new()),
            (VaultKind::SealedFile, _) => {
                let passphrase = passphrase.filter(|given| !given.expose().is_empty());
                let passphrase = passphrase.ok_or_else(wording::passphrase_wanted)?;
                Box::new(self.sealed_file(passphrase).await.map_err(|e| wording::vault_failure(&e))?)
            }
        };
        let items = self.vault_items().map_err(|e| wording::vault_failure(&e))?;
        let (path, core) = (self.paths.config_file(), self.this.clone());
        let commit = Box::new(move || {
            let Some(core) = core.upgrade() else { return Err("Signbell is ending".to_owned()) };
            let _one_at_a_time = lock(&core.edits);
            if core.file_is_gone() {
                return Err(wording::config_gone(wording::language::Language::En, &path));
            }
            let written = config::edit(&path, |document| -> Result<(), ConfigError> {
                document["vault"]["kind"] = toml_edit::value(wanted.as_str());
                Ok(())
            });
            written.map_err(|e| e.to_string())?;
            // Else it would be taken for an edit by hand. Of what else the file says the watch is the judge.
            lock(&core.settings).file.vault.kind = wanted;
            Ok(())
        });
        let moved = self.vault.move_to(to, items, commit).await.map_err(|e| match e {
            MoveError::Store(why) => wording::vault_not_moved(&why),
            MoveError::Choice(why) => wording::vault_choice_unwritten(&why),
        })?;
        self.changed_by_person(&wording::vault_moved(wanted.as_str(), moved.items, moved.left_behind), |_| ());
        Ok(())
    }

    async fn sealed_file(&self, passphrase: Secret) -> Result<SealedFile, VaultError> {
        let folder = self.paths.sealed_folder().to_owned();
        // scrypt takes about a second, by design.
        let opened = tokio::task::spawn_blocking(move || match SealedFile::exists(&folder) {
            true => SealedFile::open(&folder, &passphrase),
            false => SealedFile::create(&folder, &passphrase),
        });
        opened.await.map_err(|e| VaultError::Platform(e.to_string()))?
    }

    /// The name of everything that may be kept.
    fn vault_items(&self) -> Result<BTreeSet<ItemName>, VaultError> {
        let config = lock(&self.settings).file.clone();
        let vouching = config.providers.values().filter_map(|provider| provider.via.as_ref());
        let vouching = vouching.map(|account| GrantId { account: account.clone(), resource: None });
        // Where the sessions are, and where the configuration says that they could be.
        let running = self.all_sessions().into_iter().map(|session| session.grant().clone());
        // Those that no service uses any more are kept until the person signs out.
        let known = config.accounts.keys().flat_map(|account| self.known.grants(account));
        let grants = config.services.values().map(grant_of).chain(vouching).chain(running).chain(known);
        let mut items = BTreeSet::from([ItemName::new(AUTHORITY_ITEM)?]);
        for grant in grants {
            items.insert(session::item_of(&grant)?);
        }
        for (name, provider) in &config.providers {
            items.insert(client_secret_item(name, &provider.issuer)?);
            items.insert(client_key_item(name)?);
        }
        Ok(items)
    }
}
