"""Many at once: a thousand requests that meet an expired token, and streams of events (rows 4 and 5)."""

import asyncio
import os
import statistics
import time
import urllib.request

import ways
from stage import cpu_seconds, rss_mib

CROWD = int(os.environ.get("BENCH_CROWD", "1000"))
LISTEN_SECONDS = int(os.environ.get("BENCH_SECONDS", "3")) * 3


def expired(stage):
    """Requests on open connections, all at once: with a good token, then with one that has just expired."""
    _, told = stage.script("origin.py")
    upstream = f"http://127.0.0.1:{told['port']}"
    provider = ways.Provider(stage, resources=[upstream, f"{upstream}/"])
    signbell = ways.Signbell(stage).start()
    way = signbell.add(upstream, provider)
    expire = urllib.request.Request(f"{upstream}/expire", method="POST")
    good, late = asyncio.run(ask_together(way, lambda: urllib.request.urlopen(expire).close()))
    refreshes = provider.counts()["refresh_token"]
    yield f"{CROWD} requests at once, each on a connection of its own"
    yield f"{'':22}{'answered 200':>13}{'p50 ms':>9}{'last ms':>9}"
    for name, answers in (("good token", good), ("token just expired", late)):
        times = sorted(took for _, took in answers)
        well = sum(status == b"200" for status, _ in answers)
        yield f"{name:22}{well:>13}{statistics.median(times) * 1e3:>9.0f}{times[-1] * 1e3:>9.0f}"
    yield f"refreshes at the provider: {refreshes['ok']}, failed: {refreshes['failed']}"


async def ask_together(way, expire):
    """The crowd asks twice: as it is, and after `expire`."""
    connections = [await asyncio.open_connection("127.0.0.1", way.port) for _ in range(CROWD)]
    head = f"GET {way.path}/note HTTP/1.1\r\nHost: 127.0.0.1:{way.port}\r\nAuthorization: Bearer {way.key}\r\n\r\n"

    async def ask(reader, writer):
        began = time.monotonic()
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length:")[2].split()[0])
        await reader.readexactly(length)
        return answer.split(b" ", 2)[1], time.monotonic() - began

    # The first round also makes the connections to the upstream.
    await asyncio.gather(*(ask(*one) for one in connections))
    good = await asyncio.gather(*(ask(*one) for one in connections))
    expire()
    late = await asyncio.gather(*(ask(*one) for one in connections))
    for _, writer in connections:
        writer.close()
    return good, late


def events(stage):
    """Streams of events, one event a second on each: what a stream costs, and how late an event is."""
    _, told = stage.script("origin.py")
    upstream = f"http://127.0.0.1:{told['port']}"
    lines = {
        "direct": ways.direct(stage, upstream),
        "nginx": ways.through_nginx(stage, upstream, "proxy_buffering off;"),
        "Signbell": ways.through_signbell(stage, upstream),
    }
    yield f"{CROWD} streams of events, an event a second on each, {LISTEN_SECONDS} s"
    yield f"{'':10}{'events':>9}{'lost':>6}{'late by p50 ms':>16}{'p99 ms':>9}{'KiB a stream':>14}{'CPU µs an event':>17}"
    for name, way in lines.items():
        seen = asyncio.run(listen(way))
        line = f"{name:10}{len(seen.late):>9}{seen.lost:>6}"
        line += f"{statistics.median(seen.late) / 1e6:>16.1f}{statistics.quantiles(seen.late, n=100)[98] / 1e6:>9.1f}"
        yield line + (f"{seen.kib:>14.1f}{seen.cpu:>17.1f}" if way.pid else "")


class Listened:
    """What a crowd of listeners saw: how late each event was in nanoseconds, and how many streams were silent."""

    def __init__(self):
        self.late, self.lost, self.kib, self.cpu = [], 0, 0.0, 0.0


async def listen(way):
    seen = Listened()
    before = rss_mib(way.pid) if way.pid else 0
    head = f"GET {way.path.rstrip('/')}/events HTTP/1.1\r\nHost: 127.0.0.1:{way.port}\r\nAuthorization: Bearer {way.key}\r\n\r\n"
    counting = False

    async def stream(opened):
        nonlocal counting
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\n")
        opened.set_result(None)
        heard = 0
        try:
            while line := await reader.readline():
                if line.startswith(b"data: ") and counting:
                    seen.late.append(time.monotonic_ns() - int(line[6:]))
                    heard += 1
        finally:
            seen.lost += heard == 0
            writer.close()

    streams = []
    for _ in range(CROWD):
        opened = asyncio.get_running_loop().create_future()
        streams.append(asyncio.create_task(stream(opened)))
        await opened
    await asyncio.sleep(1.5)
    cpu, counting = cpu_seconds(way.pid), True
    await asyncio.sleep(LISTEN_SECONDS)
    counting = False
    if way.pid:
        seen.kib = (rss_mib(way.pid) - before) * 1024 / CROWD
        seen.cpu = (cpu_seconds(way.pid) - cpu) / max(len(seen.late), 1) * 1e6
    for one in streams:
        one.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return seen
