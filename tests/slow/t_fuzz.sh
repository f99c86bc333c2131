#!/usr/bin/env bash
# Every fuzz target for FUZZ_SECONDS (20) over its corpus, under the sanitizers.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang >/dev/null || { echo "skip - fuzzing: clang is not installed (Debian: clang)"; exit 0; }
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
unset ONLY
${MAKE:-make} --no-print-directory -j2 fuzzers >"$log" 2>&1 || {
    echo "not ok - the fuzz targets build"
    grep -E 'error|warning' -A6 "$log" | head -n 40
    exit 0
}
exec tools/fuzz.sh build/fuzz-build/fuzz
