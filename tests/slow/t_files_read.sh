#!/usr/bin/env bash
# What quantize and convert write, read by other people's packages: gguf and safetensors.
# Python: BANTAM_TEST_PYTHON, else a venv in build/venv, filled once where pip can.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=$PWD/build/bantam models=${BANTAM_TEST_MODELS:-/nonexistent} temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
. tools/venv.sh
python=$(venv_python "numpy gguf safetensors" "import numpy, gguf, safetensors") || {
    echo "skip - files read by others: no Python with numpy, gguf, safetensors ($python)"
    exit 0
}
[ -e "$models/minilm/model.safetensors" ] || { echo "skip - files read by others: no minilm"; exit 0; }
bad=0
check() { # what, source, made
    local said
    if said=$("$python" tools/check_files.py "$2" "$3" 2>&1); then echo "ok - $1: $said"; else
        echo "not ok - $1: $(tail -n 1 <<<"$said")"
        bad=1
    fi
}
"$bin" convert "$models/minilm" "$temp/f32.gguf" --type F32 >/dev/null || bad=1
check "a folder, converted" "$models/minilm" "$temp/f32.gguf"
for type in F16 BF16 Q8_0 Q6_K Q5_K_M Q5_1 Q5_0 Q4_K_M Q4_1 IQ4_NL Q4_0; do
    "$bin" quantize "$temp/f32.gguf" "$temp/q.gguf" $type >/dev/null || bad=1
    check "$type" "$temp/f32.gguf" "$temp/q.gguf"
done
smollm2=$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if [ -e "$smollm2" ]; then
    "$bin" convert "$smollm2" "$temp/folder" --type F32 >/dev/null || bad=1
    "$bin" convert "$temp/folder" "$temp/back.gguf" --type F32 >/dev/null || bad=1
    check "a file made a folder, and a file again" "$temp/folder" "$temp/back.gguf"
fi
exit $bad
