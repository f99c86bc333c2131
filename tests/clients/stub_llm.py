#!/usr/bin/env python3
"""A large model that misbehaves on demand, for tests: stub_llm.py PORT_FILE BEHAVIOUR_FILE LOG

Listens on a free port of 127.0.0.1 and writes its number to PORT_FILE. Each request is appended to
LOG as one JSON line (its traceparent to LOG.traceparent), and answered as BEHAVIOUR_FILE says at that moment:
  say TEXT   a chat completion with TEXT      429, 500   that status
  hang       nothing for a minute             half       the first half of a reply, then the end
  html       a web page                       odd        JSON that is no completion
  empty      no choices                       once       500 the first time, then a listed label
"""
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port_file, behaviour_file, log = sys.argv[1:4]
seen_once = False


def completion(text):
    return json.dumps({
        "id": "x", "object": "chat.completion", "created": 1, "model": "stub",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}}).encode()


class Stub(BaseHTTPRequestHandler):
    def send(self, status, body, kind="application/json", cut=False):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if cut else body)
        self.close_connection = True

    def do_POST(self):
        global seen_once
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with open(log, "ab") as f:
            f.write(body.replace(b"\n", b" ") + b"\n")
        with open(log + ".traceparent", "a", encoding="utf-8") as f:
            f.write(self.headers.get("traceparent", "none") + "\n")
        how = open(behaviour_file, encoding="utf-8").read().strip()
        if how == "once":
            how = 'say {"label": "cancel_policy"}' if seen_once else "500"
            seen_once = True
        if how == "hang":
            time.sleep(60)
        elif how in ("429", "500"):
            self.send(int(how), b'{"error": {"message": "no", "type": "x"}}')
        elif how == "half":
            self.send(200, completion('{"label": "cancel_policy"}'), cut=True)
        elif how == "html":
            self.send(200, b"<html>Welcome</html>", "text/html")
        elif how == "odd":
            self.send(200, b'{"label": "cancel_policy"}')
        elif how == "empty":
            self.send(200, b'{"choices": []}')
        else:
            self.send(200, completion(how.partition(" ")[2]))

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
server.daemon_threads = True
with open(port_file + ".new", "w", encoding="utf-8") as f:
    f.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
