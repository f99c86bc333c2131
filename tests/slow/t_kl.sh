#!/usr/bin/env bash
# What serving costs in quality: the mean KL divergence a token of the fastest kernels with F16 pages
# from float kernels with float pages, on paragraphs of SQuAD: at most 5e-3 (bench/bench_kl.c).
set -u
cd "$(dirname "$0")/../.." || exit 1
models=${BANTAM_TEST_MODELS:-/nonexistent} text=${BANTAM_TEST_DATA:-/nonexistent}/squad2/questions.jsonl
[ -e "$text" ] || { echo "skip - KL of serving: BANTAM_TEST_DATA has no squad2"; exit 0; }
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
python3 - "$text" >"$temp/text" <<'END' || exit 1
import json, sys
print("\n".join(dict.fromkeys(json.loads(x)["paragraph"] for x in open(sys.argv[1], encoding="utf-8"))))
END
${MAKE:-make} --no-print-directory build/bench/bench_kl >"$temp/log" 2>&1 || {
    echo "not ok - bench_kl is built: $(tail -n 1 "$temp/log")"
    exit 0
}
for model in smollm2/SmolLM2-135M-Instruct.Q4_1.gguf gemma3/gemma-3-270m-q4_k_m.gguf; do
    [ -e "$models/$model" ] || { echo "skip - KL of $model: it is not here"; continue; }
    if ! build/bench/bench_kl "$models/$model" "$temp/text" 2000 2 >"$temp/out" 2>"$temp/err"; then
        echo "not ok - KL of $model: $(tail -n 1 "$temp/err")"
    elif python3 -c "import json, sys; sys.exit(json.load(open('$temp/out'))['kl'] > 5e-3)"; then
        echo "ok - KL of $model: $(cat "$temp/out")"
    else
        echo "not ok - KL of $model is above 5e-3: $(cat "$temp/out")"
    fi
done
exit 0
