#!/usr/bin/env bash
# What the hurried and the unlucky do: names of pipes, devices and folders where a file is meant,
# outputs over inputs, models that were moved away, programs started without their three files.
. tests/e2e/lib.sh
need_program
cd "$tmp" || exit 1
says() { has "$1" "$(cat "$tmp/err")" "$2"; } # WHAT PART, behind fails

# ---- what is no model ----
mkfifo pipe.gguf
ln -s loop.gguf loop.gguf
mkdir empty
head -c 5000 /dev/urandom >noise.gguf
for verb in show pull; do
    fails "$verb of a pipe does not wait for a writer" 2 timeout 20 "$bin" $verb ./pipe.gguf
    fails "$verb of a link to itself" 8 "$bin" $verb ./loop.gguf
    says "says what the link is" "symbolic links"
done
fails "pull of noise exits 6" 6 "$bin" pull ./noise.gguf
fails "pull of a folder without a model exits 6" 6 "$bin" pull ./empty
fails "a folder without a model is named" 4 "$bin" run ./empty hi
says "and what belongs into it" "config.json, tokenizer.json and model.safetensors"
is "nothing of these is listed as here" "$("$bin" list --json | jq '[.models[] | select(.path != null)] | length')" 0

printf x >$'e\033[31mvil.gguf'
fails "an error does not send escapes to a terminal" 7 "$bin" show ./$'e\033[31mvil.gguf'
is "whatever it quotes" "$(grep -c $'\033' "$tmp/err") $(grep -c 'e?\[31mvil' "$tmp/err")" "0 1"

# ---- standard input, output, error closed or full ----
for what in --version --help 'list' 'run --help'; do
    # shellcheck disable=SC2086
    "$bin" $what >/dev/full 2>"$tmp/err"
    is "$what to a full disk exits 8" $? 8
    # shellcheck disable=SC2086
    "$bin" $what >&- 2>"$tmp/err"
    is "$what to a closed output exits 8" $? 8
done

# ---- a vocabulary alone ----
vocab=${BANTAM_TEST_DATA:-/nonexistent}
if [ -d "$vocab/llamacpp-vocab" ]; then
    v=$vocab/llamacpp-vocab/ggml-vocab-gpt-2.gguf
    fails "a vocabulary does not run" 6 "$bin" run "$v" hi
    says "and is called one" "a vocabulary and no weights"
    fails "nor is it quantised" 6 "$bin" quantize "$v" v.gguf Q8_0
    is "and no file is left" "$(ls v.gguf* 2>/dev/null)" ""
    one_object "a folder with tokenizer.json alone tokenizes" "$bin" tokenize "$vocab/tokenizer-qwen3" hi --json
    is "as Qwen3 does" "$json" '{"ids":[6023]}'
    fails "but does not run" 4 "$bin" run "$vocab/tokenizer-qwen3" hi
else skip "vocabularies: no BANTAM_TEST_DATA"; fi

# ---- with a model ----
need_model minilm "outputs over inputs"
cp -rL "$models/minilm" folder
sum() { find folder -type f -exec sha256sum {} + | sort | sha256sum; }
before=$(sum)
fails "a folder's weights are not written over" 2 "$bin" convert folder folder/model.safetensors
fails "nor its config by another name" 2 "$bin" convert folder "$tmp/./folder/config.json"
is "and the folder is as it was" "$(sum)" "$before"
"$bin" convert folder folder/out.gguf --type Q8_0 >/dev/null
is "a new file in it may be" $? 0
"$bin" convert folder folder/out.gguf --type Q8_0 >/dev/null
is "and be made again" $? 0
small=$tmp/folder/out.gguf
fails "an output needs a name" 2 "$bin" quantize "$small" "" F16
fails "and a folder that is there" 4 "$bin" quantize "$small" nosuch/out.gguf F16
says "which it says" "there is no folder \"nosuch\""
fails "a pipe is not replaced" 5 "$bin" quantize "$small" pipe.gguf F16
is "it is a pipe still" "$([ -p pipe.gguf ] && echo pipe)" pipe
fails "a folder to write needs a name" 2 "$bin" convert "$small" ""

vector() { "$bin" embed "$@" --json 2>/dev/null | jq -c '.embeddings[0]'; }
"$bin" convert folder floats.gguf --type F32 >/dev/null
is "an encoder's GGUF file is multiplied in int8 as its folder is" "$(vector ./floats.gguf "a cat" --int8)" "$(vector ./folder "a cat" --int8)"
is "which is not as in float" "$([ "$(vector ./floats.gguf "a cat" --int8)" != "$(vector ./floats.gguf "a cat")" ] && echo yes)" yes
"$bin" pull ./floats.gguf >/dev/null
is "and it is listed as an encoder" "$("$bin" list --json | jq -r '.models[] | select(.name == "floats") | .kind')" encoder
"$bin" rm floats >/dev/null

cp "$small" moved.gguf
"$bin" pull ./moved.gguf >/dev/null
mv moved.gguf elsewhere.gguf
fails "a model that was moved away is missed" 4 "$bin" show moved
has "list says where it lay" "$("$bin" list)" "file gone      it lay at"
holds "to scripts, too" "$("$bin" list --json)" '[.models[] | select(.gone)] | length == 1 and .[0].name == "moved" and .[0].path == null'
says "where it lay, and" "should lie at"
has "rm forgets it all the same" "$("$bin" rm moved)" "removed"
fails "and then it is unknown" 4 "$bin" rm moved

# ---- damaged files ----
for part in config.json tokenizer.json; do
    mv folder/$part whole
    head -c 300 whole >folder/$part
    fails "half a $part exits 7" 7 "$bin" embed "$tmp/folder" hi
    says "and is named" "folder/$part"
    mv whole folder/$part
done
nan() { head -c 400000 /dev/zero | tr '\0' '\377' | dd of="$1" bs=1000 seek="$2" conv=notrunc 2>/dev/null; } # FILE AT_KB
cp "$small" nan.gguf
nan nan.gguf $(($(stat -c %s nan.gguf) / 1000 - 400))
fails "vectors that are no numbers are none" 7 "$bin" embed ./nan.gguf hi

# a home that may not be written, to a user who is not root
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    mkdir -p locked
    chmod 755 "$tmp" locked
    cp "$bin" bantam
    nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env BANTAM_HOME="$tmp/locked" "$tmp/bantam" "$@"; }
    fails "a home that may not be written is named so" 3 nobody review list
    says "with the reason" "Permission denied"
    chmod 755 folder
    chmod 644 folder/*
    one_object "a model in its place needs no home that can be written" nobody embed "$tmp/folder" hi --json
    holds "and gives its vector" "$json" '.embeddings[0] | length == 384'
    one_object "list needs none" nobody list --json
    fails "but pull does" 3 nobody pull "$tmp/folder"
else skip "a home that may not be written: not root"; fi

if have_model smollm2; then
    gguf=$(readlink -f "$models"/smollm2/*.gguf)
    "$bin" convert "$gguf" back/ >/dev/null
    is "a folder's name may end with a slash" "$? $(ls back | wc -l)" "0 4"
    fails "what is refused is refused before the importance is measured" 6 timeout 20 "$bin" quantize "$gguf" w.gguf Q4_0 --imatrix "$root/README.md"
    says "with its reason" "a second rounding"
    fails "so is an output that cannot be" 4 timeout 20 "$bin" quantize "$gguf" none/w.gguf Q4_0 --allow-requantize --imatrix "$root/README.md"
    ask=("$gguf" hi -n 2)
    wanted=$("$bin" run "${ask[@]}" </dev/null 2>/dev/null)
    is "run without a standard input answers its argument" "$("$bin" run "${ask[@]}" <&- 2>/dev/null)" "$wanted"
    is "and without a place for errors" "$("$bin" run "${ask[@]}" <&- 2>&-)" "$wanted"
    fails "an option is named as it was given" 2 "$bin" run "$gguf" hi --max-tokens -3
    says "(max-tokens)" "max-tokens must be a whole number"
    one_object "where the usual answer does not fit, the context bounds it" "$bin" run "$gguf" "Tell me a long story" --ctx 48 --json
    holds "which is told" "$json" '.finish == "length" and .prompt_tokens + .completion_tokens == 48'
    fails "a context above the model's is refused" 2 "$bin" run "$gguf" hi --ctx 100000
    says "with the model's" "the context of 8192"
    fails "what was asked for outright is refused" 2 "$bin" run "$gguf" "Tell me a long story" --ctx 48 -n 40
    is "-n3 is -n 3" "$("$bin" run "$gguf" hi -n3 --json </dev/null | jq .completion_tokens)" 3
    is "top_p 0 is the likeliest alone, not everything" "$("$bin" run "$gguf" "Say hello" -n 6 --temp 1 --top-p 0 --seed 3 --json </dev/null | jq -c .ids)" \
        "$("$bin" run "$gguf" "Say hello" -n 6 --json </dev/null | jq -c .ids)"
    fails "a model is no adapter" 6 "$bin" run "${ask[@]}" --lora "$gguf"
    cp "$gguf" served.gguf
    "$bin" pull ./served.gguf >/dev/null
    if serve_start; then
        chat='{"model": "served", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}'
        post /v1/chat/completions "$chat" >/dev/null
        rm served.gguf
        holds "a model that is deleted while it is served goes on" "$(post /v1/chat/completions "$chat")" '.choices | length == 1'
        is "and ps shows its memory" "$("$bin" ps --json | jq -r '.loaded[] | select(.id == "served") | .state')" loaded
        "$bin" unload served >/dev/null 2>&1
        fails "once unloaded it is gone, in the server's words" 4 "$bin" load served
        says "with the reason" "No such file"
        serve_stop
    fi
    cp "$gguf" nan.gguf
    nan nan.gguf $(($(stat -c %s nan.gguf) / 1000 - 400))
    for what in "run ./nan.gguf hi" "score ./nan.gguf --prompt a --choice b --choice c --json" \
        "perplexity ./nan.gguf --file $root/LICENSE --ctx 256 --json"; do
        # shellcheck disable=SC2086
        fails "logits that are no numbers are an error: ${what%% *}" 7 "$bin" $what
        says "that says so" "not numbers"
    done
    one_object "a blank is a prompt where it is taken as it is" "$bin" run "$gguf" --raw " " -n 1 --json
else skip "answers: smollm2 is not here"; fi
done_testing
