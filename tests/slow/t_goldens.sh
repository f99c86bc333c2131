#!/usr/bin/env bash
# Makes the committed goldens again with other people's programs (PyTorch and transformers, tokenizers,
# Jinja2, gguf) and compares: texts byte for byte, numbers within 2e-5. The quick tests then compare us
# with the goldens. Python: BANTAM_TEST_PYTHON, else a venv in build/venv, filled once where pip can.
set -u
cd "$(dirname "$0")/../.." || exit 1
models=${BANTAM_TEST_MODELS:-/nonexistent} data=${BANTAM_TEST_DATA:-/nonexistent}
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
. tools/venv.sh
python=$(venv_python "torch transformers tokenizers jinja2 gguf safetensors" \
    "import torch, transformers, tokenizers, jinja2, gguf, safetensors") || {
    echo "skip - goldens made again: no Python with torch, transformers, tokenizers, jinja2, gguf, safetensors ($python)"
    exit 0
}
gguf=$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf minilm=$models/minilm
{ [ -e "$gguf" ] && [ -e "$minilm/model.safetensors" ]; } ||
    { echo "skip - goldens made again: the models are not here"; exit 0; }

same() { # golden, command...
    local golden=$1
    shift
    if ! PYTHONDONTWRITEBYTECODE=1 "$python" "$@" >"$temp/new" 2>"$temp/err"; then
        echo "not ok - $1 runs: $(tail -n 1 "$temp/err")"
    elif [ ! -s "$golden" ]; then
        echo "not ok - $golden is not here"
    elif "$python" tools/golden_compare.py "$golden" "$temp/new" >"$temp/err" 2>&1; then
        echo "ok - $golden: $(cat "$temp/err")"
    else
        echo "not ok - $golden differs: $(head -n 1 "$temp/err")"
    fi
}
same tests/token/golden_smollm2.jsonl tools/golden_smollm2_tokens.py "$gguf"
same tests/token/golden_chat.jsonl tools/golden_chat.py "$gguf"
same tests/token/golden_minilm.jsonl tools/golden_minilm_tokens.py "$minilm/tokenizer.json"
same tests/tensor/golden/dequantise.txt tools/golden_dequantise.py
same tests/model/golden/minilm.txt tools/golden_minilm.py "$minilm"
same tests/model/golden/smollm2.txt tools/golden_smollm2.py "$gguf"
gemma=$models/gemma3/gemma-3-270m-q4_k_m.gguf
if [ -e "$gemma" ]; then
    same tests/model/golden/gemma3.txt tools/golden_gemma3.py "$gemma"
else
    echo "skip - Gemma's golden made again: the model is not here"
fi

# the tiny models, one file each; the GGUF lines in them came from llama.cpp's converter once
mkdir -p "$temp/tiny" && cp tests/model/golden/tiny/*.txt "$temp/tiny"
if PYTHONDONTWRITEBYTECODE=1 "$python" tools/golden_models.py "$temp/tiny" >"$temp/err" 2>&1 &&
    PYTHONDONTWRITEBYTECODE=1 "$python" tools/golden_adapter.py "$temp/tiny" >"$temp/err" 2>&1; then
    for golden in tests/model/golden/tiny/*.txt; do
        same "$golden" -c "print(open('$temp/tiny/$(basename "$golden")').read(), end='')"
    done
else
    echo "not ok - golden_models.py and golden_adapter.py run: $(tail -n 1 "$temp/err")"
fi

# this one writes beside itself
mkdir -p "$temp/copy/tests/text" "$temp/copy/tools"
cp tools/golden_template.py tools/jinja_reference.py tools/template_chats.py "$temp/copy/tools/"
if [ ! -d "$data/chat-templates" ]; then
    echo "skip - golden templates: BANTAM_TEST_DATA has no chat-templates"
elif "$python" "$temp/copy/tools/golden_template.py" "$data/chat-templates" "$gguf" >"$temp/err" 2>&1; then
    for golden in golden_template.jsonl golden_template_chats.json golden_template_models.jsonl; do
        if cmp -s "tests/text/$golden" "$temp/copy/tests/text/$golden"; then
            echo "ok - tests/text/$golden: the same bytes"
        else
            echo "not ok - tests/text/$golden differs"
        fi
    done
else
    echo "not ok - golden_template.py runs: $(tail -n 1 "$temp/err")"
fi
exit 0
