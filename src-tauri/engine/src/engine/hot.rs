//! What the person set for the program itself, in force without a restart: by a command, by the window,
//! or by an editor on `config.toml`.

use std::io;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;
use toml_edit::DocumentMut;

use super::core::{Core, lock};
use super::port_holder;
use crate::activity::Kind as Happened;
use crate::bell::Reminders;
use crate::config::{self, Config, ConfigError, Kind, NetworkConfig, SETTINGS, Setting};
use crate::control::{Failure, SettingKind, SettingView};
use crate::provider::{Clients, NetworkError, NetworkSettings};
use crate::proxy::OutgoingSettings;
use crate::proxy::listen::{Door, Port};
use crate::secret::Secret;
use crate::vault::StoreKind;
use crate::view::DesktopView;
use crate::wording;
use crate::wording::language::Language;

/// Settings that could not be put in force; each stands until it is mended.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// `config.toml` can't be used as it is.
    config: Option<FileTrouble>,
    /// The port that it names is somebody else's.
    port: Option<PortTaken>,
    /// Its network settings can't be used.
    network: Option<NetworkError>,
    /// The person's own file of authorities was changed, and can't be used as it is now.
    authorities: Option<NetworkError>,
}

#[derive(Debug)]
enum FileTrouble {
    Mistake(ConfigError),
    Gone(PathBuf),
}

/// Who holds the port that we should be at, and where we are instead.
#[derive(Debug)]
struct PortTaken {
    port: u16,
    holder: Option<String>,
    address: String,
}

impl Troubles {
    /// In sentences, the most important first.
    fn said(&self, language: Language) -> impl Iterator<Item = String> {
        let file = self.config.as_ref().map(|trouble| trouble.said(language));
        let port = self
            .port
            .as_ref()
            .map(|taken| wording::port_banner(language, taken.port, taken.holder.as_deref(), &taken.address));
        let network = self.network.as_ref().map(|error| wording::network_banner(language, error));
        let authorities = self.authorities.as_ref().map(|error| wording::authorities_banner(language, error));
        [file, port, network, authorities].into_iter().flatten()
    }
}

impl FileTrouble {
    fn said(&self, language: Language) -> String {
        match self {
            Self::Mistake(error) => wording::config_banner(language, error),
            Self::Gone(path) => wording::config_gone(language, path),
        }
    }
}

/// What the environment says in place of `config.toml`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overrides {
    pub(super) port: bool,
    pub(super) vault: bool,
}

impl Overrides {
    fn of(self, key: &str) -> Option<&'static str> {
        match key {
            "proxy.port" if self.port => Some("SIGNBELL_PORT"),
            "vault.kind" if self.vault => Some("SIGNBELL_VAULT"),
            _ => None,
        }
    }
}

/// The port that is served now.
pub(super) struct Listening {
    door: Door,
    /// Ends with the engine.
    stop: CancellationToken,
    /// Ends with this port.
    here: CancellationToken,
    /// What `config.toml` said when it was taken.
    asked: u16,
}

impl Listening {
    /// Begins to serve `port`.
    pub(super) fn begin(door: Door, port: Port, asked: u16, stop: &CancellationToken) -> Self {
        let here = stop.child_token();
        door.serve(port, &here, stop);
        Self { door, stop: stop.clone(), here, asked }
    }
}

/// The ways that these settings ask for.
fn ways(settings: &NetworkSettings) -> Result<(Clients, OutgoingSettings), NetworkError> {
    Ok((Clients::new(settings)?, OutgoingSettings::new(settings)?))
}

impl Core {
    /// What there is to say of settings that are not in force.
    pub(super) fn setting_banners(&self, language: Language) -> Vec<String> {
        let config = self.config();
        let troubles = lock(&self.troubles);
        let kept = match self.vault.kind() {
            StoreKind::Keyring => Some(config::VaultKind::Keyring),
            StoreKind::SealedFile => Some(config::VaultKind::SealedFile),
            StoreKind::Memory => None,
        };
        let vault = kept.filter(|kept| !self.overrides.vault && *kept != config.vault.kind);
        let vault = vault.map(|kept| wording::vault_choice_banner(language, config.vault.kind.as_str(), kept.as_str()));
        troubles.said(language).chain(vault).collect()
    }

    /// What the tray and the window themselves go by.
    pub(super) fn desktop_view(config: &Config) -> DesktopView {
        DesktopView {
            theme: config.desktop.theme,
            notifications: config.bell.notifications,
            start_at_login: config.desktop.start_at_login,
        }
    }

    /// Every setting.
    pub(crate) fn settings_now(&self) -> Vec<SettingView> {
        let config = self.config();
        SETTINGS.iter().map(|setting| self.setting_view(setting, &config)).collect()
    }

    fn setting_view(&self, setting: &Setting, config: &Config) -> SettingView {
        let key = setting.key();
        let words = wording::setting(&key);
        let mut view = SettingView {
            title: words.title.to_owned(),
            about: words.about.to_owned(),
            kind: SettingKind::Switch,
            choices: vec![],
            least: None,
            most: None,
            unit: None,
            value: setting.read(config),
            default: setting.read(&Config::default()),
            overridden_by: self.overrides.of(&key).map(str::to_owned),
            key,
        };
        view.kind = match setting.kind {
            Kind::Switch => SettingKind::Switch,
            Kind::Minutes => SettingKind::Minutes,
            Kind::Address => SettingKind::Address,
            Kind::File => SettingKind::File,
            Kind::Choice(choices) => {
                view.choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
                SettingKind::Choice
            }
            Kind::Number { least, most, unit } => {
                (view.least, view.most, view.unit) = (Some(least), Some(most), Some(unit));
                SettingKind::Number
            }
        };
        view
    }

    /// Changes one setting, and puts it in force before it returns.
    pub(crate) async fn settings_set(
        &self,
        key: &str,
        text: &str,
        passphrase: Option<Secret>,
    ) -> Result<SettingView, Failure> {
        let setting = config::setting(key).ok_or_else(|| wording::unknown_setting(key))?;
        let mut alone = DocumentMut::new();
        setting.write(&mut alone, text).map_err(|_| wording::bad_setting(setting, text))?;
        match key {
            "proxy.port" => self.must_be_free(&alone).await?,
            // What can't be opened must not be turned on.
            "proxy.forward" => {
                let wanted: Config = toml_edit::de::from_str(&alone.to_string()).unwrap_or_default();
                self.forward(Some(wanted.proxy.forward)).await?;
                return Ok(self.setting_view(setting, &self.config()));
            }
            "vault.kind" => self.move_vault(&alone, passphrase).await?,
            _ => {}
        }
        self.edit(|_, document| {
            setting.write(document, text).map_err(|_| wording::bad_setting(setting, text))?;
            if setting.section == "network"
                && let Ok(whole) = toml_edit::de::from_str::<Config>(&document.to_string())
            {
                ways(&NetworkSettings::from(&whole.network)).map_err(|e| wording::bad_network(&e))?;
            }
            Ok(())
        })?;
        self.move_port().await;
        let view = self.setting_view(setting, &self.config());
        // An address may have a password in it, and the activity has no secrets.
        let value = match setting.kind {
            Kind::Address => None,
            _ => Some(view.value.to_string()),
        };
        self.changed_by_person(&wording::setting_changed(key, value.as_deref()), |_| ());
        Ok(view)
    }

    /// Says so before anything is written, where the port is somebody else's.
    async fn must_be_free(&self, alone: &DocumentMut) -> Result<(), Failure> {
        let wanted = toml_edit::de::from_str::<Config>(&alone.to_string()).unwrap_or_default().proxy.port;
        if self.overrides.port || wanted == 0 || wanted == self.proxy.address().port() {
            return Ok(());
        }
        match Port::bind(wanted).await {
            Ok(_) => Ok(()),
            Err(e) => Err(wording::port_not_free(wanted, holder(wanted, &e).await.as_deref())),
        }
    }

    /// Puts what concerns the program itself in force; the port follows in [`Core::keep_port`].
    pub(super) fn put_program_in_force(&self, config: &Config) {
        self.bell.set_reminders(Reminders(config.bell.reminders.clone()));
        self.proxy.budget.set(config.proxy.replay_bytes, config.proxy.replay_bytes_in_all);
        self.put_network_in_force(&config.network);
        self.port_wanted.notify_one();
    }

    fn put_network_in_force(&self, config: &NetworkConfig) {
        let wanted = NetworkSettings::from(config);
        let mut now = lock(&self.network);
        let trouble = if *now == wanted {
            None
        } else {
            match ways(&wanted) {
                Ok((clients, outgoing)) => {
                    self.http.put(clients);
                    self.pools.put(outgoing);
                    *now = wanted;
                    lock(&self.troubles).authorities = None;
                    self.network_changed.notify_one();
                    None
                }
                Err(e) => Some(e),
            }
        };
        lock(&self.troubles).network = trouble;
    }

    /// The person's own file of authorities is another now, under the name that it had.
    pub(super) fn reread_authorities(&self) {
        let _one_at_a_time = lock(&self.edits);
        let now = lock(&self.network).clone();
        let trouble = match ways(&now) {
            Ok((clients, outgoing)) => {
                self.http.put(clients);
                self.pools.put(outgoing);
                self.put_in_force();
                None
            }
            Err(e) => Some(e),
        };
        lock(&self.troubles).authorities = trouble;
        self.changed.notify_one();
    }

    /// Keeps listening where `config.toml` says.
    pub(super) async fn keep_port(&self) {
        /// A port that is taken may become free.
        const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);
        loop {
            let waits = lock(&self.troubles).port.is_some();
            tokio::select! {
                () = self.port_wanted.notified() => {}
                () = tokio::time::sleep(AGAIN), if waits => {}
            }
            self.move_port().await;
        }
    }

    /// Moves to the port that `config.toml` names. Where it is taken, we stay and say so.
    async fn move_port(&self) {
        if self.overrides.port {
            return;
        }
        let mut listening = self.listening.lock().await;
        let Some(listening) = listening.as_mut() else { return };
        let wanted = self.config().proxy.port;
        let trouble = if wanted == listening.asked || wanted == 0 || wanted == self.proxy.address().port() {
            // Any free one: that which we have is as good.
            listening.asked = wanted;
            None
        } else {
            match Port::bind(wanted).await.and_then(|port| Ok((port.address()?, port))) {
                Ok((address, port)) => {
                    let here = listening.stop.child_token();
                    listening.door.serve(port, &here, &listening.stop);
                    self.proxy.set_address(address);
                    std::mem::replace(&mut listening.here, here).cancel();
                    listening.asked = wanted;
                    self.activity
                        .record(Happened::Changed, |record| record.text = wording::port_moved(&self.address()));
                    None
                }
                Err(e) => Some(PortTaken { port: wanted, holder: holder(wanted, &e).await, address: self.address() }),
            }
        };
        lock(&self.troubles).port = trouble;
        self.changed.notify_one();
    }

    /// `config.toml` may be another than the one in force: what it says counts, if it can be used.
    pub(super) fn reread(&self) {
        let _one_at_a_time = lock(&self.edits);
        let path = self.paths.config_file();
        let read = config::load(&path).map_err(FileTrouble::Mistake).and_then(|file| {
            // Some editors remove the file before they write the new one.
            if self.file_is_gone() { Err(FileTrouble::Gone(path)) } else { Ok(file) }
        });
        match read {
            Ok(file) => {
                lock(&self.troubles).config = None;
                let old = std::mem::replace(&mut lock(&self.settings).file, file.clone());
                if old != file {
                    self.put_in_force();
                    self.changed_by_person(wording::EDITED_BY_HAND, |_| ());
                }
            }
            Err(trouble) => {
                tracing::warn!("{}", trouble.said(Language::En));
                lock(&self.troubles).config = Some(trouble);
            }
        }
        self.changed.notify_one();
    }
}

/// Who holds a port that can't be had.
async fn holder(port: u16, error: &io::Error) -> Option<String> {
    if error.kind() != io::ErrorKind::AddrInUse {
        return Some(error.to_string());
    }
    tokio::task::spawn_blocking(move || port_holder::of(port)).await.ok().flatten()
}
