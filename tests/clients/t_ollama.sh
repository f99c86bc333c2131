#!/usr/bin/env bash
# Ollama's Python client, unchanged, against SmolLM2 and MiniLM on loopback: see ollama_test.py.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/lib.sh
python_with ollama "import ollama" ollama
start_server "Ollama's Python client"
run "$python" tests/clients/ollama_test.py "$url"
