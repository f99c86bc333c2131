#!/usr/bin/env bash
# make run: from a clone to a support desk on localhost.
#   FROM=DIR   take models and packages from this folder first (see tools/bundle.sh); PORT=N another port
set -u
cd "$(dirname "$0")/.." || exit 1
from=${FROM:-} port=${PORT:-8088}
if [ -n "$from" ]; then
    from=$(readlink -f "$from") && [ -d "$from" ] || { echo "FROM=$FROM is not a folder" >&2; exit 2; }
    export BANTAM_FROM=$from
fi
bin=build/bantam

tools/install_deps.sh "$from" || exit 1
[ -f build/deps/env ] && . build/deps/env
"${MAKE:-make}" --no-print-directory -j"$(nproc)" all FROM="$from" || {
    echo "The build failed; the first error stands above." >&2
    exit 1
}
for model in minilm smollm2; do
    "$bin" pull "$model" >build/pull.log || exit $? # says on stderr what went wrong and what to do
done
exec "$bin" serve --port "$port"
