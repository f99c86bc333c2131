#!/usr/bin/env bash
# OpenAI's Python client, unchanged, against a server with the sample task: see openai_test.py.
# BANTAM_BIN is the program, BANTAM_TEST_MODELS a folder with the models' wheels or files,
# BANTAM_TEST_PYTHON an interpreter that has the package openai.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${BANTAM_BIN:-$PWD/build/bantam}
python=${BANTAM_TEST_PYTHON:-python3}
home=$(mktemp -d) || exit 1
server=
stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$home"
}
trap stop EXIT

skip() { echo "skip - OpenAI's Python client: $1"; exit 0; }
"$python" -c 'import openai' 2>/dev/null || skip "$python has no package openai"
[ -x "$bin" ] || { echo "not ok - the program is not built: $bin"; exit 1; }

export BANTAM_HOME=$home/bantam
[ -d "${BANTAM_TEST_MODELS:-}" ] && export BANTAM_FROM=$BANTAM_TEST_MODELS
"$bin" pull minilm >"$home/pull.log" 2>&1 || skip "minilm cannot be had: $(tail -n 1 "$home/pull.log")"
"$bin" pull smollm2 --accept-license >"$home/pull2.log" 2>&1 # without it its test is skipped

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$bin" serve --port "$port" --task tasks/support.yaml >"$home/serve.log" 2>&1 &
server=$!
for _ in $(seq 1 600); do # the first start fits the task
    "$python" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=2).read()' \
        "http://127.0.0.1:$port/health" 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || { echo "not ok - the server starts: $(tail -n 3 "$home/serve.log")"; exit 1; }
    sleep 0.5
done
PYTHONDONTWRITEBYTECODE=1 "$python" tests/clients/openai_test.py "http://127.0.0.1:$port"
result=$?
[ "$result" -eq 0 ] || tail -n 20 "$home/serve.log"
exit "$result"
