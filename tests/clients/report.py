"""What the Python client tests share: "ok - what" lines, a proxy that fails on purpose."""
import http.client
import http.server
import sys
import threading
import traceback
import urllib.parse

COLOURS = ["red", "green", "blue"]
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string", "enum": COLOURS}},
          "required": ["colour"], "additionalProperties": False}
CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}},
        "required": ["city"], "additionalProperties": False}


def run_all(client, tests):
    """Runs each, reports each; a string that one returns says why it was skipped."""
    failed = False
    for test in tests:
        name = f"{client}: {test.__name__.replace('_', ' ')}"
        try:
            why = test()
            print(f"skip - {name}: {why}" if why else f"ok - {name}", flush=True)
        except Exception:  # each test reports for itself
            failed = True
            traceback.print_exc()
            print(f"not ok - {name}", flush=True)
    sys.exit(failed)


def expect(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


class Flaky:
    """A proxy that answers the first requests with an error and hands the rest on."""

    def __init__(self, url, failures, status=503):
        target = urllib.parse.urlsplit(url)
        outer = self
        self.left, self.seen = failures, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.seen += 1
                if outer.left > 0:
                    outer.left -= 1
                    return self.answer(status, "application/json", b'{"error":"busy"}')
                up = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
                up.request("POST", self.path, body, {"content-type": "application/json"})
                reply = up.getresponse()
                self.answer(reply.status, reply.getheader("content-type"), reply.read())

            def answer(self, code, kind, body):
                self.send_response(code)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("retry-after", "0")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()


def settled(url, seconds=20):
    """Waits until no request runs at the server: a client that left has stopped its answer."""
    import json
    import time
    import urllib.request
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        health = json.load(urllib.request.urlopen(url + "/health", timeout=5))
        if health["running"] <= 1 and health["queued"] == 0:  # the one that asks
            return
        time.sleep(0.05)
    raise AssertionError(f"still running: {health}")
