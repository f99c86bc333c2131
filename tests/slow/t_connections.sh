#!/usr/bin/env bash
# Who waits costs a connection and next to no memory: 2,000 event streams and 500 requests that wait for a
# person, at most 100 MB and no worker; 10,000 connections at once; what happens at the limit; slow and half-closed
# ones by the thousand. (hold.py holds them.)
. tests/e2e/lib.sh
need_program
need_verb serve "many connections"
need_model minilm "many connections"
[ "$(ulimit -Hn)" -ge 11000 ] 2>/dev/null || [ "$(ulimit -Hn)" = unlimited ] || { skip "many connections: this process may open only $(ulimit -Hn) files"; exit 0; }
python=${BANTAM_TEST_PYTHON:-python3}
sample_desk

rss() { awk '/^VmRSS/ {print $2}' "/proc/$pid/status"; }
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
metric() { get /metrics | awk -v m="$1" '$1 == m {print $2}'; }
# hold WHAT...: holds them until let_go; $held says how they stand
hold() {
    coproc HOLD { exec "$python" "$root/tests/slow/hold.py" "$port" "$@" 2>"$tmp/hold.err"; }
    held_pid=$HOLD_PID
    IFS= read -r -t 180 held <&"${HOLD[0]}" || { not_ok "$* are held" "$(cat "$tmp/hold.err")"; held='{}'; }
}
look() { echo >&"${HOLD[1]}"; IFS= read -r -t 60 held <&"${HOLD[0]}"; }
look_until() { # JQ-CONDITION
    local i
    for i in $(seq 600); do
        look
        jq -e "$1" >/dev/null <<<"$held" && return
        sleep 0.1
    done
}
let_go() { eval "exec ${HOLD[1]}>&-"; wait "$held_pid" 2>/dev/null; }
metric_until() { # NAME NUMBER
    local i
    for i in $(seq 600); do [ "$(metric "$1")" = "$2" ] && return; sleep 0.1; done
}

# ---- who waits for a person ----
serve_start --task support || done_testing
for i in $(seq 500); do
    printf 'next\nurl = "%s/v1/tasks/support/ask"\nheader = "content-type: application/json"\nsilent\nmax-time = 120\ndata = "{\\"text\\": \\"I want to talk to a person, visitor %d\\"}"\n' "$url" "$i"
done | sed 1d >"$tmp/asks"
curl -K "$tmp/asks" | jq -r '.review // empty' >"$tmp/refs"
is "500 questions wait for a person" "$(sort -u "$tmp/refs" | wc -l)" 500
first=$(head -n 1 "$tmp/refs")
get "/v1/answers/$first" >/dev/null
before=$(rss)
hold "500:wait:$tmp/refs" "2000:stream:$tmp/refs"
metric_until bantam_requests_parked 2500
is "2,000 event streams and 500 requests wait" "$(metric bantam_requests_parked)" 2500
is "no worker is held (one answers this)" "$(metric bantam_requests_running) $(metric bantam_requests_waiting)" "1 0"
after=$(rss)
at_most "KiB more resident than the $before of the idle server" $((after - before)) 102400
t=$(ticks)
sleep 20
echo "# $(((after - before) * 1024 / 2500)) bytes a connection that waits; processor for 20 s of all of them: $(($(ticks) - t)) hundredths of a second"
holds "each stream began with how it stands" "$held" '.stream.statuses == {"200": 2000} and .wait.bytes == 0'
at_most "KiB more after 20 s" $(($(rss) - before)) 102400
"$bin" review answer "$first" --text "Here I am." --by ann >/dev/null || not_ok "another process answers"
look_until '.wait.answered == 1 and .stream.answered == 4'
holds "an answer of another process reaches its five askers and nobody else" "$held" '.wait.answered == 1 and .stream.answered == 4'
last=$(tail -n 1 "$tmp/refs")
post "/v1/reviews/$last/claim" '{"by": "bob"}' >/dev/null
post "/v1/reviews/$last/answer" '{"by": "bob", "text": "Me too."}' >/dev/null
look_until '.wait.answered == 2 and .stream.answered == 8'
holds "so does one from here" "$held" '.wait.answered == 2 and .stream.answered == 8 and .wait.open == 500'
let_go
metric_until bantam_requests_parked 0
is "who leaves is let go" "$(metric bantam_requests_parked)" 0
headers=$(curl -s -m 20 -D - -o /dev/null "$url/v1/answers/$(sed -n 2p "$tmp/refs")?wait=3")
is "headers stand there once, however often it looked" "$(grep -ci '^cache-control' <<<"$headers")" 1

# ---- 10,000 connections ----
before=$(rss)
hold 10000:kept 50:half
holds "10,000 connections stand, each was answered" "$held" '.kept.statuses == {"200": 10000} and .half.statuses == {"200": 50} and .kept.open == 10000'
at_least "and the server counts them" "$(metric bantam_connections)" 10000
holds "who comes is answered" "$(post /v1/tasks/support/ask '{"text": "how do I cancel my policy?"}')" '.tier == "slm"'
echo "# $((($(rss) - before) * 1024 / 10000)) bytes a connection that was answered and stays"
at_most "KiB resident more for 10,000 connections" $(($(rss) - before)) 204800
let_go
serve_stop
is "it stops cleanly" "$serve_rc" 0

# ---- at the limit ----
unset port
serve_start --task support --connections 400 || done_testing
hold 400:kept
holds "at the limit of 400" "$held" '.kept.open >= 399'
is "one more is answered" "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/health")" 200
look_until '.kept.open < 400'
holds "the one that idled longest made room" "$held" '.kept.open >= 397 and .kept.open < 400'
let_go
metric_until bantam_connections 1
sed '1d;$d' "$tmp/refs" >"$tmp/open"
hold "400:wait:$tmp/open"
sleep 1
refused=$(curl -s -m 20 -D - "$url/v1/models")
has "where all wait for something, one more is refused and told when to come again" "$refused" "HTTP/1.1 503"
has "by a header" "$(tr A-Z a-z <<<"$refused")" "retry-after: 1"
look
holds "nobody who waits is thrown out" "$held" '.wait.open == 400'
let_go
metric_until bantam_connections 1
hold 390:slow
is "390 who never end their head keep nobody out" "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/health")" 200
look_until '.slow.open == 0'
holds "and are told so, and closed" "$held" '.slow.open == 0 and .slow.statuses == {"408": 390}'
let_go
serve_stop
is "it stops cleanly" "$serve_rc" 0

# ---- few files ----
few() { (ulimit -n "$1" && shift && exec "$@"); }
fails "more connections than files is an error that says so" 2 few 512 "$bin" serve --connections 1000
has "with the number that would do" "$(cat "$tmp/err")" "1256"
unset port
bin_kept=$bin
printf '#!/bin/sh\nulimit -n 300\nexec "%s" "$@"\n' "$bin" >"$tmp/few"
chmod +x "$tmp/few"
bin=$tmp/few
serve_start --task support || done_testing
bin=$bin_kept
hold 200:kept
is "with 300 files the server answers and does not run out" "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/health")" 200
is "nor complains" "$(grep -c 'file descriptors' "$tmp/serve.err")" 0
let_go
serve_stop
is "it stops cleanly" "$serve_rc" 0
done_testing
