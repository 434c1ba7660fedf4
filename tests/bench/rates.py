"""Requests per second and the time that each takes, beside nginx and haproxy (rows 1, 2 and 3)."""

import json
import os
import statistics
import subprocess
import sys

import ways
from stage import HERE, cpu_seconds, program

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))


def rate(stage):
    """A GET of a hundred bytes, without rules on bodies."""
    upstream = ways.notes(stage)
    lines = {
        "direct": ways.direct(stage, upstream),
        "nginx": ways.through_nginx(stage, upstream),
        "haproxy": ways.through_haproxy(stage, upstream),
        "Signbell": ways.through_signbell(stage, upstream),
    }
    for way in lines.values():
        load(way, 64, 1)
    for connections in (1, 64):
        yield from table(measure(lines, connections), f"{connections} connection{'s' if connections > 1 else ''}")
        yield ""


def rules(stage):
    """A JSON-RPC POST to a service whose rules look into every body."""
    upstream = ways.notes(stage)
    lines = {
        "nginx": ways.through_nginx(stage, upstream),
        "Signbell": ways.through_signbell(stage, upstream, "--preset", "mcp"),
    }
    for way in lines.values():
        load(way, 64, 1, "rpc.lua")
    for connections in (1, 64):
        title = f"JSON-RPC, rules on bodies, {connections} connection{'s' if connections > 1 else ''}"
        yield from table(measure(lines, connections, "rpc.lua"), title)
        yield ""


def load(way, connections, seconds, script="report.lua"):
    """One round of one way."""
    before = cpu_seconds(way.pid)
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / script)]
    command += ["-H", f"Authorization: Bearer {way.key}", f"{way.url.rstrip('/')}/note"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds + 30, check=True, cwd=HERE)
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["errors"] or not seen["requests"]:
        sys.exit(f"{way.url}: {done.stdout}")
    return {
        "rate": seen["requests"] / seen["us"] * 1e6,
        "p50": seen["p50"],
        "p99": seen["p99"],
        "cpu": (cpu_seconds(way.pid) - before) / seen["requests"] * 1e6,
    }


def measure(lines, connections, script="report.lua"):
    """The ways in turn, round after round, so that whatever else this machine does falls on all of them."""
    return [{name: load(way, connections, SECONDS, script) for name, way in lines.items()} for _ in range(ROUNDS)]


def table(rounds, title):
    """Medians of the rounds; a ratio compares two ways of one round, before the median."""
    median = lambda name, what: statistics.median(one[name][what] for one in rounds)
    ratio = lambda name, what: statistics.median(one[name][what] / one["nginx"][what] for one in rounds)

    def added(name, what):
        """The time that a way adds to the direct one, as a ratio of what nginx adds."""
        return statistics.median(
            (one[name][what] - one["direct"][what]) / max(one["nginx"][what] - one["direct"][what], 1) for one in rounds
        )

    yield title
    yield f"{'':10}{'requests/s':>12}{'p50 µs':>9}{'p99 µs':>9}{'CPU µs each':>13}   to nginx: rate, p50, p99, CPU"
    for name in rounds[0]:
        line = f"{name:10}{median(name, 'rate'):>12,.0f}{median(name, 'p50'):>9,.0f}{median(name, 'p99'):>9,.0f}"
        ratios = f"{ratio(name, 'rate'):.2f}  {ratio(name, 'p50'):.2f}  {ratio(name, 'p99'):.2f}"
        if median(name, "cpu"):
            yield f"{line}{median(name, 'cpu'):>13.1f}   {ratios}  {ratio(name, 'cpu'):.2f}"
        else:
            yield f"{line}{'':>13}   {ratios}"
    if "direct" in rounds[0]:
        yield f"added to direct by Signbell, to what nginx adds: p50 {added('Signbell', 'p50'):.2f}, p99 {added('Signbell', 'p99'):.2f}"
