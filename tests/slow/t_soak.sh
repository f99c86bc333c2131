#!/usr/bin/env bash
# Memory of a server after REQUESTS tiny requests (default 100,000) is where it was after the first
# 1,000: at most 5 % more resident. Eight clients, answers of one token, each prompt another, to the first
# two layers of SmolLM2 (WHOLE=1: to all of it): what is soaked is the server, not the kernels. Known prefixes
# have 1,000 requests' worth of room, for they may fill what they are given.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
load=$root/build/bench/bench_serve
[ -x "$load" ] || make -s -C "$root" build/bench/bench_serve || exit 1
need_model smollm2 "the soak"
link_models
requests=${REQUESTS:-100000} memory=150MiB
if [ -n "${WHOLE:-}" ]; then
    memory=2GiB
else
    ${BANTAM_TEST_PYTHON:-python3} tests/slow/cut_model.py "$models"/smollm2/*.gguf "$tmp/cut.gguf" 2 || { not_ok "the model is cut"; exit 1; }
    manifest=$BANTAM_HOME/models/smollm2/local/manifest
    jq -c --arg p "$tmp/cut.gguf" '.source = $p | .entry = $p' "$manifest" >"$tmp/manifest" && mv "$tmp/manifest" "$manifest"
fi
cd "$tmp" || exit 1 # no task is served
serve_start --memory $memory || done_testing
rss() { awk '/^VmRSS/ {print $2}' "/proc/$pid/status"; }
ask() { "$load" "$port" smollm2 8 "$1" 3 1 "$2"; }
holds "the first 1,000 are answered" "$(ask 1000 1)" '.failed == 0 and .requests == 1000'
before=$(rss)
left=$((requests - 1000)) seed=2
while [ "$left" -gt 0 ]; do
    n=$((left < 11000 ? left : 11000))
    got=$(ask "$n" $seed)
    [ "$(jq .failed <<<"$got")" = 0 ] || not_ok "all are answered" "$got"
    left=$((left - n)) seed=$((seed + 1))
    echo "# $((requests - left)) requests, $(rss) KiB resident, $(jq .requests_s <<<"$got") a second"
done
after=$(rss)
at_most "resident KiB after $requests requests, 5 % above the $before after 1,000" "$after" $((before + before / 20))
serve_stop TERM
is "and it stops cleanly" "$serve_rc" 0
done_testing
