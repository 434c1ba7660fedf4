"""An upstream for large bodies: python3 sink.py

Prints one JSON line with its port, and ends when its standard input closes. GET /<bytes> is answered with
so many; of PUT the body is read, and told how long it was.
"""

import json
import socket
import sys
import threading

BLOCK = bytes(1 << 20)


def serve(connection):
    held = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in held:
                more = connection.recv(1 << 16)
                if not more:
                    return
                held += more
            head, _, held = held.partition(b"\r\n\r\n")
            held = answer(connection, head.lower(), held)


def answer(connection, head, held):
    method, path = head.split(b" ")[:2]
    if method == b"get":
        left = int(path.rpartition(b"/")[2])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
        while left:
            left -= connection.send(memoryview(BLOCK)[: min(left, len(BLOCK))])
        return held
    length = int(head.partition(b"content-length:")[2].split()[0])
    left, buffer = length - len(held), bytearray(1 << 20)
    while left:
        read = connection.recv_into(buffer, min(left, len(buffer)))
        if not read:
            return b""
        left -= read
    told = b"%d" % length
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
    return b""


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
sys.stdin.buffer.read()
