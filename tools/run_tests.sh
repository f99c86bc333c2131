#!/usr/bin/env bash
# Runs the tests that are built and prints the total as the last line.
#   tools/run_tests.sh unit|quick|all BUILD_DIR
# unit: cmocka programs; quick: those and tests/e2e/t_*.sh; all: also tests/slow/t_*.sh
# A script reports by lines "ok - what", "not ok - what", "skip - what and why".
set -u
cd "$(dirname "$0")/.." || exit 1
kind=${1:-quick} build=${2:-build}
passed=0 failed=0 skipped=0
export BANTAM_TEST_DATA=${BANTAM_TEST_DATA:-$(readlink -f ../shared/data 2>/dev/null || echo /nonexistent)}
export BANTAM_TEST_MODELS=${BANTAM_TEST_MODELS:-$PWD/build/models}
export BANTAM_BIN=${BANTAM_BIN:-$PWD/$build/bantam}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

count() { grep -c "$1" "$log"; }

run_one() { # name, command...
    local name=$1 start=$SECONDS ok bad skip
    shift
    timeout "${TEST_TIMEOUT:-120}" "$@" >"$log" 2>&1 </dev/null
    local rc=$?
    # cmocka lists skipped and failed tests again after its summary line; count only what stands before
    if grep -q '^\[==========\]' "$log"; then
        local head
        head=$(sed '/^\[==========\] .*run\./,$d' "$log")
        ok=$(grep -c '^\[       OK \]' <<<"$head") skip=$(grep -c '^\[  SKIPPED \]' <<<"$head")
        bad=$(grep -c '^\[  FAILED  \]' <<<"$head")
    else
        ok=$(count '^ok ') bad=$(count '^not ok ') skip=$(count '^skip ')
    fi
    if [ $rc -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if [ "$bad" -ne 0 ]; then
        echo "FAILED $name (exit $rc, $((SECONDS - start)) s)"
        sed 's/^/    /' "$log" | tail -n 60
    elif [ "$ok" -eq 0 ] && [ "$skip" -eq 0 ]; then
        echo "FAILED $name: ran no test"
        failed=$((failed + 1))
    else
        echo "ok     $name: $ok passed$([ "$skip" -gt 0 ] && echo ", $skip skipped") ($((SECONDS - start)) s)"
        [ "$skip" -gt 0 ] && grep -E '^skip |^skipped:' "$log" | sort -u | sed 's/^/       /'
    fi
}

for t in $(find "$build/tests" -type f -name 't_*' ! -name '*.d' 2>/dev/null | sort); do
    run_one "${t#"$build"/tests/}" "$t"
done
run_one tools/check_layers.sh tools/check_layers.sh
if [ "$kind" != unit ]; then
    for t in tests/e2e/t_*.sh; do [ -e "$t" ] && run_one "$t" bash "$t"; done
fi
if [ "$kind" = all ]; then
    for t in tests/slow/t_*.sh tests/clients/t_*.sh; do
        [ -e "$t" ] && TEST_TIMEOUT=${SLOW_TIMEOUT:-1800} run_one "$t" bash "$t"
    done
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
