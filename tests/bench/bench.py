#!/usr/bin/env python3
"""Signbell beside nginx and haproxy: python3 bench.py PATH-OF-signbell FILE-FOR-THE-TABLE

Each way to the same upstream is a row. The rows are measured in turn, round after round, so that
whatever else this machine does falls on all of them; a ratio compares two rows of one round. All
is on loopback, on free ports, and ends with this program. A new row is one more function in ROWS.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
CONNECTIONS = (1, 64)
TOKEN = "a-static-token-of-about-the-usual-length-0123456789"
# Longer than any run: a keep-alive connection is never closed under the load.
MANY = 1_000_000_000


@dataclasses.dataclass
class Row:
    """A way to the upstream, and the process that is on it (0: none)."""

    url: str
    pid: int = 0
    key: str = TOKEN


class Stage:
    """Where all of it runs: a folder, and processes that end with it."""

    def __init__(self, folder, ends, signbell):
        self.folder, self.ends, self.signbell = pathlib.Path(folder), ends, signbell

    def start(self, name, command, **how):
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen(command, stderr=log, **{"stdin": subprocess.DEVNULL, "stdout": log, **how})
        self.ends.callback(end, process)
        return process

    def listening(self, name, write_config, command):
        """Starts a server that can't choose a free port itself, and gives its port and process."""
        for _ in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            config = self.folder / f"{name}.conf"
            config.write_text(write_config(port))
            process = self.start(name, [*command, str(config)])
            for _ in range(100):
                time.sleep(0.05)
                if process.poll() is not None:
                    break
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    return port, process
        sys.exit(f"{name} does not start:\n{(self.folder / name).with_suffix('.log').read_text()}")


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---- the rows -------------------------------------------------------------------------------


def nginx(stage, name, servers):
    temporary = "\n".join(
        f"    {kind}_temp_path {stage.folder}/{name}-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = lambda port: f"""
daemon off;
worker_processes 2;
pid {stage.folder}/{name}.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
{temporary}
    access_log off;
    keepalive_requests {MANY};
    {servers.replace("PORT", str(port))}
}}
"""
    command = [program("nginx"), "-p", str(stage.folder), "-e", "stderr", "-c"]
    return stage.listening(name, config, command)


def upstream(stage):
    body = json.dumps({"id": 1, "text": "a note of a hundred bytes or so, as small answers of an API are"})
    port, _ = nginx(stage, "upstream", f"""server {{
        listen 127.0.0.1:PORT;
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}""")
    return f"http://127.0.0.1:{port}"


def direct(stage, upstream_url):
    return Row(upstream_url)


def through_nginx(stage, upstream_url):
    port, process = nginx(stage, "nginx", f"""upstream api {{
        server {upstream_url.removeprefix("http://")};
        keepalive 64;
        keepalive_requests {MANY};
    }}
    server {{
        listen 127.0.0.1:PORT;
        location / {{
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {TOKEN}";
        }}
    }}""")
    return Row(f"http://127.0.0.1:{port}", process.pid)


def through_haproxy(stage, upstream_url):
    config = lambda port: f"""
global
    nbthread 2
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    http-reuse always
listen api
    bind 127.0.0.1:{port}
    http-request set-header Authorization "Bearer {TOKEN}"
    server upstream {upstream_url.removeprefix("http://")}
"""
    port, process = stage.listening("haproxy", config, [program("haproxy"), "-db", "-f"])
    return Row(f"http://127.0.0.1:{port}", process.pid)


def through_signbell(stage, upstream_url):
    """`signbell serve`, signed in at the provider of the tests."""
    options = {"autoConsent": "bench", "accessTtl": 3600, "resources": [upstream_url, f"{upstream_url}/"]}
    node = os.environ.get("SIGNBELL_NODE", "node")
    provider = stage.start(
        "provider",
        [node, str(HERE.parent / "provider/server.mjs"), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    issuer = json.loads(provider.stdout.readline())["issuer"]
    home = pathlib.Path(tempfile.mkdtemp(dir=stage.folder))
    browser = home / "browser"
    browser.write_text('#!/bin/sh\nexec curl --silent --location --output /dev/null "$1"\n')
    browser.chmod(0o755)
    env = {
        **os.environ,
        "SIGNBELL_HOME": str(home),
        "SIGNBELL_VAULT": "memory",
        "SIGNBELL_PORT": "0",
        "BROWSER": str(browser),
    }
    serve = stage.start("signbell", [stage.signbell, "serve", "--json"], env=env, stdout=subprocess.PIPE)
    serve.stdout.readline()
    add = [stage.signbell, "add", upstream_url, "--name", "api", "--issuer", issuer, "--client-id", "signbell-test"]
    add += ["--account", "bench", "--tool", "bench", "--sign-in", "--json"]
    added = subprocess.run(add, env=env, capture_output=True, text=True, timeout=60)
    if added.returncode:
        sys.exit(added.stderr)
    facts = {}
    for line in added.stdout.splitlines():
        facts.update(json.loads(line))
    return Row(facts["url"], serve.pid, facts["key"])


ROWS = {
    "direct": direct,
    "nginx": through_nginx,
    "haproxy": through_haproxy,
    "Signbell": through_signbell,
}


# ---- measuring ------------------------------------------------------------------------------


def program(name):
    # Debian keeps servers where only root's PATH looks.
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return found or sys.exit(f"{name} is missing; make bench installs it")


def cpu_seconds(pid):
    """What the process and its workers used so far; nginx's workers are its children."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for one in [pid, *children(pid)] if pid else []:
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / tick


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def load(row, connections, seconds):
    """One round of one row."""
    before = cpu_seconds(row.pid)
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "report.lua")]
    command += ["-H", f"Authorization: Bearer {row.key}", f"{row.url.rstrip('/')}/note"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds + 30, check=True)
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["errors"] or not seen["requests"]:
        sys.exit(f"{row.url}: {done.stdout}")
    return {
        "rate": seen["requests"] / seen["us"] * 1e6,
        "p50": seen["p50"],
        "p99": seen["p99"],
        "cpu": (cpu_seconds(row.pid) - before) / seen["requests"] * 1e6,
    }


def measure(rows, connections):
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({name: load(row, connections, SECONDS) for name, row in rows.items()})
    return rounds


def table(rounds, connections):
    median = lambda name, what: statistics.median(one[name][what] for one in rounds)
    ratio = lambda name, what: statistics.median(one[name][what] / one["nginx"][what] for one in rounds)
    yield f"{connections} connection{'s' if connections > 1 else ''}"
    yield f"{'':10}{'requests/s':>12}{'p50 µs':>9}{'p99 µs':>9}{'CPU µs each':>13}   to nginx: rate, p99, CPU"
    for name in rounds[0]:
        line = f"{name:10}{median(name, 'rate'):>12,.0f}{median(name, 'p50'):>9,.0f}{median(name, 'p99'):>9,.0f}"
        if median(name, "cpu"):
            line += f"{median(name, 'cpu'):>13.1f}   {ratio(name, 'rate'):.2f}  {ratio(name, 'p99'):.2f}  {ratio(name, 'cpu'):.2f}"
        else:
            line += f"{'':>13}   {ratio(name, 'rate'):.2f}  {ratio(name, 'p99'):.2f}"
        yield line


def machine():
    model = "unknown processor"
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    busy = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, load before {busy:.1f}"


def main(signbell, out):
    with tempfile.TemporaryDirectory(prefix="signbell-bench-") as folder, contextlib.ExitStack() as ends:
        lines = [f"{time.strftime('%Y-%m-%d')}, {machine()}; {ROUNDS} rounds of {SECONDS} s, medians"]
        stage = Stage(folder, ends, signbell)
        upstream_url = upstream(stage)
        rows = {name: make(stage, upstream_url) for name, make in ROWS.items()}
        for row in rows.values():
            load(row, max(CONNECTIONS), 1)
        for connections in CONNECTIONS:
            lines += ["", *table(measure(rows, connections), connections)]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    # So that what was started ends too when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
