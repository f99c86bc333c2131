#!/usr/bin/env bash
# LangChain's OpenAI, Anthropic and Ollama packages and LlamaIndex, unchanged, against SmolLM2 and
# MiniLM on loopback: see langchain_test.py.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/lib.sh
python_with langchain \
    "import langchain_openai, langchain_anthropic, langchain_ollama, llama_index.llms.openai_like" \
    langchain-openai langchain-anthropic langchain-ollama llama-index-llms-openai-like
start_server "LangChain and LlamaIndex"
run "$python" tests/clients/langchain_test.py "$url"
