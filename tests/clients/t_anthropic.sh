#!/usr/bin/env bash
# Anthropic's Python client, unchanged, against SmolLM2 on loopback: see anthropic_test.py.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/lib.sh
python_with anthropic "import anthropic" anthropic
start_server "Anthropic's Python client"
run "$python" tests/clients/anthropic_test.py "$url"
