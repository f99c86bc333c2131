#!/usr/bin/env bash
# Memory of a server after REQUESTS tiny requests (default 100,000) is where it was after the first
# 1,000: at most 5 % more resident. Eight clients, answers of one token, each prompt another.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
load=$root/build/bench/bench_serve
[ -x "$load" ] || make -s "$load" || exit 1
need_model smollm2 "the soak"
link_models
requests=${REQUESTS:-100000}
serve_start --memory 2GiB || done_testing
pid=$(jq -r .pid <<<"$("$bin" ps --json)")
rss() { awk '/^VmRSS/ {print $2}' "/proc/$pid/status"; }
ask() { "$load" "$port" smollm2 8 "$1" 3 1 "$2"; }
holds "the first 1,000 are answered" "$(ask 1000 1)" '.failed == 0 and .requests == 1000'
before=$(rss)
left=$((requests - 1000)) seed=2
while [ "$left" -gt 0 ]; do
    n=$((left < 20000 ? left : 20000))
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
