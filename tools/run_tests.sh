#!/usr/bin/env bash
# Runs the tests that are built and prints the total as the last line.
#   tools/run_tests.sh unit|quick|all BUILD_DIR
# unit: cmocka programs and the check of the layers; quick: those and tests/e2e/t_*.sh;
# all: also tests/slow/t_*.sh and tests/clients/t_*.sh; slow: only these two
# A script reports by lines "ok - what", "not ok - what", "skip - what and why".
# Unit tests run JOBS at a time (default: 2), scripts one by one, for they start servers and measure;
# what is printed stands in the order of the names all the same.
# ONLY=pattern runs those whose name matches it.
set -u
cd "$(dirname "$0")/.." || exit 1
kind=${1:-quick} build=${2:-build}
export BANTAM_TEST_DATA=${BANTAM_TEST_DATA:-$(readlink -f ../shared/data 2>/dev/null || echo /nonexistent)}
export BANTAM_TEST_MODELS=${BANTAM_TEST_MODELS:-$PWD/build/models}
export BANTAM_BIN=${BANTAM_BIN:-$PWD/$build/bantam}
jobs=${JOBS:-2} limit=${TEST_TIMEOUT:-120} started=$SECONDS
case $build in build) ;; *) limit=$((limit * 10)) ;; esac # a sanitizer costs about that
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

run_one() { # number, seconds, name, command... -> $work/NUMBER.counts and .report
    local at=$work/$1 seconds=$2 name=$3 start=$SECONDS ok bad skip rc log=$work/$1.log
    shift 3
    timeout -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null
    rc=$?
    # cmocka lists skipped and failed tests again after its summary line; count only what stands before
    if grep -q '^\[==========\]' "$log"; then
        local head
        head=$(sed '/^\[==========\] .*run\./,/^\[==========\].*Running/d' "$log")
        ok=$(grep -c '^\[       OK \]' <<<"$head") skip=$(grep -c '^\[  SKIPPED \]' <<<"$head")
        bad=$(grep -c '^\[  FAILED  \]' <<<"$head")
    else
        ok=$(grep -c '^ok ' "$log") bad=$(grep -c '^not ok ' "$log") skip=$(grep -c '^skip ' "$log")
    fi
    {
        [ $rc -ne 124 ] || echo "    (stopped after $seconds s)"
        if [ $rc -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
        if [ "$ok" -eq 0 ] && [ "$skip" -eq 0 ] && [ "$bad" -eq 0 ]; then
            echo "    ran no test"
            bad=1
        fi
        if [ "$bad" -ne 0 ]; then
            echo "FAILED $name (exit $rc, $((SECONDS - start)) s)"
            grep -a '^not ok ' "$log" | sed 's/^/    /'
            sed 's/^/    /' "$log" | tail -n 60
        else
            echo "ok     $name: $ok passed$([ "$skip" -gt 0 ] && echo ", $skip skipped") ($((SECONDS - start)) s)"
        fi
        [ "$skip" -eq 0 ] || grep -aE '^skip |^skipped:' "$log" | sort -u | sed 's/^/       /'
    } >"$at.report"
    echo "$ok $bad $skip" >"$at.counts"
    rm -f "$log"
}

total=0 printed=0 passed=0 failed=0 skipped=0
print_done() { # those that are finished, in order
    local ok bad skip
    while [ -s "$work/$((printed + 1)).counts" ]; do
        printed=$((printed + 1))
        cat "$work/$printed.report"
        read -r ok bad skip <"$work/$printed.counts"
        passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    done
}
start_one() { # seconds, name, command...
    [[ $2 =~ ${ONLY:-} ]] || return
    total=$((total + 1))
    run_one $total "$@" &
}
wait_for_all() {
    wait
    print_done
}

if [ "$kind" != slow ]; then
    while read -r t; do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
            wait -n
            print_done
        done
        start_one "$limit" "${t#"$build"/tests/}" "$t"
    done < <(find "$build/tests" -type f -name 't_*' ! -name '*.d' 2>/dev/null | sort)
    wait_for_all
    start_one "$limit" tools/check_layers.sh tools/check_layers.sh
    start_one "$limit" tools/check_circles.sh tools/check_circles.sh "$build"
    wait_for_all
fi
scripts() { # seconds, files...
    local seconds=$1 t
    shift
    for t in "$@"; do
        [ -e "$t" ] || continue
        start_one "$seconds" "$t" bash "$t"
        wait_for_all
    done
}
case $kind in quick | all) scripts "$limit" tests/e2e/t_*.sh ;; esac
case $kind in slow | all) scripts "${SLOW_TIMEOUT:-1800}" tests/slow/t_*.sh tests/clients/t_*.sh ;; esac
[ "$printed" -eq "$total" ] || { echo "$((total - printed)) tests left no result"; failed=$((failed + total - printed)); }
echo "$((SECONDS - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
