"""Where a measurement runs: a folder of its own, processes on free ports, and their end."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


class Stage:
    """A folder, and processes that end with it; in the folder `kept` things stay for the next run."""

    def __init__(self, folder, ends, signbell, kept):
        self.folder, self.ends, self.signbell, self.kept = pathlib.Path(folder), ends, signbell, pathlib.Path(kept)

    def start(self, name, command, **how):
        """Starts a program; what it says goes to a log that `listening` shows where it fails."""
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen(command, stderr=log, **{"stdin": subprocess.DEVNULL, "stdout": log, **how})
        self.ends.callback(end, process)
        return process

    def listening(self, name, write_config, command):
        """Starts a server that can't choose a free port itself, and gives its port and process."""
        for _ in range(5):
            port = free_port()
            config = self.folder / f"{name}.conf"
            config.write_text(write_config(port))
            process = self.start(name, [*command, str(config)])
            if wait_for_port(process, port, 5):
                return port, process
        sys.exit(f"{name} does not start:\n{(self.folder / name).with_suffix('.log').read_text()}")

    def script(self, name, *arguments):
        """Starts a script of this folder that says on its first line, as JSON, where it listens."""
        command = [sys.executable, str(HERE / name), *arguments]
        process = self.start(pathlib.Path(name).stem, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return process, json.loads(process.stdout.readline())

    def new_folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.folder))


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process, port, seconds):
    """Whether the process listens there before it ends, and before so many seconds are over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.005)
    return False


def program(name):
    """Where a program is. Debian keeps servers where only root's PATH looks."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return found or sys.exit(f"{name} is missing; make bench installs it")


# ---- what a process uses, by proc(5) ---------------------------------------------------------


def family(pid):
    """The process and all below it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_seconds(pid):
    """What the process and its workers used so far; nginx's workers are its children."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for one in family(pid) if pid else []:
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / tick


def pss_mib(pid):
    """Proportional set size of the process and all below it: what it costs the machine."""
    return sum(field(f"/proc/{one}/smaps_rollup", "Pss:") for one in family(pid)) / 1024


def rss_mib(pid):
    """Resident set size of the process and all below it."""
    return sum(field(f"/proc/{one}/status", "VmRSS:") for one in family(pid)) / 1024


def forget_peak(pid):
    """From here on `peak_mib` counts."""
    for one in family(pid):
        pathlib.Path(f"/proc/{one}/clear_refs").write_text("5")


def peak_mib(pid):
    """The largest resident set size since `forget_peak`."""
    return sum(field(f"/proc/{one}/status", "VmHWM:") for one in family(pid)) / 1024


def threads(pid):
    """Of each thread: how often it went to sleep and woke, and its nanoseconds on a processor."""
    seen = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            nanoseconds = int((task / "schedstat").read_text().split()[0])
            seen[task.name] = field(task / "status", "voluntary_ctxt_switches:"), nanoseconds
    return seen


def field(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
