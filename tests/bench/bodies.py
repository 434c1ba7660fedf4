"""Large bodies, down and up: throughput beside nginx, and the memory that they take (row 6)."""

import os
import socket
import statistics
import sys
import time

import ways
from stage import forget_peak, peak_mib, rss_mib

GIB = float(os.environ.get("BENCH_GIB", "1"))
ROUNDS = 3
BLOCK = bytes(1 << 20)


def bodies(stage):
    """One body at a time, streamed; nginx keeps none in files here."""
    _, told = stage.script("sink.py")
    upstream = f"http://127.0.0.1:{told['port']}"
    lines = {
        "direct": ways.direct(stage, upstream),
        "nginx": ways.through_nginx(stage, upstream, "proxy_buffering off; proxy_request_buffering off;"),
        "Signbell": ways.through_signbell(stage, upstream),
    }
    size = int(GIB * (1 << 30))
    for name, carry in (("down", down), ("up", up)):
        rounds = [{way: measured(lines[way], carry, size) for way in lines} for _ in range(ROUNDS)]
        yield f"{GIB:g} GiB {name}"
        yield f"{'':10}{'MiB/s':>9}{'to nginx':>10}{'peak RSS MiB':>14}{'grown by':>10}"
        for way in lines:
            rate = statistics.median(one[way][0] for one in rounds)
            ratio = statistics.median(one[way][0] / one["nginx"][0] for one in rounds)
            line = f"{way:10}{rate:>9,.0f}{ratio:>10.2f}"
            peak, grown = (max(one[way][at] for one in rounds) for at in (1, 2))
            yield line + (f"{peak:>14.1f}{grown:>10.1f}" if lines[way].pid else "")
        yield ""


def measured(way, carry, size):
    """MiB a second, the peak of the process on the way, and by how much that is over what it was."""
    before = rss_mib(way.pid) if way.pid else 0
    if way.pid:
        forget_peak(way.pid)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", way.port)) as connection:
        carry(connection, way, size)
    took = time.monotonic() - began
    peak = peak_mib(way.pid) if way.pid else 0
    return size / (1 << 20) / took, peak, peak - before


def head(method, way, path, more=""):
    own = f"{method} {way.path.rstrip('/')}/{path} HTTP/1.1\r\nHost: 127.0.0.1:{way.port}\r\n"
    return f"{own}Authorization: Bearer {way.key}\r\n{more}\r\n".encode()


def down(connection, way, size):
    connection.sendall(head("GET", way, size))
    buffer = bytearray(1 << 20)
    first = connection.recv(1 << 16)
    while b"\r\n\r\n" not in first:
        first += connection.recv(1 << 16)
    got = len(first.partition(b"\r\n\r\n")[2])
    while got < size:
        read = connection.recv_into(buffer)
        if not read:
            sys.exit(f"{way.url}: the body ends after {got} bytes: {first[:200]}")
        got += read


def up(connection, way, size):
    connection.sendall(head("PUT", way, "body", f"Content-Length: {size}\r\n"))
    left = size
    while left:
        left -= connection.send(memoryview(BLOCK)[: min(left, len(BLOCK))])
    answer = b""
    while not answer.endswith(b"\r\n\r\n%d" % size):
        more = connection.recv(1 << 16)
        if not more:
            sys.exit(f"{way.url}: {answer}")
        answer += more
