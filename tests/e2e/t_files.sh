#!/usr/bin/env bash
# bantam quantize and convert as programs: results, refusals, exit codes, and that a stopped or failed
# run leaves neither a half file nor a temporary one.
. tests/e2e/lib.sh
need_program
fails "quantize of a missing file exits 4" 4 "$bin" quantize "$tmp/nosuch.gguf" "$tmp/out.gguf" Q8_0
fails "quantize to an unknown type exits 2" 2 "$bin" quantize "$tmp/nosuch.gguf" "$tmp/out.gguf" Q9
fails "convert of a missing folder exits 4" 4 "$bin" convert "$tmp/nosuch" "$tmp/out.gguf"
mkdir "$tmp/empty"
fails "convert of an empty folder exits 4" 4 "$bin" convert "$tmp/empty" "$tmp/out.gguf"
fails "quantize of a folder says what to do" 2 "$bin" quantize "$tmp/empty" "$tmp/out.gguf" Q8_0
has "it names convert" "$("$bin" quantize "$tmp/empty" "$tmp/out.gguf" Q8_0 2>&1)" "bantam convert"

# ---- a folder becomes a file, the file a smaller one, and all give the same vectors ----
need_model minilm "convert and quantize"
one_object "convert --json" "$bin" convert "$models/minilm" "$tmp/minilm.gguf" --type F32 --json
is "its keys" "$(jq -c 'keys_unsorted' <<<"$json")" \
    '["input","output","architecture","type","tokenizer","pre_tokenizer","tokens","tensors","bytes_in","bytes_out","types","seconds"]'
holds "what it is" "$json" '.architecture == "bert" and .type == "F32" and .tokens == 30522 and .tokenizer == "bert"'
one_object "quantize --json" "$bin" quantize "$tmp/minilm.gguf" "$tmp/minilm-q8.gguf" q8_0 --json
holds "half and a quarter of a byte, a quarter of the file" "$json" \
    '.type == "Q8_0" and .types.Q8_0 == 37 and .bytes_out * 3.4 < .bytes_in and .bits_per_weight < 9.2'
vector() { "$bin" embed "$1" "I lost my card abroad" --kern f32 --json | jq -c '.embeddings[0]'; }
cosine() { jq -n --argjson a "$1" --argjson b "$2" '[range($a | length) | $a[.] * $b[.]] | add'; }
folder=$(vector "$models/minilm")
at_least "the file's vector is the folder's" "$(cosine "$folder" "$(vector "$tmp/minilm.gguf")")" 0.999999
at_least "the small file's nearly" "$(cosine "$folder" "$(vector "$tmp/minilm-q8.gguf")")" 0.9995
fails "a file is not written over itself" 2 "$bin" quantize "$tmp/minilm.gguf" "$tmp/minilm.gguf" Q8_0
fails "a folder in the way exits 5" 5 "$bin" quantize "$tmp/minilm.gguf" "$tmp/empty" Q8_0
fails "rounding twice needs a word" 6 "$bin" quantize "$tmp/minilm-q8.gguf" "$tmp/out.gguf" Q4_0
fails "an encoder has no importance" 6 "$bin" quantize "$tmp/minilm.gguf" "$tmp/out.gguf" Q4_0 \
    --imatrix "$root/README.md"

# ---- stopped, cut, full ----
"$bin" quantize "$tmp/minilm.gguf" "$tmp/out.gguf" Q4_1 >/dev/null 2>&1 &
pid=$!
for _ in $(seq 200); do
    compgen -G "$tmp/out.gguf.tmp-*" >/dev/null && break
    sleep 0.01
done
kill -INT $pid
wait $pid
rc=$?
if [ $rc -eq 0 ]; then ok "quantize was done before it could be stopped"; else is "a stopped quantize exits 130" $rc 130; fi
is "and leaves no temporary file" "$(compgen -G "$tmp/out.gguf.tmp-*")" ""
head -c 20000000 "$tmp/minilm.gguf" >"$tmp/cut.gguf"
rm -f "$tmp/out.gguf"
fails "a cut file exits 7" 7 "$bin" quantize "$tmp/cut.gguf" "$tmp/out.gguf" Q8_0
is "and writes nothing" "$(compgen -G "$tmp/out.gguf*")" ""
(
    ulimit -f 2000
    trap '' XFSZ
    "$bin" quantize "$tmp/minilm.gguf" "$tmp/out.gguf" Q8_0 >/dev/null 2>"$tmp/err"
)
is "a file that may not grow exits 8" $? 8
is "and leaves nothing" "$(compgen -G "$tmp/out.gguf*")" ""

# ---- back to a folder; with importance ----
fails "an encoder's file does not go back" 6 "$bin" convert "$tmp/minilm.gguf" "$tmp/folder"
is "and leaves no folder" "$(compgen -G "$tmp/folder*")" ""
fails "a folder's weights are not quantised" 2 "$bin" convert "$tmp/minilm.gguf" "$tmp/folder" --type Q8_0
if [ -e "$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" ]; then
    one_object "convert FILE FOLDER --json" "$bin" convert "$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" \
        "$tmp/folder" --json
    holds "what it is" "$json" '.architecture == "llama" and .type == "BF16" and .tokens == 49152 and .tensors == 272'
    is "its files" "$(cd "$tmp/folder" && echo *)" "config.json model.safetensors tokenizer.json tokenizer_config.json"
    ask=(--raw "The capital of France is" --max-tokens 4 --kern f32)
    is "the folder answers as the file does" "$("$bin" run "$tmp/folder" "${ask[@]}" 2>/dev/null)" \
        "$("$bin" run "$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "${ask[@]}" 2>/dev/null)"
    head -c 3000 "$root/README.md" >"$tmp/text"
    one_object "quantize --imatrix" "$bin" quantize "$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" \
        "$tmp/smol.gguf" Q8_0 --allow-requantize --imatrix "$tmp/text" --json
    holds "says how much it read and weighed" "$json" '.calibration_tokens > 300 and .weighed_tensors == 210'
    printf 'too short' >"$tmp/text"
    fails "a text of no length exits 2" 2 "$bin" quantize "$models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" \
        "$tmp/out.gguf" Q8_0 --allow-requantize --imatrix "$tmp/text"
else skip "quantize --imatrix: smollm2 is not here"; fi
done_testing
