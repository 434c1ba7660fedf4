//! Starting the programs a desktop consists of.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use zbus::blocking::connection::{Builder, Connection};

use super::START;
use crate::process::Process;
use crate::sandbox::Sandbox;
use crate::wait::wait_ok;

/// Only one service is started on demand: the settings store of the panel. In particular no second
/// keyring, no prompter and no notification daemon can slip in when a test leaves those parts out.
const BUS_CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=@ROOT@/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>@ROOT@/dbus/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

const PANEL_CONFIG: &str = include_str!("xfce4-panel.xml");
pub(super) const GTK_CONFIG: &str =
    "[Settings]\ngtk-font-name=DejaVu Sans 10\ngtk-icon-theme-name=Adwaita\ngtk-enable-animations=0\n";

/// Xvfb chooses a free display by itself and writes its number when it is ready.
pub(super) fn start_display(sandbox: &Sandbox) -> Result<Process> {
    let log = sandbox.log_path("xvfb", "log");
    let mut command = sandbox.command("Xvfb");
    command
        .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).context("creating Xvfb's log")?);
    let mut process = Process::spawn_dying(command, "Xvfb", Signal::TERM)?;
    let mut stdout = process.take_stdout().context("Xvfb has no stdout")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut number, mut byte) = (String::new(), [0]);
        while stdout.read_exact(&mut byte).is_ok() && byte != *b"\n" {
            number.push(char::from(byte[0]));
        }
        sender.send(number)
    });
    match receiver.recv_timeout(START) {
        Ok(number) if !number.is_empty() => sandbox.set_env("DISPLAY", format!(":{number}")),
        _ => return Err(process.failure(&log).context("waiting for Xvfb's display")),
    }
    Ok(process)
}

pub(super) fn start_bus(sandbox: &Sandbox) -> Result<Process> {
    let root = sandbox.root().to_string_lossy();
    let config = sandbox.path("dbus/session.conf");
    write(&config, &BUS_CONFIG.replace("@ROOT@", &root))?;
    let services = sandbox.path("dbus/services");
    fs::create_dir_all(&services).context("creating the bus's folder of services")?;
    if let Some(xfconf) = find_data("dbus-1/services/org.xfce.Xfconf.service") {
        let to = services.join("org.xfce.Xfconf.service");
        fs::copy(&xfconf, to).context("copying the service file of xfconf")?;
    }
    let mut command = sandbox.command("dbus-daemon");
    command.args(["--nofork", "--nopidfile", "--nosyslog", "--config-file"]).arg(&config);
    let (mut process, log) = sandbox.spawn(command, "dbus-daemon")?;
    let socket = sandbox.path("bus");
    wait_ok("the session bus", START, || {
        if !process.is_running() {
            return Ok(Err(process.failure(&log)));
        }
        std::os::unix::net::UnixStream::connect(&socket)?;
        Ok(Ok(()))
    })??;
    let address = format!("unix:path={}", socket.display());
    sandbox.set_env("DBUS_SESSION_BUS_ADDRESS", address);
    Ok(process)
}

/// A new connection to the sandbox's session bus, on which no call takes for ever.
pub(crate) fn connect(sandbox: &Sandbox) -> Result<Connection> {
    let envs = sandbox.envs();
    let address = envs.get("DBUS_SESSION_BUS_ADDRESS").context("no session bus runs in this sandbox")?;
    Builder::address(address.as_str())?
        .method_timeout(Duration::from_secs(45))
        .build()
        .context("connecting to the session bus")
}

pub(super) fn spawn_dunst(sandbox: &Sandbox) -> Result<(Process, PathBuf)> {
    let root = sandbox.root().to_string_lossy();
    let config = sandbox.path("dunst/dunstrc");
    let script = sandbox.path("dunst/menu.sh");
    write(&config, &include_str!("dunstrc").replace("@ROOT@", &root))?;
    write(&script, &include_str!("dunst-menu.sh").replace("@ROOT@", &root))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).context("making dunst's menu script executable")?;
    let mut command = sandbox.command("dunst");
    command.arg("-conf").arg(&config);
    sandbox.spawn(command, "dunst")
}

pub(super) fn spawn_panel(sandbox: &Sandbox) -> Result<(Process, PathBuf)> {
    let config = "xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml";
    write(&sandbox.home().join(".config").join(config), PANEL_CONFIG)?;
    let mut command = sandbox.command("xfce4-panel");
    command.args(["--disable-wm-check", "--sm-client-disable"]);
    sandbox.spawn(command, "xfce4-panel")
}

/// A file in the system's data folders, of which XDG_DATA_DIRS gives the list.
fn find_data(relative: &str) -> Option<PathBuf> {
    let folders = std::env::var("XDG_DATA_DIRS").ok();
    let folders = folders.filter(|list| !list.is_empty());
    let folders = folders.unwrap_or_else(|| "/usr/local/share:/usr/share".to_owned());
    std::env::split_paths(&folders).map(|folder| folder.join(relative)).find(|file| file.is_file())
}

pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    let context = || format!("writing {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    fs::write(file, text).with_context(context)
}
