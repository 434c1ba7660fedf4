"""Programs that do a part of the same, as their own package managers install them (row 12)."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import ways
from idle import answered
from stage import free_port, pss_mib, wait_for_port

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":'
    b'{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}\n'
)
REQUESTS = 100
CALM_SECONDS = 3


def others(stage):
    """Memory and start of each, at the work that it shares with Signbell."""
    yield f"{'':28}{'start ms':>10}{'Pss MiB':>9}   started until, then calm"
    for measured in (signbell, signbell_bridge, mcp_remote, mitmproxy, emailproxy, oidc_agent):
        name, start, memory, until = measured(stage)
        yield f"{name:28}" + (f"{'':19}   {until}" if start is None else f"{start * 1e3:>10.0f}{memory:>9.1f}   {until}")


def signbell(stage):
    began = time.monotonic()
    running = ways.Signbell(stage).start()
    took = time.monotonic() - began
    upstream = ways.notes(stage)
    provider = ways.Provider(stage, resources=[upstream, f"{upstream}/"])
    way = running.add(upstream, provider)
    return "signbell serve", took, after_requests(way), f"it listens; {REQUESTS} requests"


def signbell_bridge(stage):
    _, told = stage.script("origin.py")
    upstream = f"http://127.0.0.1:{told['port']}"
    provider = ways.Provider(stage, resources=[upstream, f"{upstream}/"])
    running = ways.Signbell(stage).start()
    running.add(f"{upstream}/mcp", provider, "--preset", "")
    command = [stage.signbell, "mcp", "api"]
    return "signbell mcp", *over_stdio(stage, "bridge", command, running.environment), "initialize is answered; each client has one"


def mcp_remote(stage):
    folder = npm(stage, "mcp-remote")
    if not folder:
        return missing("npx mcp-remote", "npm can't install it here")
    _, told = stage.script("origin.py")
    command = [os.environ.get("SIGNBELL_NODE", "node"), str(folder / "node_modules/mcp-remote/dist/proxy.js")]
    command += [f"http://127.0.0.1:{told['port']}/mcp", "--allow-http"]
    environment = {**os.environ, "MCP_REMOTE_CONFIG_DIR": str(stage.new_folder())}
    return "mcp-remote (npm)", *over_stdio(stage, "mcp-remote", command, environment), "initialize is answered; each client has one"


def over_stdio(stage, name, command, environment):
    """Starts an MCP server on stdio, and waits for its first answer."""
    began = time.monotonic()
    process = stage.start(name, command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(INITIALIZE)
    process.stdin.flush()
    if not process.stdout.readline():
        sys.exit(f"{name} gives no answer:\n{(stage.folder / name).with_suffix('.log').read_text()}")
    took = time.monotonic() - began
    time.sleep(CALM_SECONDS)
    return took, pss_mib(process.pid)


def mitmproxy(stage):
    folder = pip(stage, "mitmproxy")
    if not folder:
        return missing("mitmproxy", "pip can't install it here")
    upstream, port = ways.notes(stage), free_port()
    command = [str(folder / "bin/mitmdump"), "--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    command += ["--mode", f"reverse:{upstream}", "--set", f"confdir={stage.new_folder()}"]
    command += ["--set", f"modify_headers=/~q/Authorization/Bearer {ways.TOKEN}"]
    began = time.monotonic()
    process = stage.start("mitmproxy", command)
    wait_for_port(process, port, 60)
    took = time.monotonic() - began
    way = ways.Way(f"http://127.0.0.1:{port}", process.pid)
    return "mitmproxy (PyPI)", took, after_requests(way), f"it listens; {REQUESTS} requests"


def emailproxy(stage):
    folder = pip(stage, "emailproxy")
    if not folder:
        return missing("emailproxy", "pip can't install it here")
    port, home = free_port(), stage.new_folder()
    config = home / "emailproxy.config"
    config.write_text(
        f"[IMAP-{port}]\nserver_address = localhost\nserver_port = 993\nlocal_address = 127.0.0.1\n"
        "[bench@example.test]\npermission_url = http://localhost/\ntoken_url = http://localhost/\n"
        "oauth2_scope = mail\nredirect_uri = http://localhost\nclient_id = bench\nclient_secret = bench\n"
    )
    command = [str(folder / "bin/emailproxy"), "--no-gui", "--config-file", str(config)]
    began = time.monotonic()
    process = stage.start("emailproxy", command)
    if not wait_for_port(process, port, 60):
        return missing("emailproxy", "it does not start here")
    took = time.monotonic() - began
    time.sleep(CALM_SECONDS)
    return "emailproxy (PyPI)", took, pss_mib(process.pid), "it listens (IMAP, not HTTP)"


def oidc_agent(stage):
    if not shutil.which("oidc-agent"):
        return missing("oidc-agent", "apt install oidc-agent-cli")
    began = time.monotonic()
    process = stage.start("oidc-agent", ["oidc-agent", "--console"], stdout=subprocess.PIPE)
    process.stdout.readline()
    took = time.monotonic() - began
    time.sleep(CALM_SECONDS)
    return "oidc-agent (apt)", took, pss_mib(process.pid), "it says its socket (hands tokens out, no proxy)"


def missing(name, why):
    return name, None, None, f"left out: {why}"


def after_requests(way):
    for _ in range(REQUESTS):
        answered(way.port, f"{way.path.rstrip('/')}/note", way.key)
    time.sleep(CALM_SECONDS)
    return pss_mib(way.pid)


def npm(stage, package):
    """The folder that npm installed the package in, kept for the next run."""
    return installed(stage, package, lambda folder: [["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, package]])


def pip(stage, package):
    return installed(
        stage, package, lambda folder: [[sys.executable, "-m", "venv", folder], [f"{folder}/bin/pip", "install", "--quiet", package]]
    )


def installed(stage, package, commands):
    folder = pathlib.Path(stage.kept) / package
    done = folder / "installed"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for command in commands(str(folder)):
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            return None
    done.touch()
    return folder
