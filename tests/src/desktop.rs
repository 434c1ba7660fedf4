//! A desktop of the test's own: X server, session bus, keyring, notification daemon and panel.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use zbus::blocking::Connection;
use zbus::blocking::fdo::DBusProxy;

use crate::keyring::Keyring;
use crate::notifications::Notifications;
use crate::process::{Process, run, tail};
use crate::sandbox::Sandbox;
use crate::wait::{still, wait_ok};

mod parts;

pub(crate) use parts::connect;
use parts::{GTK_CONFIG, spawn_dunst, spawn_panel, start_bus, start_display, write};

/// How long each part of the desktop may take to start.
const START: Duration = Duration::from_secs(60);

/// Which parts a [`Desktop`] has; everything is there by default except a window manager.
#[derive(Debug, Clone)]
pub struct DesktopOptions {
    /// gnome-keyring with an unlocked login collection; without it nothing answers at
    /// `org.freedesktop.secrets`.
    pub keyring: bool,
    /// dunst; without it nothing answers at `org.freedesktop.Notifications` (the calls are still
    /// recorded).
    pub dunst: bool,
    /// xfce4-panel with its tray; without it there is no `org.kde.StatusNotifierWatcher`.
    pub panel: bool,
    /// A window manager to start, given as program and arguments. None is needed: GTK windows show
    /// without one, undecorated in the upper left corner.
    pub window_manager: Option<Vec<String>>,
}

impl Default for DesktopOptions {
    fn default() -> Self {
        Self { keyring: true, dunst: true, panel: true, window_manager: None }
    }
}

impl DesktopOptions {
    /// Leaves the keyring out.
    #[must_use]
    pub fn without_keyring(self) -> Self {
        Self { keyring: false, ..self }
    }

    /// Leaves the notification daemon out.
    #[must_use]
    pub fn without_dunst(self) -> Self {
        Self { dunst: false, ..self }
    }

    /// Leaves the panel (and so the tray) out.
    #[must_use]
    pub fn without_panel(self) -> Self {
        Self { panel: false, ..self }
    }

    /// Starts the desktop with these parts.
    pub fn start(self, sandbox: &Sandbox) -> Result<Desktop> {
        Desktop::start_with(sandbox, self)
    }
}

/// A running desktop. From its start on, programs of the sandbox get its DISPLAY and
/// DBUS_SESSION_BUS_ADDRESS.
#[derive(Debug)]
pub struct Desktop {
    // Fields are dropped in this order: the parts before the bus and the display they live on.
    panel: Option<Process>,
    dunst: Option<Process>,
    keyring: Option<Keyring>,
    _window_manager: Option<Process>,
    notifications: Notifications,
    connection: Connection,
    _bus: Process,
    _display: Process,
    sandbox: Sandbox,
}

impl Desktop {
    /// Starts a desktop with everything.
    pub fn start(sandbox: &Sandbox) -> Result<Self> {
        Self::start_with(sandbox, DesktopOptions::default())
    }

    /// Starts a desktop with the parts chosen and waits until all of them answer.
    pub fn start_with(sandbox: &Sandbox, options: DesktopOptions) -> Result<Self> {
        for (name, value) in [
            ("GDK_BACKEND", "x11"),
            ("GSETTINGS_BACKEND", "memory"),
            ("GTK_A11Y", "none"),
            ("NO_AT_BRIDGE", "1"),
            ("LIBGL_ALWAYS_SOFTWARE", "1"),
            ("XDG_SESSION_TYPE", "x11"),
            ("XDG_CURRENT_DESKTOP", "XFCE"),
        ] {
            sandbox.set_env(name, value);
        }
        write(&sandbox.home().join(".config/gtk-3.0/settings.ini"), GTK_CONFIG)?;
        let display = start_display(sandbox)?;
        let bus = start_bus(sandbox)?;
        let connection = connect(sandbox)?;
        let notifications = Notifications::watch(sandbox, connection.clone())?;
        let mut desktop = Self {
            panel: None,
            dunst: None,
            keyring: None,
            _window_manager: None,
            notifications,
            connection,
            _bus: bus,
            _display: display,
            sandbox: sandbox.clone(),
        };
        if let Some((program, args)) = options.window_manager.as_ref().and_then(|command| command.split_first()) {
            let mut command = sandbox.command(program);
            command.args(args);
            desktop._window_manager = Some(sandbox.spawn(command, "window-manager")?.0);
        }
        // All are started first and awaited then, so that they start side by side.
        let keyring = options.keyring.then(|| Keyring::spawn(sandbox)).transpose()?;
        let dunst = options.dunst.then(|| spawn_dunst(sandbox)).transpose()?;
        let panel = options.panel.then(|| spawn_panel(sandbox)).transpose()?;
        if let Some(mut keyring) = keyring {
            keyring.await_unlocked(&desktop.connection, START)?;
            desktop.keyring = Some(keyring);
        }
        if let Some((mut process, log)) = dunst {
            desktop.await_name("org.freedesktop.Notifications", &mut process, &log)?;
            desktop.dunst = Some(process);
        }
        if let Some((mut process, log)) = panel {
            desktop.await_name("org.kde.StatusNotifierWatcher", &mut process, &log)?;
            desktop.panel = Some(process);
            wait_ok("a host at the StatusNotifierWatcher", START, || {
                ensure!(desktop.has_tray_host()?, "no host is registered");
                Ok(())
            })?;
        }
        Ok(desktop)
    }

    /// The variables programs need to be on this desktop. Programs of the sandbox have them anyway.
    pub fn envs(&self) -> Vec<(String, String)> {
        let wanted = ["DISPLAY", "DBUS_SESSION_BUS_ADDRESS"];
        let envs = self.sandbox.envs().into_iter();
        envs.filter(|(name, _)| wanted.contains(&name.as_str())).collect()
    }

    /// The sandbox it runs in.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// A connection to its session bus. Blocking: not for use inside an async function.
    pub fn bus(&self) -> &Connection {
        &self.connection
    }

    /// What was and is shown by the notification daemon.
    pub fn notifications(&self) -> &Notifications {
        &self.notifications
    }

    /// Whether anybody owns this name on the session bus.
    pub fn has_name(&self, name: &str) -> Result<bool> {
        let name = name.try_into().context("not a bus name")?;
        let owned = DBusProxy::new(&self.connection)?.name_has_owner(name);
        owned.context("asking for the owner of a bus name")
    }

    /// Whether a tray is there to show icons, as a tray program asks before it hides in there.
    pub fn has_tray_host(&self) -> Result<bool> {
        crate::tray::watcher(&self.connection)?
            .get_property("IsStatusNotifierHostRegistered")
            .context("asking whether a tray host is registered")
    }

    /// Ends dunst and waits until its name is free, as if the daemon had crashed.
    pub fn stop_dunst(&mut self) -> Result<()> {
        self.dunst = None;
        self.await_no_name("org.freedesktop.Notifications")
    }

    /// Starts dunst when the desktop runs without.
    pub fn start_dunst(&mut self) -> Result<()> {
        let (mut process, log) = spawn_dunst(&self.sandbox)?;
        self.await_name("org.freedesktop.Notifications", &mut process, &log)?;
        self.dunst = Some(process);
        Ok(())
    }

    /// Ends the panel, so that the tray is gone.
    pub fn stop_panel(&mut self) -> Result<()> {
        self.panel = None;
        self.await_no_name("org.kde.StatusNotifierWatcher")
    }

    /// Starts the panel when the desktop runs without.
    pub fn start_panel(&mut self) -> Result<()> {
        let (mut process, log) = spawn_panel(&self.sandbox)?;
        self.await_name("org.kde.StatusNotifierWatcher", &mut process, &log)?;
        self.panel = Some(process);
        wait_ok("a host at the StatusNotifierWatcher", START, || {
            ensure!(self.has_tray_host()?, "no host is registered");
            Ok(())
        })
    }

    /// Locks the default collection of the keyring, as logging out of a session does. Asks nobody;
    /// reading a secret afterwards needs a prompt, which nobody answers on this desktop.
    pub fn lock_keyring(&self) -> Result<()> {
        self.keyring_part()?.lock(&self.connection)
    }

    /// Unlocks the keyring with its password, as logging in does.
    pub fn unlock_keyring(&self) -> Result<()> {
        self.keyring_part()?.unlock(&self.connection)
    }

    /// Whether the default collection of the keyring is locked.
    pub fn keyring_locked(&self) -> Result<bool> {
        self.keyring_part()?.is_locked(&self.connection)
    }

    /// What the keyring has.
    pub fn secrets(&self) -> Result<Vec<String>> {
        self.keyring_part()?.secrets(&self.connection)
    }

    /// Puts this in the place of everything that the keyring has.
    pub fn replace_secrets(&self, with: &str) -> Result<()> {
        self.keyring_part()?.replace_secrets(&self.connection, with)
    }

    /// Ends the keyring daemon: from then on nobody answers at `org.freedesktop.secrets`.
    pub fn stop_keyring(&mut self) -> Result<()> {
        self.keyring = None;
        self.await_no_name("org.freedesktop.secrets")
    }

    /// Starts the keyring daemon again on the same files, unlocked.
    pub fn start_keyring(&mut self) -> Result<()> {
        let mut keyring = Keyring::spawn(&self.sandbox)?;
        keyring.await_unlocked(&self.connection, START)?;
        self.keyring = Some(keyring);
        Ok(())
    }

    /// Writes a picture of the whole screen to `file` (PNG), once it stands still.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).context("creating the screenshot's folder")?;
        }
        let picture = still("the screen", || {
            let mut command = self.sandbox.command("import");
            command.args(["-silent", "-window", "root"]);
            // Without the time of day, equal screens give equal files.
            command.args(["-define", "png:exclude-chunks=date,time"]);
            command.arg(file);
            run(command, b"", START)?.expect_code(0)?;
            fs::read(file).context("reading the picture")
        })?;
        ensure!(!picture.is_empty(), "the picture is empty");
        Ok(())
    }

    /// Runs `xdotool` with these arguments (keys, mouse, window search) and gives its output.
    pub fn xdotool(&self, args: &[&str]) -> Result<String> {
        let mut command = self.sandbox.command("xdotool");
        command.args(args);
        let output = run(command, b"", START)?.expect_code(0);
        Ok(output.with_context(|| format!("xdotool {}", args.join(" ")))?.stdout)
    }

    fn keyring_part(&self) -> Result<&Keyring> {
        self.keyring.as_ref().context("this desktop has no keyring")
    }

    fn await_name(&self, name: &str, process: &mut Process, log: &Path) -> Result<()> {
        wait_ok(&format!("the bus name {name}"), START, || {
            if self.has_name(name)? {
                return Ok(Ok(()));
            }
            if !process.is_running() {
                return Ok(Err(process.failure(log)));
            }
            bail!("no owner; log: {}", tail(log, 2000))
        })?
    }

    fn await_no_name(&self, name: &str) -> Result<()> {
        wait_ok(&format!("the end of the bus name {name}"), START, || {
            ensure!(!self.has_name(name)?, "it still has an owner");
            Ok(())
        })
    }
}
