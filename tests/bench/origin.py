"""An upstream for crowds: python3 origin.py

Prints one JSON line with its port, and ends when its standard input closes.

    GET /note       a small answer; 401 to a token that has expired
    GET /events     an event a second (text/event-stream): the time in nanoseconds, by the clock that all
                    processes of a machine share (CLOCK_MONOTONIC, clock_gettime(2))
    POST /mcp       what an MCP client wants to hear when it begins
    POST /expire    every token seen so far has expired now
"""

import asyncio
import json
import sys
import time

NOTE = b'{"id": 1, "text": "a note of a hundred bytes or so, as small answers of an API are"}'
PERIOD = 1.0


def answer(status, body, more=b""):
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" % (
        status, more, len(body), body,
    )


GOOD = answer(b"200 OK", NOTE)
EXPIRED = answer(b"401 Unauthorized", b"{}", b'WWW-Authenticate: Bearer error="invalid_token"\r\n')
HELLO = answer(
    b"200 OK",
    b'{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},'
    b'"serverInfo":{"name":"origin","version":"1"}}}',
)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"


class Origin(asyncio.Protocol):
    seen, expired, listening = set(), set(), set()

    def connection_made(self, transport):
        self.transport, self.held = transport, b""

    def connection_lost(self, _):
        self.listening.discard(self.transport)

    def data_received(self, data):
        self.held += data
        while b"\r\n\r\n" in self.held:
            head, _, rest = self.held.partition(b"\r\n\r\n")
            length = int((head.lower().partition(b"\r\ncontent-length:")[2].split() or [0])[0])
            if len(rest) < length:
                return
            self.held = rest[length:]
            self.request(head)

    def request(self, head):
        line, *fields = head.split(b"\r\n")
        path = line.split(b" ")[1]
        token = next((f.partition(b":")[2].strip() for f in fields if f.lower().startswith(b"authorization:")), b"")
        if path == b"/mcp":
            self.transport.write(HELLO if line.startswith(b"POST") else answer(b"405 Method Not Allowed", b""))
        elif path == b"/expire":
            self.expired |= self.seen
            self.transport.write(answer(b"200 OK", b"{}"))
        elif path == b"/events":
            self.transport.write(STREAM)
            self.listening.add(self.transport)
        else:
            self.seen.add(token)
            self.transport.write(EXPIRED if token in self.expired else GOOD)


async def events():
    while True:
        await asyncio.sleep(PERIOD)
        for transport in list(Origin.listening):
            event = b"data: %d\n\n" % time.monotonic_ns()
            transport.write(b"%x\r\n%s\r\n" % (len(event), event))


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Origin, "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    ticking = asyncio.create_task(events())
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    ticking.cancel()


asyncio.run(main())
