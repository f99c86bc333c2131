#!/usr/bin/env bash
# The whole tree by clang, without a warning (warnings are errors), tests and benchmarks included.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang >/dev/null || { echo "skip - clang: not installed (Debian: clang)"; exit 0; }
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
if ${MAKE:-make} --no-print-directory -j2 CC=clang build-tests benches >"$log" 2>&1; then
    echo "ok - clang $(clang -dumpversion) builds program, tests and benchmarks without a warning"
else
    echo "not ok - clang"
    grep -E 'error|warning' -A6 "$log" | head -n 40
fi
exit 0
