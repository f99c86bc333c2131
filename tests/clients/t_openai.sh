#!/usr/bin/env bash
# OpenAI's Python client, unchanged, against a server with the sample task, SmolLM2 and MiniLM: see
# openai_test.py.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/lib.sh
python_with openai "import openai" openai
start_server "OpenAI's Python client" --task "$PWD/tasks/support.yaml"
run "$python" tests/clients/openai_test.py "$url"
