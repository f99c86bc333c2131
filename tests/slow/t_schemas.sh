#!/usr/bin/env bash
# Schemas against the truth of others: the table of docs/structured.md is what JSON Schema's suite gives today; random
# schemas write what the package jsonschema calls valid. Python: BANTAM_TEST_PYTHON, else a venv in build/venv.
set -u
cd "$(dirname "$0")/../.." || exit 1
suite=${BANTAM_TEST_DATA:-/nonexistent}/json-schema-suite check=${BANTAM_BUILD:-build}/tests/grammar/t_grammar_suite
export PYTHONDONTWRITEBYTECODE=1
. tools/venv.sh
[ -x "$check" ] || { echo "not ok - $check is not built"; exit 0; }

if [ ! -d "$suite" ]; then
    echo "skip - the suite's table: BANTAM_TEST_DATA has no json-schema-suite"
elif out=$(python3 tools/schema_coverage.py "$suite" "$check" --check docs/structured.md 2>&1); then
    echo "ok - $out"
else
    printf 'not ok - the table of docs/structured.md is of today\n%s\n' "$(tail -n 20 <<<"$out" | sed 's/^/    /')"
fi
python=$(venv_python jsonschema "import jsonschema") ||
    { echo "skip - random schemas: no Python with jsonschema ($python)"; exit 0; }
for seed in ${SCHEMA_SEEDS:-11 12 13}; do
    if out=$("$python" tests/slow/schema_random.py "$check" "${RANDOM_SCHEMAS:-2000}" "$seed" 2>&1); then
        echo "ok - $out"
    else
        printf 'not ok - random schemas, seed %s\n%s\n' "$seed" "$(tail -n 20 <<<"$out" | sed 's/^/    /')"
    fi
done
exit 0
