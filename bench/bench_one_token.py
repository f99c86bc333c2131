#!/usr/bin/env python3
"""What one token costs outside the model: `bantam serve` and llama-server by turns, and the start of `serve`.

  LLAMA_CPP=DIR bench/bench_one_token.py MODEL.gguf [--rounds 5] [--requests 200] [--starts 7] [--bantam FILE]

One connection kept alive, one request after the other: a chat completion of max_tokens 1 whose message (about
40 tokens) begins differently each time. Outside = the time from the first byte
sent to the last received, less what the answer's own `timings` call the model's (prompt_ms + predicted_ms). The
server that is not measured is stopped. The client's own part (a raw socket in Python) is in both figures; it is
measured with /health, where the server does next to nothing, and printed.
A start: from the exec of `bantam serve` to the first 200 of /ready, asked for every millisecond, and to the answer of one
token that is asked for then: models are loaded by their first request, here from a warm cache of packed weights.
"""
import argparse, http.client, json, os, socket, statistics, subprocess, sys, tempfile, time
import bench_serve


class Line:
    """A connection kept alive; time of one exchange in microseconds, and the body."""

    def __init__(self, port):
        self.port = port
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body=b""):
        request = (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        start = time.perf_counter_ns()
        self.s.sendall(request)
        got = self.s.recv(65536)
        while b"\r\n\r\n" not in got:
            got += self.s.recv(65536)
        head, body = got.split(b"\r\n\r\n", 1)
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self.s.recv(65536)
        us = (time.perf_counter_ns() - start) / 1000
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"refused: {head!r} {body!r}")
        return us, body


def completion(model, number):
    text = f"{number} orders came in, and the first of them asks where the parcel is that was sent a week ago " \
           "to the old address, although the new one had been given to the shop before that day."
    body = {"model": model, "max_tokens": 1, "temperature": 0,
            "messages": [{"role": "user", "content": text}]}
    return json.dumps(body).encode()


def measure(server, requests, first):
    server.process.send_signal(bench_serve.signal.SIGCONT)
    line = Line(server.port)
    outside, model, floor = [], [], []
    for i in range(requests):
        us, body = line.ask("POST", "/v1/chat/completions", completion(server.model, first + i))
        t = json.loads(body)["timings"]
        inside = ((t["prompt_ms"] or 0) + (t["predicted_ms"] or 0)) * 1000
        if i >= requests // 10:
            outside.append(us - inside)
            model.append(inside)
    for _ in range(requests):
        floor.append(line.ask("GET", "/health")[0])
    line.s.close()
    server.process.send_signal(bench_serve.signal.SIGSTOP)
    return statistics.median(outside), statistics.median(model), statistics.median(floor)


def show(values):
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


def race(args, servers):
    rows = {s.name: [] for s in servers}
    for r in range(args.rounds + 1):  # the first is not counted
        for s in servers if r % 2 else servers[::-1]:
            got = measure(s, args.requests, 1000 + r * args.requests)
            print(f"round {r} {s.name}: outside {got[0]:.0f} us, model {got[1]:.0f} us", file=sys.stderr, flush=True)
            if r:
                rows[s.name].append(got)
    print("| server | outside the model, us | model, us | /health, us |\n|---|---|---|---|")
    for s in servers:
        print(f"| {s.name} | {' | '.join(show(column) for column in zip(*rows[s.name]))} |")
    pairs = [a[0] / b[0] for a, b in zip(rows[servers[0].name], rows[servers[1].name])]
    print(f"ratio {statistics.median(pairs):.3f} ({min(pairs):.3f}-{max(pairs):.3f})", flush=True)


def start_once(bantam, model, env, log):
    port = bench_serve.free_port()
    start = time.perf_counter_ns()
    process = subprocess.Popen([bantam, "serve", "--port", str(port), "--threads", "2"], stdout=log, stderr=log,
                               env=env)
    while True:
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            c.request("GET", "/ready")
            if c.getresponse().status == 200:
                break
        except OSError:
            pass
        time.sleep(0.001)
    ready_ms = (time.perf_counter_ns() - start) / 1e6
    Line(port).ask("POST", "/v1/chat/completions", completion(model, 1))
    token_ms = (time.perf_counter_ns() - start) / 1e6
    process.terminate()
    process.wait()
    return ready_ms, token_ms


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--requests", type=int, default=200)
    p.add_argument("--starts", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--bantam")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as home, open(os.path.join(home, "log"), "wb") as log:
        servers = bench_serve.open_servers(args, home, log)
        for s in servers:
            s.process.send_signal(bench_serve.signal.SIGSTOP)
        try:
            if args.rounds:
                race(args, servers)
        finally:
            for s in servers:
                s.close()
        bantam = args.bantam or os.path.join(bench_serve.ROOT, "build/bantam")
        env = dict(os.environ, BANTAM_HOME=home)
        starts = [start_once(bantam, servers[0].model, env, log) for _ in range(args.starts + 1)][1:]
        if starts:
            ready, token = zip(*starts)
            print(f"start to ready, ms: {show(ready)}; to the first token of a request: {show(token)}")


main()
