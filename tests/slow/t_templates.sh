#!/usr/bin/env bash
# The template engine against Jinja2 as transformers sets it up, byte by byte: every model's template in
# ../shared/data over every conversation, set of variables and end of tools/template_chats.py; and small random
# templates (RANDOM_TEMPLATES, 20000). Python: BANTAM_TEST_PYTHON, else a venv in build/venv.
set -u
cd "$(dirname "$0")/../.." || exit 1
data=${BANTAM_TEST_DATA:-/nonexistent} check=${BANTAM_BUILD:-build}/tests/text/t_template_models
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
export PYTHONDONTWRITEBYTECODE=1
. tools/venv.sh
python=$(venv_python "jinja2>=3.1.6" "import jinja2") ||
    { echo "skip - templates against Jinja2: no Python with jinja2 ($python)"; exit 0; }
[ -x "$check" ] || { echo "not ok - $check is not built"; exit 0; }

compare() { # what
    if TEMPLATE_ROWS=$temp/rows "$check" >"$temp/out" 2>&1; then
        echo "ok - $1: $(grep ' equal, ' "$temp/out")"
    else
        echo "not ok - $1: $(grep ' equal, ' "$temp/out")"
        head -n 40 "$temp/out" | sed 's/^/    /'
    fi
}
if [ ! -d "$data/chat-templates" ]; then
    echo "skip - models' templates: BANTAM_TEST_DATA has no chat-templates"
elif "$python" tools/golden_template.py "$data/chat-templates" --rows "$temp/rows" >"$temp/made" 2>&1; then
    compare "models' templates, $(cat "$temp/made")"
else
    echo "not ok - golden_template.py runs: $(tail -n 1 "$temp/made")"
fi
if "$python" tools/template_random.py "$temp/rows" "${RANDOM_TEMPLATES:-20000}" >"$temp/made" 2>&1; then
    compare "random templates, $(cat "$temp/made")"
else
    echo "not ok - template_random.py runs: $(tail -n 1 "$temp/made")"
fi
exit 0
