#!/usr/bin/env bash
# Runs every fuzz target in DIR for FUZZ_SECONDS (default 20) over its corpus: fuzz.sh DIR
# New inputs go to build/fuzz-corpus/NAME, not into the tree; what crashes is kept as
# build/fuzz-found/NAME-*, its report printed. ONLY=pattern chooses targets.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=$1 seconds=${FUZZ_SECONDS:-20} bad=0 log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
mkdir -p build/fuzz-found
export UBSAN_OPTIONS=print_stacktrace=1
for target in "$dir"/f_*; do
    [ -x "$target" ] && [ "${target%.d}" = "$target" ] || continue
    name=${target##*/f_}
    [[ $name =~ ${ONLY:-} ]] || continue
    mkdir -p "build/fuzz-corpus/$name"
    # an allocation that no caller limits is a finding, hence the small memory
    "$target" "build/fuzz-corpus/$name" "tests/fuzz/corpus/$name" -max_total_time="$seconds" \
        -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="build/fuzz-found/$name-" >"$log" 2>&1 </dev/null
    if [ $? -eq 0 ]; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "ok - fuzz $name: ${runs:-0} inputs in $seconds s"
    else
        echo "not ok - fuzz $name"
        tail -n 40 "$log" | sed 's/^/    /'
        bad=1
    fi
done
exit $bad
