"""What Signbell costs a machine on which nobody asks it anything (rows 7, 9, 10 and 13)."""

import hashlib
import http.client
import os
import pathlib
import statistics
import subprocess
import time
import urllib.parse
import urllib.request

import ways
from stage import free_port, pss_mib, threads

ACCOUNTS = int(os.environ.get("BENCH_ACCOUNTS", "1000"))
STARTS = int(os.environ.get("BENCH_STARTS", "10"))
IDLE_SECONDS = int(os.environ.get("BENCH_IDLE_SECONDS", "30"))
CALM_SECONDS = 5
# By then the threads for files have ended, and what a request left to do is done.
ALL_CALM_SECONDS = 15


def accounts(stage):
    """Memory with one account and one tool, and with a thousand of each; every one is signed in."""
    yield f"{'accounts, tools':>16}{'idle Pss MiB':>14}{'ready after s':>15}{'signed in, each ms':>20}"
    for count in (1, ACCOUNTS):
        memory, ready, each = with_accounts(stage, count)
        yield f"{count:>16}{memory:>14.1f}{ready:>15.2f}{each * 1e3:>20.0f}"


def with_accounts(stage, count):
    upstream = ways.notes(stage)
    provider = ways.Provider(stage, resources=[upstream, f"{upstream}/"])
    signbell = ways.Signbell(stage)
    (signbell.home / "config.toml").write_text(config(provider.issuer, upstream, count))
    began = time.monotonic()
    signbell.start()
    ready, began = time.monotonic() - began, time.monotonic()
    for number in range(count):
        login = urllib.parse.quote(f"person-{number}@example.test")
        ask = urllib.request.Request(f"{provider.control}/auto-consent?login={login}", method="POST")
        urllib.request.urlopen(ask).close()
        for reply in signbell.ask({"do": "sign-in", "account": f"account-{number}"}):
            if reply["reply"] == "authorize-url":
                provider.consent(reply["url"])
    each = (time.monotonic() - began) / count
    for number in range(count):
        answered(signbell.port, f"/service-{number}/note", key(number))
    time.sleep(CALM_SECONDS)
    return pss_mib(signbell.process.pid), ready, each


def config(issuer, upstream, count):
    """What `signbell add` would have written, so many times."""
    parts = [f'[providers.bench]\nissuer = "{issuer}"\nclient_id = "signbell-test"\n']
    for number in range(count):
        digest = hashlib.sha256(key(number).encode()).hexdigest()
        parts.append(f'[accounts.account-{number}]\nprovider = "bench"\nscopes = ["openid", "profile", "email", "offline_access"]\n')
        parts.append(f'[services.service-{number}]\nurl = "{upstream}"\naccount = "account-{number}"\n')
        parts.append(f'[tools.tool-{number}]\nkey_sha256 = "{digest}"\nservices = ["service-{number}"]\n')
    return "\n".join(parts)


def key(number):
    return f"sbk_{hashlib.sha256(str(number).encode()).hexdigest()[:43]}"


def answered(port, path, tool_key):
    """Whether a GET is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {tool_key}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def start(stage):
    """From the start of the program to the first answer of an upstream, the token coming from the keyring."""
    upstream = ways.notes(stage)
    provider = ways.Provider(stage, resources=[upstream, f"{upstream}/"])
    signbell = ways.Signbell(stage, SIGNBELL_PORT=str(free_port()), **keyring(stage))
    way = signbell.start().add(upstream, provider)
    times = []
    for _ in range(STARTS):
        signbell.stop()
        began = time.monotonic()
        signbell.launch()
        while not answered(way.port, f"{way.path}/note", way.key):
            time.sleep(0.002)
        times.append((time.monotonic() - began) * 1e3)
    yield f"start to first proxied answer, {STARTS} times: median {statistics.median(times):.0f} ms, "
    yield f"fastest {min(times):.0f} ms, slowest {max(times):.0f} ms"


def keyring(stage):
    """A session bus with a keyring of its own that is open, as a desktop has it."""
    folder = stage.new_folder()
    (folder / "run").mkdir(mode=0o700)
    surroundings = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")}
    surroundings["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={folder}/bus"
    environment = {**os.environ, **surroundings, "XDG_DATA_HOME": str(folder / "data")}
    bus = ["dbus-daemon", "--session", "--nofork", f"--address=unix:path={folder}/bus"]
    stage.start("bus", bus, env=environment)
    while not (folder / "bus").exists():
        time.sleep(0.01)
    daemon = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    process = stage.start("keyring", daemon, env=environment, stdin=subprocess.PIPE)
    process.stdin.write(b"pw")
    process.stdin.close()
    time.sleep(2)
    return {**surroundings, "SIGNBELL_VAULT": "keyring"}


def idle(stage):
    """A signed-in Signbell that nobody asks anything."""
    upstream = ways.notes(stage)
    way = ways.through_signbell(stage, upstream)
    answered(way.port, f"{way.path}/note", way.key)
    time.sleep(ALL_CALM_SECONDS)
    before = threads(way.pid)
    time.sleep(IDLE_SECONDS)
    after = threads(way.pid)
    # A thread that ended meanwhile is left out; one that began counts whole.
    spent = [(now[0] - then[0], now[1] - then[1]) for name, now in after.items() for then in [before.get(name, (0, 0))]]
    woke, worked = (sum(column) * 60 / IDLE_SECONDS for column in zip(*spent))
    yield f"idle, signed in, {IDLE_SECONDS} s: {woke:.1f} wake-ups a minute, {worked / 1e6:.2f} ms of a processor a minute, "
    yield f"{len(after)} threads, {pss_mib(way.pid):.1f} MiB Pss"


def sizes(stage):
    """What is installed, and what is downloaded."""
    signbell = pathlib.Path(stage.signbell).resolve()
    package = signbell.parent.parent / "package"
    found = [signbell, signbell.parent / "signbell-desktop", *sorted(package.glob("*.deb")), *sorted(package.glob("*.rpm"))]
    for path in found:
        if path.is_file():
            yield f"{path.name:40}{path.stat().st_size / (1 << 20):>8.1f} MiB"
