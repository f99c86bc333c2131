#!/usr/bin/env python3
"""An OpenTelemetry collector for tests: stub_collector.py PORT_FILE BEHAVIOUR_FILE LOG

Listens on a free port of 127.0.0.1 and writes its number to PORT_FILE. Each body is appended to LOG
as one JSON line {"path", "headers", "status", "body"}, where status is what it was answered with, as
BEHAVIOUR_FILE says at that moment:
  200, 400, 503   that status (503 with Retry-After: 0)
  partial         200, but one span of it was refused
  hang            nothing for a minute
"""
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port_file, behaviour_file, log = sys.argv[1:4]


class Stub(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with open(behaviour_file) as f:
            how = f.read().strip()
        if how == "hang":
            time.sleep(60)
        status = 200 if how in ("partial", "hang") else int(how)
        answer = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "one"}} if how == "partial" else {}
        with open(log, "a") as f:
            f.write(json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                                "status": status, "body": json.loads(body)}) + "\n")
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "0")
        text = json.dumps(answer).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
with open(port_file + ".part", "w") as f:
    f.write(str(server.server_port))
os.rename(port_file + ".part", port_file)
server.serve_forever()
