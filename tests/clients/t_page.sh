#!/usr/bin/env bash
# The page in headless Chromium against a server with the sample task: see page_test.py.
# BANTAM_BIN is the program, BANTAM_TEST_MODELS a folder with the model's wheel or files.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${BANTAM_BIN:-$PWD/build/bantam}
home=$(mktemp -d) || exit 1
server=
stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$home"
}
trap stop EXIT

skip() { echo "skip - the page in Chromium: $1"; exit 0; }
command -v chromium >/dev/null || skip "chromium is not installed (Debian: chromium)"
command -v chromedriver >/dev/null || skip "chromedriver is not installed (Debian: chromium-driver)"
command -v python3 >/dev/null || skip "python3 is not installed"
[ -x "$bin" ] || { echo "not ok - the program is not built: $bin"; exit 1; }

export BANTAM_HOME=$home/bantam
[ -d "${BANTAM_TEST_MODELS:-}" ] && export BANTAM_FROM=$BANTAM_TEST_MODELS
"$bin" pull minilm >"$home/pull.log" 2>&1 || skip "minilm cannot be had: $(tail -n 1 "$home/pull.log")"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$bin" serve --port "$port" --task tasks/support.yaml >"$home/serve.log" 2>&1 &
server=$!
for _ in $(seq 1 600); do # the first start fits the task
    python3 - "$port" <<'PY' 2>/dev/null && break
import sys, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=2).read()
PY
    kill -0 "$server" 2>/dev/null || { echo "not ok - the server starts: $(tail -n 3 "$home/serve.log")"; exit 1; }
    sleep 0.5
done
PYTHONDONTWRITEBYTECODE=1 python3 tests/clients/page_test.py "http://127.0.0.1:$port" ${SHOTS:+--shots "$SHOTS"}
result=$?
[ "$result" -eq 0 ] || tail -n 20 "$home/serve.log"
exit "$result"
