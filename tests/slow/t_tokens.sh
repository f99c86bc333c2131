#!/usr/bin/env bash
# 1,000 odd texts by other people's tokenizers, made anew, against ours: Qwen3, SmolLM2, MiniLM and XLM-RoBERTa's
# vocabulary by the tokenizers package, Llama 2, Gemma 3 and the same vocabulary by sentencepiece; and every step of a tokenizer.json
# by itself (tools/golden_token_steps.py). The committed files must be the beginning of what is made.
set -u
cd "$(dirname "$0")/../.." || exit 1
models=${BANTAM_TEST_MODELS:-/nonexistent} data=${BANTAM_TEST_DATA:-/nonexistent}
build=$(dirname "${BANTAM_BIN:-build/bantam}")/tests/token
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
. tools/venv.sh
python=$(venv_python "tokenizers sentencepiece protobuf gguf" \
    "import tokenizers, gguf; from sentencepiece import sentencepiece_model_pb2") || {
    echo "skip - tokens of 1,000 texts: no Python with tokenizers, sentencepiece, protobuf, gguf ($python)"
    exit 0
}
export PYTHONDONTWRITEBYTECODE=1

compare() { # name, kind, their file, our file, golden (or -)
    if [ ! -e "$3" ]; then
        echo "skip - tokens of 1,000 texts, $1: $3 is not here"
    elif ! "$python" tools/golden_token_ids.py "$2" "$3" 1000 "$temp/made.json" >"$temp/$1" 2>"$temp/err"; then
        echo "not ok - golden_token_ids.py $2: $(tail -n 1 "$temp/err")"
    elif "$build/t_token_vectors" "$4" "$temp/$1" >"$temp/out" 2>&1; then
        echo "ok - tokens of $(wc -l <"$temp/$1") texts, $1"
    else
        echo "not ok - tokens of 1,000 texts, $1: $(grep -a -m 1 differs "$temp/out" | cut -c 1-200)"
    fi
    [ "$5" = - ] || [ ! -s "$temp/$1" ] || {
        if "$python" tools/golden_token_ids.py "$2" "$3" 150 2>/dev/null | cmp -s - "tests/token/golden_$5.jsonl"; then
            echo "ok - golden_$5.jsonl is what is made"
        else
            echo "not ok - golden_$5.jsonl is not what is made"
        fi
    }
}
vocab=$data/llamacpp-vocab/ggml-vocab
compare qwen3 json "$data/tokenizer-qwen3/tokenizer.json" "$data/tokenizer-qwen3/tokenizer.json" qwen3
compare llama2 spm "$data/llama2-tokenizer/tokenizer.model" "$vocab-llama-spm.gguf" llama2
compare unigram unigram "$vocab-nomic-bert-moe.gguf" "$vocab-nomic-bert-moe.gguf" unigram
compare xlm-roberta unigram-json "$vocab-nomic-bert-moe.gguf" "$temp/made.json" -
smollm2=$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
compare smollm2 smollm "$smollm2" "$smollm2" -
gemma=$models/gemma3/gemma-3-270m-q4_k_m.gguf
compare gemma3 gguf "$gemma" "$gemma" gemma3
compare minilm json "$models/minilm/tokenizer.json" "$models/minilm/tokenizer.json" -

if ! "$python" tools/golden_token_steps.py >"$temp/steps" 2>"$temp/err"; then
    echo "not ok - golden_token_steps.py: $(tail -n 1 "$temp/err")"
elif cmp -s "$temp/steps" tests/token/golden_steps.jsonl; then
    echo "ok - golden_steps.jsonl is what is made"
else
    echo "not ok - golden_steps.jsonl is not what is made"
fi
"$python" tools/golden_token_steps.py 1000 >"$temp/steps" 2>/dev/null
if "$build/t_token_steps" "$temp/steps" >"$temp/out" 2>&1; then
    echo "ok - every step of a tokenizer.json on 1,000 texts ($(grep -c '"text"' "$temp/steps") comparisons)"
else
    echo "not ok - steps of a tokenizer.json: $(grep -a -m 1 differs "$temp/out" | cut -c 1-200)"
fi
exit 0
