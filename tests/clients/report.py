"""What the Python client tests share: "ok - what" lines, a proxy that fails on purpose."""
import http.client
import http.server
import json
import sys
import threading
import time
import traceback
import urllib.parse
import urllib.request

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


def get(url):
    return json.load(urllib.request.urlopen(url, timeout=10))


def leaving_stops(url, leave):
    """leave() begins a long answer and goes away: the record must say that it was broken off.

    Three times, for a busy machine may write the whole answer before the client has gone."""
    for _ in range(3):
        newest = [r["id"] for r in get(url + "/v1/requests?limit=1")["requests"]]
        leave()
        end = time.monotonic() + 60
        while (ids := [r["id"] for r in get(url + "/v1/requests?limit=1")["requests"]]) == newest:
            assert time.monotonic() < end, "the request is not on record"
            time.sleep(0.02)
        step = get(f"{url}/v1/requests/{ids[0]}")["steps"][0]
        if step["outcome"] == "failed" and "left" in step["note"]:
            return
    raise AssertionError(f"it was answered to its end: {step}")
