#!/usr/bin/env python3
"""Signbell beside other programs: python3 bench.py PATH-OF-signbell FILE-FOR-THE-TABLE [ROW...]

All is on loopback, on free ports, and ends with this program. Without rows all of ROWS are measured, each
on a stage of its own. A new row is one more function there, which is given the stage and yields lines.

What one may set: BENCH_ROUNDS (5) and BENCH_SECONDS (3) of the rates, BENCH_CROWD (1000), BENCH_GIB (1) of a
large body, BENCH_ACCOUNTS (1000), BENCH_STARTS (10), BENCH_IDLE_SECONDS (30).
"""

import contextlib
import os
import pathlib
import platform
import resource
import signal
import sys
import tempfile
import time

import bodies
import crowds
import curves
import idle
import others
import rates
from stage import Stage

ROWS = {
    "rate": rates.rate,
    "rules": rates.rules,
    "expired": crowds.expired,
    "events": crowds.events,
    "bodies": bodies.bodies,
    "accounts": idle.accounts,
    "start": idle.start,
    "idle": idle.idle,
    "sizes": idle.sizes,
    "others": others.others,
}
# Only where it is named: it repeats what other rows measure, at several sizes.
MORE = {"curves": curves.curves}


def machine():
    model = "unknown processor"
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    busy = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, load before {busy:.1f}"


def measure(name, signbell, kept):
    """One row, on a stage of its own."""
    with tempfile.TemporaryDirectory(prefix="signbell-bench-") as folder, contextlib.ExitStack() as ends:
        yield from (ROWS | MORE)[name](Stage(folder, ends, signbell, kept))


def main(signbell, out, names):
    out.parent.mkdir(parents=True, exist_ok=True)
    # A crowd has more sockets than most shells allow.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lines = [f"{time.strftime('%Y-%m-%d')}, {machine()}; {rates.ROUNDS} rounds of {rates.SECONDS} s, medians"]
    print(lines[0])
    for name in names or ROWS:
        lines += ["", f"== {name}"]
        print(*lines[-2:], sep="\n")
        for line in measure(name, signbell, out.parent / "others"):
            print(line, flush=True)
            lines.append(line)
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3 or set(sys.argv[3:]) - set(ROWS | MORE):
        sys.exit(f"{__doc__}\nRows: {', '.join(ROWS | MORE)}")
    # So that what was started ends too when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:])
