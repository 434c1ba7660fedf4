"""The ways to an upstream: straight, through nginx, through haproxy, through Signbell."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import urllib.request

from stage import HERE, end, program

TOKEN = "a-static-token-of-about-the-usual-length-0123456789"
# Longer than any run: a keep-alive connection is never closed under the load.
MANY = 1_000_000_000


@dataclasses.dataclass
class Way:
    """A way to the upstream, and the process that is on it (0: none)."""

    url: str
    pid: int = 0
    key: str = TOKEN

    @property
    def port(self):
        return int(self.url.split("/")[2].rpartition(":")[2])

    @property
    def path(self):
        return "/" + self.url.partition("//")[2].partition("/")[2].strip("/")


def nginx(stage, name, servers):
    """An nginx with two workers; PORT in `servers` is the one that it gets."""
    temporary = "\n".join(
        f"    {kind}_temp_path {stage.folder}/{name}-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = lambda port: f"""
daemon off;
worker_processes 2;
worker_rlimit_nofile 16384;
pid {stage.folder}/{name}.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
{temporary}
    access_log off;
    keepalive_requests {MANY};
    client_max_body_size 0;
    {servers.replace("PORT", str(port))}
}}
"""
    command = [program("nginx"), "-p", str(stage.folder), "-e", "stderr", "-c"]
    return stage.listening(name, config, command)


def notes(stage):
    """An upstream that answers a hundred bytes at once, whatever it is asked."""
    body = json.dumps({"id": 1, "text": "a note of a hundred bytes or so, as small answers of an API are"})
    port, _ = nginx(stage, "notes", f"""server {{
        listen 127.0.0.1:PORT;
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}""")
    return f"http://127.0.0.1:{port}"


def direct(stage, upstream):
    return Way(upstream)


def through_nginx(stage, upstream, more=""):
    port, process = nginx(stage, "nginx", f"""upstream api {{
        server {upstream.removeprefix("http://")};
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
            {more}
        }}
    }}""")
    return Way(f"http://127.0.0.1:{port}", process.pid)


def through_haproxy(stage, upstream):
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
    server upstream {upstream.removeprefix("http://")}
"""
    port, process = stage.listening("haproxy", config, [program("haproxy"), "-db", "-f"])
    return Way(f"http://127.0.0.1:{port}", process.pid)


def through_signbell(stage, upstream, *more):
    """`signbell serve`, signed in at the provider of the tests; `more` goes to `signbell add`."""
    provider = Provider(stage, resources=[upstream, f"{upstream}/"])
    return Signbell(stage).start().add(upstream, provider, *more)


class Provider:
    """The authorization server of the tests, which signs `bench` in without a page."""

    def __init__(self, stage, **options):
        options = {"autoConsent": "bench", "accessTtl": 24 * 3600, **options}
        node = os.environ.get("SIGNBELL_NODE", "node")
        process = stage.start(
            "provider",
            [node, str(HERE.parent / "provider/server.mjs"), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        told = json.loads(process.stdout.readline())
        self.issuer, self.control = told["issuer"], told["control"]

    def counts(self):
        with urllib.request.urlopen(f"{self.control}/counts") as answer:
            return json.load(answer)

    @staticmethod
    def consent(url):
        """What a person's browser does with the page that a sign-in opens."""
        subprocess.run(["curl", "--silent", "--fail", "--location", "--output", "/dev/null", url], check=True)


class Signbell:
    """A `signbell serve` with a folder of its own."""

    def __init__(self, stage, **environment):
        self.stage, self.home = stage, stage.new_folder()
        browser = self.home / "browser"
        browser.write_text('#!/bin/sh\nexec curl --silent --location --output /dev/null "$1"\n')
        browser.chmod(0o755)
        self.environment = {
            **os.environ,
            "SIGNBELL_HOME": str(self.home),
            "SIGNBELL_VAULT": "memory",
            "SIGNBELL_PORT": "0",
            "BROWSER": str(browser),
            **environment,
        }

    def launch(self):
        """Starts it, and does not wait for it."""
        command = [self.stage.signbell, "serve", "--json"]
        self.process = self.stage.start("signbell", command, env=self.environment, stdout=subprocess.PIPE)

    def stop(self):
        end(self.process)

    def start(self):
        """Starts it, and waits until it listens."""
        self.launch()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"signbell does not start:\n{(self.stage.folder / 'signbell.log').read_text()}")
        self.port = int(json.loads(line)["address"].rpartition(":")[2].strip("/"))
        return self

    def run(self, *command):
        """A command of `signbell`, and the facts that it tells."""
        done = subprocess.run(
            [self.stage.signbell, *command, "--json"], env=self.environment, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            sys.exit(f"signbell {' '.join(command)}: {done.stderr}")
        facts = {}
        for line in done.stdout.splitlines():
            facts.update(json.loads(line))
        return facts

    def add(self, upstream, provider, *more):
        """Adds the upstream as a service, signs in, and gives the way of a tool there."""
        given = ["--name", "api", "--issuer", provider.issuer, "--client-id", "signbell-test"]
        given += ["--account", "bench", "--tool", "bench", "--sign-in"]
        facts = self.run("add", upstream, *given, *more)
        return Way(facts["url"], self.process.pid, facts["key"])

    def ask(self, request):
        """Says one thing at the control socket, and yields what comes back."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.home / "control.sock"))
            connection.sendall(json.dumps(request).encode() + b"\n")
            for line in connection.makefile():
                reply = json.loads(line)
                if reply["reply"] == "failed":
                    sys.exit(f"{request['do']}: {reply}")
                yield reply
                if reply["reply"] not in ("authorize-url", "device-code", "notice"):
                    return
