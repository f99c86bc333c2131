#!/usr/bin/env python3
"""Races `bantam serve` against llama.cpp's llama-server over HTTP, by turns, and prints the ratios.

  LLAMA_CPP=DIR bench/bench_serve.py MODEL.gguf [--rounds 5] [--clients 1,4,8,16,64] [--out FILE.json]

The load is bench/bench_serve.c: closed-loop clients that read streams, about 128 tokens in and 64 out,
prompts that share nothing, sampling drawn with the same values. Both servers run the whole time; the one
that is not measured is stopped (SIGSTOP), so it takes nothing. The order changes with each round, and each
measurement is written to --out before the next begins: a run that is cut short is not lost. Peer's flags:
-np 16 -c 8192 -fa on, host cache off (prompts never come again), no slots page, no web page. MODEL needs a chat
template; llama.cpp's gguf_new_metadata.py --chat-template adds one.
"""
import argparse, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(port, process):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"a server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as r:
                if r.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit("a server did not start")


class Server:
    def __init__(self, name, command, model, log, env=None):
        self.name, self.model, self.port = name, model, free_port()
        command = [str(self.port) if x == "PORT" else x for x in command]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        wait_ready(self.port, self.process)

    def load(self, clients, requests, words, tokens, seed, system=0):
        self.process.send_signal(signal.SIGCONT)
        out = subprocess.run(
            [os.path.join(ROOT, "build/bench/bench_serve"), str(self.port), self.model, str(clients),
             str(requests), str(words), str(tokens), str(seed), str(system)],
            stdout=subprocess.PIPE, check=False).stdout
        self.process.send_signal(signal.SIGSTOP)
        return json.loads(out)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait()


def open_servers(args, home, log):
    model = os.path.abspath(args.model)
    env = dict(os.environ, BANTAM_HOME=home)
    bantam = args.bantam or os.path.join(ROOT, "build/bantam")
    subprocess.run([bantam, "pull", model], env=env, check=True, stdout=log, stderr=log)
    listed = json.loads(subprocess.run([bantam, "list", "--json"], env=env, check=True,
                                       stdout=subprocess.PIPE).stdout)
    name = next(m["name"] for m in listed["models"] if m["path"] == model)
    empty = os.path.join(home, "none")
    os.makedirs(empty, exist_ok=True)
    ours = Server("bantam", [bantam, "serve", "--port", "PORT", "--threads", str(args.threads)], name, log, env)
    peer = Server("llama-server",
                  [os.path.join(os.environ["LLAMA_CPP"], "llama-server"), "-m", model, "--port", "PORT",
                   "-np", "16", "-c", "8192", "-t", str(args.threads), "-fa", "on", "--cache-ram", "0",
                   "--no-slots", "--no-webui"], name, log)
    return ours, peer


def median(rows, key):
    return statistics.median(r[key] for r in rows)


def table(rows, clients):
    print("| clients | requests/s | llama-server | ratio (lowest-highest) | tokens/s | llama-server | p99 first "
          "token ms | llama-server | ratio |\n|---|---|---|---|---|---|---|---|---|")
    for n in clients:
        ours = [r for r in rows if r["server"] == "bantam" and r["clients"] == n]
        peer = [r for r in rows if r["server"] != "bantam" and r["clients"] == n]
        pairs = [a["requests_s"] / b["requests_s"] for a, b in zip(ours, peer)]
        if not pairs:
            continue
        first = median(ours, "first_ms_p99") / median(peer, "first_ms_p99")
        print(f"| {n} | {median(ours, 'requests_s'):.2f} | {median(peer, 'requests_s'):.2f} | "
              f"{statistics.median(pairs):.2f} ({min(pairs):.2f}-{max(pairs):.2f}) | "
              f"{median(ours, 'tokens_s'):.0f} | {median(peer, 'tokens_s'):.0f} | "
              f"{median(ours, 'first_ms_p99'):.0f} | {median(peer, 'first_ms_p99'):.0f} | {first:.2f} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--clients", default="1,4,8,16,64")
    p.add_argument("--per-client", type=int, default=6, help="requests of each client in a measurement")
    p.add_argument("--least", type=int, default=8, help="requests of a measurement at least")
    p.add_argument("--prompt", type=int, default=128, help="tokens of a prompt, about")
    p.add_argument("--warm", type=int, default=112, help="requests of each server before the first round")
    p.add_argument("--tokens", type=int, default=64)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--bantam", help="another program than build/bantam")
    p.add_argument("--out", default=os.path.join(ROOT, "build/bench_serve.json"))
    args = p.parse_args()
    clients = [int(x) for x in args.clients.split(",")]
    home = tempfile.mkdtemp(prefix="bantam-bench-serve-")
    rows, servers = [], []
    try:
        with open(args.out + ".log", "w") as log:
            servers = open_servers(args, home, log)
            for s in servers:
                row = s.load(2, 4, 40, args.tokens, 1)
                s.load(16, args.warm, 40, args.tokens, 2)  # pages of keys and values are touched once
            args.words = max(1, round(40 * args.prompt / row["prompt_tokens"]))
            for number in range(args.rounds):
                for n in clients:
                    for s in servers[:: 1 if number % 2 == 0 else -1]:
                        requests = max(args.per_client * n, args.least)
                        row = s.load(n, requests, args.words, args.tokens, 1000 * number + n + 7)
                        rows.append(dict(row, server=s.name, round=number))
                        with open(args.out, "w") as out:
                            json.dump(rows, out)
                        print(f"round {number} {s.name:12} {n:3} clients: {row['requests_s']:.2f} requests/s, "
                              f"{row['tokens_s']:.0f} tokens/s, first {row['first_ms_p50']:.0f} / "
                              f"{row['first_ms_p99']:.0f} ms", file=sys.stderr)
    finally:
        for s in servers:
            s.close()
        shutil.rmtree(home, ignore_errors=True)
    print(f"{os.path.basename(args.model)}, {args.threads} threads, {args.rounds} rounds, "
          f"{median(rows, 'prompt_tokens'):.0f} tokens in, {median(rows, 'made_tokens'):.0f} out")
    table(rows, clients)


if __name__ == "__main__":
    main()
