#!/usr/bin/env bash
# Checks that files call each other one way only: build/obj's symbols say who calls whom, and tsort(1)
# finds an order in which each file stands above all that it calls. Below src/LAYERS this holds within
# rooms, too. One recursion is the language's own: a template's expressions, statements and filters.
#   tools/check_circles.sh [BUILD]
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
objects=()
for file in src/*/*.c; do
    object=$build/obj/${file#src/}
    [ -e "${object%.c}.o" ] && objects+=("${object%.c}.o")
done
[ ${#objects[@]} -gt 0 ] || { echo "not ok - nothing is built in $build"; exit 1; }

arrows=$(nm -o "${objects[@]}" 2>/dev/null | awk -v prefix="$build/obj/" '
    {
        at = index($1, ":"); file = substr($1, length(prefix) + 1, at - length(prefix) - 1)
        if (file ~ /^text\/template_(eval|run|filter|list|format|method)\.o$/) file = "text/template"
        if ($(NF - 1) == "U") used[file, $NF] = 1
        else if ($(NF - 1) ~ /^[TDRB]$/) home[$NF] = file
    }
    END {
        for (pair in used) {
            split(pair, p, SUBSEP)
            if ((p[2] in home) && home[p[2]] != p[1]) print p[1], home[p[2]]
        }
    }' | sort -u)
[ -n "$arrows" ] || { echo "not ok - no calls were found in $build"; exit 1; }
if said=$(tsort <<<"$arrows" 2>&1 >/dev/null); then
    echo "ok - files call each other one way only"
else
    echo "not ok - files that call each other in a circle: $(grep -v ':$' <<<"$said" | sed 's/^tsort: //; s/\.o$//' | tr '\n' ' ')"
    exit 1
fi
