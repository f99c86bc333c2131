#!/usr/bin/env bash
# All unit tests under the address and undefined behaviour sanitizers, leaks included.
set -u
cd "$(dirname "$0")/../.." || exit 1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
BANTAM_BIN='' ; unset BANTAM_BIN ONLY
if ${MAKE:-make} --no-print-directory -j2 sanitize >"$log" 2>&1; then
    echo "ok - address,undefined: $(tail -n 1 "$log")"
else
    echo "not ok - address,undefined: $(tail -n 1 "$log")"
    grep -aE '^FAILED|ERROR: |SUMMARY|runtime error|error:' "$log" | sort | uniq -c | head -n 40
fi
exit 0
