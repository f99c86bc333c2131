"""Mixed load on one server: mixed_load.py PORT PID SECONDS SEED [THREADS]

Threads ask for everything at random: chats whole, streamed and left, tools, JSON schemas, completions, embeddings,
reranking, decisions, the dialects, responses, files, batches, background answers, the people's queue, models loaded and
unloaded, metrics, keys used twice, SIGHUP, and what is no request at all. Answers are checked, not only counted: a
document satisfies its schema, a file comes back byte for byte, a response is found, a batch has each line once.
429 and 503 (and 409, where two do one thing) are refusals, counted apart. Prints one JSON object at the end;
"failed" is a list, empty when all is well. Standard library only.
"""
import base64
import collections
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time

PORT, PID, SECONDS, SEED = (int(x) for x in sys.argv[1:5])
THREADS = int(sys.argv[5]) if len(sys.argv) > 5 else 12
TIMEOUT_S = 900  # a machine that is busy, a sanitizer, a process that is stopped for a while
WORDS = "time year people way day man thing world life hand part child eye place work week case point".split()

end = time.monotonic() + SECONDS
lock = threading.Lock()
done, refused, failed = collections.Counter(), collections.Counter(), []
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"type": "integer", "minimum": 1,
                                                                                  "maximum": 9}},
    "required": ["city", "days"]}}}]
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}, "n": {"enum": [1, 2, 3]}},
          "required": ["ok", "n"], "additionalProperties": False}


class Refused(Exception):
    """The server said, politely, not now."""


class Client:
    """One kept connection; opened anew where it was closed between two requests."""

    def __init__(self, rng):
        self.rng, self.conn = rng, None

    def text(self, n=None):
        return " ".join(self.rng.choice(WORDS) for _ in range(n or self.rng.randint(1, 12)))

    def send(self, method, path, body=None, headers=None):
        head = {"Content-Type": "application/json", **(headers or {})}
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        for fresh in (False, True):
            if fresh or not self.conn:
                self.close()
                self.conn = http.client.HTTPConnection("127.0.0.1", PORT, timeout=TIMEOUT_S)
            try:
                self.conn.request(method, path, data, head)
                return self.conn.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                if fresh:
                    raise  # a new connection that gets no answer is an error
        return None

    def ask(self, method, path, body=None, headers=None, want=(200,)):
        reply = self.send(method, path, body, headers)
        raw = reply.read()
        if reply.status in (429, 503):
            raise Refused(f"{reply.status}")
        if reply.status not in want:
            raise AssertionError(f"{method} {path}: {reply.status} {raw[:400]!r}")
        is_json = "json" in (reply.getheader("content-type") or "")
        return json.loads(raw) if is_json else raw

    def stream(self, path, body, leave_after=None):
        """The data lines of a stream; leave_after: the client goes after so many."""
        reply = self.send("POST", path, body)
        if reply.status in (429, 503):
            reply.read()
            raise Refused(f"{reply.status}")
        assert reply.status == 200, (path, reply.status, reply.read()[:400])
        lines = []
        while line := reply.readline():
            if line.strip():
                lines.append(line.strip())
            if leave_after is not None and len(lines) >= leave_after:
                self.close()
                return lines
        return lines

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None


def chat_body(c, **more):
    return {"model": "smollm2", "max_tokens": c.rng.randint(1, 4),
            "messages": [{"role": "user", "content": c.text()}], **more}


def chat(c):
    n = c.rng.choice([1, 1, 2])
    got = c.ask("POST", "/v1/chat/completions", chat_body(c, n=n, logprobs=c.rng.random() < 0.3))
    assert len(got["choices"]) == n and got["usage"]["completion_tokens"] >= 0, got


def chat_stream(c):
    lines = c.stream("/v1/chat/completions", chat_body(c, stream=True))
    assert lines[-1] == b"data: [DONE]", lines[-2:]


def chat_left(c):
    c.stream("/v1/chat/completions", chat_body(c, stream=True, max_tokens=400), c.rng.randint(0, 3))


def chat_left_before_any_word(c):
    c.send_only = socket.create_connection(("127.0.0.1", PORT), TIMEOUT_S)
    body = json.dumps(chat_body(c, max_tokens=300)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Length: {len(body)}\r\n\r\n"
    c.send_only.sendall(head.encode() + body)
    if c.rng.random() < 0.5:
        c.send_only.shutdown(socket.SHUT_WR)
    time.sleep(c.rng.random() * 0.5)
    c.send_only.close()


def schema(c):
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}}
    got = c.ask("POST", "/v1/chat/completions", chat_body(c, response_format=form, max_tokens=60, temperature=1.5))
    if got["choices"][0]["finish_reason"] == "stop":
        value = json.loads(got["choices"][0]["message"]["content"])
        assert set(value) == {"ok", "n"} and isinstance(value["ok"], bool) and value["n"] in (1, 2, 3), value


def tools(c):
    got = c.ask("POST", "/v1/chat/completions", chat_body(c, tools=TOOLS, tool_choice="required", max_tokens=60))
    for call in got["choices"][0]["message"].get("tool_calls") or []:
        value = json.loads(call["function"]["arguments"])
        assert value["city"] in ("Paris", "Rome") and 1 <= value["days"] <= 9, value


def completion(c):
    got = c.ask("POST", "/v1/completions", {"model": "second", "prompt": c.text(), "max_tokens": 2, "echo": True})
    assert got["choices"][0]["text"], got


def embeddings(c):
    n, form = c.rng.randint(1, 4), c.rng.choice(["float", "base64"])
    got = c.ask("POST", "/v1/embeddings", {"model": "minilm", "input": [c.text() for _ in range(n)],
                                           "encoding_format": form})
    first = got["data"][0]["embedding"]
    size = len(base64.b64decode(first)) // 4 if form == "base64" else len(first)
    assert len(got["data"]) == n and size == 384, (n, size)


def rerank(c):
    texts = [c.text() for _ in range(3)]
    got = c.ask("POST", "/v1/rerank", {"model": "minilm", "query": texts[1], "documents": texts})
    assert abs(got["results"][0]["relevance_score"] - 1) < 0.01, got  # itself, or its like


def decide(c):
    got = c.ask("POST", "/v1/decide", {"model": "smollm2", "state": c.text(), "questions": {
        "q": {"type": "noul", "instructions": "Is it urgent?"}}})
    assert "q" in json.dumps(got), got


def anthropic(c):
    if c.rng.random() < 0.5:
        got = c.ask("POST", "/v1/messages", chat_body(c))
        assert got["type"] == "message", got
    else:
        assert any(b"message_stop" in line for line in c.stream("/v1/messages", chat_body(c, stream=True)))


def ollama(c):
    lines = c.stream("/api/chat", {"model": "smollm2", "messages": [{"role": "user", "content": c.text()}],
                                   "options": {"num_predict": 3}})
    assert json.loads(lines[-1])["done"] is True, lines[-1]
    c.ask("POST", "/api/embed", {"model": "minilm", "input": c.text()})
    c.ask("GET", c.rng.choice(["/api/tags", "/api/ps", "/api/version"]))


def tokenize(c):
    text = c.text()
    tokens = c.ask("POST", "/tokenize", {"model": "smollm2", "content": text})["tokens"]
    assert c.ask("POST", "/detokenize", {"model": "smollm2", "tokens": tokens})["content"] == text


def responses(c):
    body = {"model": "smollm2", "input": c.text(), "max_output_tokens": 3}
    first = c.ask("POST", "/v1/responses", body)
    assert c.ask("GET", "/v1/responses/" + first["id"])["output"] == first["output"]
    if c.rng.random() < 0.5:
        lines = c.stream("/v1/responses", {**body, "stream": True, "previous_response_id": first["id"]})
        assert any(b"response.completed" in x or b"response.incomplete" in x for x in lines[-3:]), lines[-3:]
    if c.rng.random() < 0.5:
        c.ask("DELETE", "/v1/responses/" + first["id"])
        c.ask("GET", "/v1/responses/" + first["id"], want=(404,))


def wait_for(c, path, states, least_s=0.2):
    while True:
        got = c.ask("GET", path)
        if got["status"] not in states or time.monotonic() > end + TIMEOUT_S:
            return got
        time.sleep(least_s)


def background(c):
    made = c.ask("POST", "/v1/responses", {"model": "smollm2", "input": c.text(), "max_output_tokens": 3,
                                           "background": True})
    if c.rng.random() < 0.3:
        c.ask("POST", f"/v1/responses/{made['id']}/cancel", {}, want=(200, 400, 409))
    got = wait_for(c, "/v1/responses/" + made["id"], ("queued", "in_progress"))
    assert got["status"] in ("completed", "incomplete", "cancelled"), got


def later(c):
    made = c.ask("POST", "/v1/chat/completions", chat_body(c), {"Prefer": "respond-async"}, want=(202,))
    if c.rng.random() < 0.3:
        c.ask("DELETE", "/v1/async/" + made["id"])
        return
    got = wait_for(c, f"/v1/async/{made['id']}?wait=30", ("queued", "in_progress"), 0)
    assert got["response"]["status_code"] == 200, got


def once(c):
    key, body = {"Idempotency-Key": f"key-{c.rng.randint(0, 1 << 40)}"}, chat_body(c)
    first = c.ask("POST", "/v1/chat/completions", body, key)
    again = c.ask("POST", "/v1/chat/completions", body, key)
    assert first["id"] == again["id"] and first["choices"] == again["choices"], (first, again)
    c.ask("POST", "/v1/chat/completions", chat_body(c, seed=1, user="another"), key, want=(422,))


def upload(c, purpose, data):
    line = "xx" + hashlib.sha256(data).hexdigest()[:20]
    part = (f'--{line}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n--{line}\r\n'
            f'Content-Disposition: form-data; name="file"; filename="f.jsonl"\r\n\r\n').encode()
    return c.ask("POST", "/v1/files", part + data + f"\r\n--{line}--\r\n".encode(),
                 {"Content-Type": f"multipart/form-data; boundary={line}"})["id"]


def files(c):
    data = c.rng.randbytes(c.rng.choice([10, 5000, 300000]))
    ref = upload(c, "user_data", data)
    assert c.ask("GET", f"/v1/files/{ref}/content") == data
    c.ask("GET", "/v1/files?limit=5")
    c.ask("DELETE", "/v1/files/" + ref)


def batch(c):
    n = c.rng.randint(1, 4)
    lines = [json.dumps({"custom_id": str(i), "method": "POST", "url": "/v1/chat/completions",
                         "body": chat_body(c, max_tokens=2)}) for i in range(n)]
    ref = upload(c, "batch", "\n".join(lines).encode())
    made = c.ask("POST", "/v1/batches", {"input_file_id": ref, "endpoint": "/v1/chat/completions",
                                         "completion_window": "24h"})
    if c.rng.random() < 0.25:
        c.ask("POST", f"/v1/batches/{made['id']}/cancel", {}, want=(200, 400, 409))
    got = wait_for(c, "/v1/batches/" + made["id"], ("validating", "in_progress", "finalizing", "cancelling"))
    assert got["status"] in ("completed", "cancelled"), got
    if got["status"] == "completed":
        out = c.ask("GET", f"/v1/files/{got['output_file_id']}/content")
        ids = sorted(json.loads(x)["custom_id"] for x in out.splitlines())
        assert ids == [str(i) for i in range(n)], ids


def ask_task(c, text):
    return c.ask("POST", "/v1/tasks/support/ask", {"text": text})


def desk(c):
    got = ask_task(c, f"I want to talk to a human being, not a machine, about {c.text(3)}")
    ref = got["review"]
    c.ask("GET", f"/v1/answers/{ref}?wait={c.rng.randint(0, 2)}")
    c.ask("POST", f"/v1/reviews/{ref}/claim", {"by": "ann"}, want=(200, 409))
    c.ask("POST", f"/v1/reviews/{ref}/answer", {"by": "ann", "text": "No.", **(
        {"label": "other"} if c.rng.random() < 0.2 else {})}, want=(200, 409))
    assert c.ask("GET", f"/v1/answers/{ref}")["status"] == "answered"


def waiting(c):
    """One waits for a person on its own connection; the person answers from another."""
    ref = ask_task(c, f"I want to speak to a person about {c.text(3)}")["review"]
    got = []
    waiter = threading.Thread(target=lambda: got.append(Client(c.rng).ask("GET", f"/v1/answers/{ref}?wait=200")))
    waiter.start()
    time.sleep(c.rng.random())
    c.ask("POST", f"/v1/reviews/{ref}/answer", {"by": "bob", "text": "Yes."}, want=(200, 409))
    waiter.join()
    assert got and got[0]["status"] == "answered", got


def task(c):
    got = ask_task(c, "how do I cancel my policy?")
    c.ask("POST", f"/v1/requests/{got['id']}/verdict", {"verdict": c.rng.choice(["right", "wrong"])}, want=(200, 409))
    c.ask("POST", "/v1/chat/completions", {**chat_body(c), "model": "task:support"})


def looks(c):
    for path in ("/health", "/ready", "/metrics", "/metrics?names=vllm", "/v1/models", "/v1/requests?limit=3",
                 "/v1/reviews?limit=3", "/v1/cost", "/openapi.json", "/", "/app.js", "/v1/tasks", "/v1/tasks/support"):
        c.ask("GET", path)


def models(c):
    """Unloaded under the others' feet: whoever asks next loads it again. One that is in use is 503."""
    c.ask("POST", f"/v1/models/{c.rng.choice(['load', 'unload'])}", {"model": c.rng.choice(["smollm2", "second", "second"])})


def hangup(_):
    os.kill(PID, signal.SIGHUP)


BAD = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET\r\n\r\n",
       b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 3\r\n\r\n{{{",
       b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 99999999999\r\n\r\n",
       b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" + b"A: b\r\n" * 200 + b"\r\n"]


def bad(c):
    """What is no request gets 4xx and a closed door, or, without an end, nothing at all."""
    with socket.create_connection(("127.0.0.1", PORT), TIMEOUT_S) as s:
        what = c.rng.choice(BAD)
        s.sendall(what.replace(b"%d", str(PORT).encode()))
        if c.rng.random() < 0.3:
            return
        reply = s.recv(4096)
        assert reply.startswith(b"HTTP/1.1 4"), (what, reply[:200])


PARTS = {chat: 8, chat_stream: 8, chat_left: 6, chat_left_before_any_word: 3, schema: 4, tools: 4, completion: 4,
         embeddings: 8, rerank: 4, decide: 2, anthropic: 4, ollama: 3, tokenize: 4, responses: 4, background: 2, later: 2,
         once: 3, files: 6, batch: 1, desk: 4, waiting: 3, task: 3, looks: 4, models: 2, hangup: 2, bad: 6}


def run(number):
    rng = random.Random(SEED * 1000 + number)
    c = Client(rng)
    while time.monotonic() < end and len(failed) < 20:
        part = rng.choices(list(PARTS), list(PARTS.values()))[0]
        try:
            part(c)
            with lock:
                done[part.__name__] += 1
        except Refused:
            with lock:
                refused[part.__name__] += 1
            time.sleep(0.2 * rng.random())
        except Exception as e:  # noqa: BLE001 - whatever it is, it is told
            c.close()
            with lock:
                failed.append(f"{part.__name__}: {type(e).__name__}: {e}"[:600])
    c.close()


def main():
    start = time.monotonic()
    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(json.dumps({"seconds": round(time.monotonic() - start), "done": sum(done.values()),
                      "refused": sum(refused.values()), "failed": failed, "parts": dict(done),
                      "refused_parts": dict(refused)}))


main()
