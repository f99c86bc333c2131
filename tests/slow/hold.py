"""Holds many connections on one server: hold.py PORT WHAT [WHAT...], WHAT = NUMBER:KIND:ARGUMENT

Kinds: idle (says nothing), kept (asks for /health once and stays), wait (GET /v1/answers/REF?wait=300, ARGUMENT a file
of references, taken by turns), stream (the same as an event stream, its first event awaited), slow (a head that never
ends), half (asks and closes its sending half). When all stand, prints one JSON line; at each line on its standard
input prints how they stand: {KIND: {"open", "bytes", "answered", "statuses"}}. Ends at the end of its input."""
import collections
import json
import os
import resource
import selectors
import socket
import sys
import time

PORT = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
poll = selectors.DefaultSelector()


class One:
    def __init__(self, kind):
        self.kind, self.open, self.got, self.sock = kind, True, b"", socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(("127.0.0.1", PORT))
        self.sock.setblocking(False)
        poll.register(self.sock, selectors.EVENT_READ, self)

    def read(self):
        try:
            part = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self.got += part
        if not part:
            self.open = False
            poll.unregister(self.sock)
            self.sock.close()


def head(path, *lines):
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{PORT}", *lines, "", ""]).encode()


def begin(kind, ref):
    c = One(kind)
    path = f"/v1/answers/{ref}"
    try:
        if kind == "kept":
            c.sock.sendall(head("/health"))
        elif kind == "half":
            c.sock.sendall(head("/health"))
            c.sock.shutdown(socket.SHUT_WR)
        elif kind == "wait":
            c.sock.sendall(head(path + "?wait=300"))
        elif kind == "stream":
            c.sock.sendall(head(path, "Accept: text/event-stream"))
        elif kind == "slow":
            c.sock.sendall(head("/health")[:-6])
    except OSError:
        pass
    return c


def turn(seconds):
    for key, _ in poll.select(seconds):
        if key.data != "stdin":
            key.data.read()
        elif not os.read(0, 4096):
            sys.exit(0)
        else:
            return True
    return False


def say(all_):
    out = collections.defaultdict(lambda: {"open": 0, "bytes": 0, "answered": 0, "statuses": collections.Counter()})
    for c in all_:
        o = out[c.kind]
        o["open"] += c.open
        o["bytes"] += len(c.got)
        o["answered"] += b'"status":"answered"' in c.got
        o["statuses"][c.got[9:12].decode("latin-1") or "-"] += 1
    print(json.dumps(out), flush=True)


def stands(c):
    return not c.open or c.kind in ("idle", "wait", "slow") or \
        (b"\n\n" in c.got if c.kind == "stream" else b"\r\n\r\n" in c.got)


all_ = []
for what in sys.argv[2:]:
    number, kind, *rest = what.split(":", 2)
    refs = open(rest[0]).read().split() if rest and rest[0] else ["-"]
    for i in range(int(number)):
        all_.append(begin(kind, refs[i % len(refs)]))
        if i % 50 == 49:  # not more at once than the server's queue takes
            while kind == "stream" and not all(stands(c) for c in all_[-50:]):
                turn(0.05)
            turn(0.05 if kind == "wait" else 0)
limit = time.monotonic() + 120
while not all(stands(c) for c in all_) and time.monotonic() < limit:
    turn(0.05)
say(all_)
poll.register(0, selectors.EVENT_READ, "stdin")
while True:
    if turn(1):
        say(all_)
