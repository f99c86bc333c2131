#!/usr/bin/env bash
# 200 random sets of tools, asked of SmolLM2 at temperature 2: each call that is made has the name of a
# tool, and arguments that another program's validator (PyPI's jsonschema) finds valid.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
need_model smollm2 "the server"
python=${BANTAM_PYTHON:-python3}
if ! "$python" -c 'import jsonschema' 2>/dev/null; then
    "$python" -m venv "$tmp/venv" >/dev/null 2>&1 && "$tmp/venv/bin/pip" install -q jsonschema 2>/dev/null
    python=$tmp/venv/bin/python
fi
if ! "$python" -c 'import jsonschema' 2>/dev/null; then
    skip "no jsonschema and no way to fetch it"
    done_testing
fi
link_models
serve_start || done_testing
if "$python" tests/clients/tools_random.py "$url" "${TOOL_SETS:-200}" >"$tmp/said" 2>&1; then
    ok "$(tail -n 1 "$tmp/said")"
else
    not_ok "random tools" "$(tail -n 5 "$tmp/said")"
fi
done_testing
