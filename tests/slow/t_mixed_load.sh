#!/usr/bin/env bash
# Everything at once (mixed_load.py) for SECONDS_EACH (60) on a server under each of SANITIZERS
# ("thread address"): no report, no wrong answer, a clean end. The kernels are left out under the thread
# sanitizer (they would be all the run does); the unit tests have them in.
. tests/e2e/lib.sh
need_program
need_verb serve "mixed load"
need_model minilm "mixed load"
need_model smollm2 "mixed load"
seconds=${SECONDS_EACH:-60}
python=${BANTAM_TEST_PYTHON:-python3}
sample_desk # fitted by the plain program
link_models
# a second model, the same file, that is seldom in use and so can be unloaded
mkdir -p "$BANTAM_HOME/models/second/local"
jq -c '.name = "second"' "$BANTAM_HOME/models/smollm2/local/manifest" >"$BANTAM_HOME/models/second/local/manifest"

build_with() { # thread|address: sets $bin
    local flags=(SAN=thread "KERN_FLAGS=-O3 -fno-sanitize=thread")
    [ "$1" = thread ] || flags=(SAN=address,undefined)
    (cd "$root" && ${MAKE:-make} --no-print-directory -j2 "${flags[@]}" OPT=-O1 B="build/mixed-$1" all >"$tmp/make.log" 2>&1) ||
        { not_ok "the program builds under $1" "$(grep -E 'error|warning' -A6 "$tmp/make.log" | head -n 30)"; return 1; }
    bin=${RUN_FROM:+$RUN_FROM/bantam-$1}
    [ -z "$bin" ] || { mkdir -p "$RUN_FROM" && cp "$root/build/mixed-$1/bantam" "$bin"; }
    bin=${bin:-$root/build/mixed-$1/bantam}
}
# A server under a sanitizer may take its time to start.
start_slowly() {
    port=$(free_port)
    url=http://127.0.0.1:$port
    TSAN_OPTIONS="halt_on_error=0 second_deadlock_stack=1 log_path=$tmp/report" \
        ASAN_OPTIONS="detect_leaks=1 halt_on_error=1 log_path=$tmp/report" UBSAN_OPTIONS="print_stacktrace=1 log_path=$tmp/report" \
        nice -n "${NICE:-0}" "$bin" serve --port "$port" --task support --drain 30 >"$tmp/serve.out" 2>"$tmp/serve.err" </dev/null &
    pid=$!
    pids+=("$pid")
    until curl -sf -m 5 "$url/health" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || { not_ok "the server starts" "$(cat "$tmp/serve.err")"; return 1; }
        sleep 0.2
    done
}
for sanitizer in ${SANITIZERS:-thread address}; do
    build_with "$sanitizer" && start_slowly || continue
    got=$("$python" "$root/tests/slow/mixed_load.py" "$port" "$pid" "$seconds" "${SEED:-1}" "${THREADS:-12}")
    echo "# $sanitizer: $got"
    holds "$sanitizer: nothing failed in $(jq .done <<<"$got") parts of mixed load, $(jq .seconds <<<"$got") s" "$got" '.failed == [] and .done > 0'
    serve_stop TERM
    is "$sanitizer: it stops cleanly" "$serve_rc" 0
    is "$sanitizer: no report" "$(cat "$tmp"/report* 2>/dev/null | head -c 6000)" ""
    rm -f "$tmp"/report*
done
done_testing
