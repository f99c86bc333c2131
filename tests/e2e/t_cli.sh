#!/usr/bin/env bash
# docs/cli.md: its console blocks are typed as they stand, and each output must have the lines below the
# command in that order ("..." stands for anything); and Ctrl-C in the phases of the long commands.
. tests/e2e/lib.sh
need_program
need_verb doctor "docs/cli.md"
need_model smollm2 "docs/cli.md"
link_models
mkdir -p "$tmp/work/path" && cd "$tmp/work" || exit 1
ln -s "$bin" path/bantam && ln -s "$root/LICENSE" LICENSE
export PATH=$PWD/path:$PATH

console_blocks cli.md

# every verb and every option that the page names exists
for option in $(grep -oE '^\| `/[a-z]+' "$root/docs/cli.md" | tr -d '|` ' | sort -u); do
    grep -q "\"$option\"" "$root/src/app/talk_command.c" && ok "$option is a command" || not_ok "$option is a command"
done

# ---- Ctrl-C: once (--foreground: timeout would signal its whole group as well, and that is twice) ----
yes "The quick brown fox jumps over the lazy dog and goes home." | head -20000 >long.txt
for row in "perplexity smollm2 --file long.txt" "bench smollm2 -r 1000" "run smollm2 -n 8000 sea"; do
    # shellcheck disable=SC2086
    timeout --foreground --preserve-status -s INT 2 "$bin" $row >step 2>err < <(echo "Write a very long story about the sea.")
    is "Ctrl-C ends ${row%% *} with 130" $? 130
    has "and it says so" "$(cat err)" "stop"
done
# ---- no network, a full disk ----
export HF_ENDPOINT=http://127.0.0.1:1
fails "without a network pull exits 10" 10 "$bin" pull qwen3-0.6b
is "and leaves nothing" "$("$bin" list --json | jq -r '.models[] | select(.name == "qwen3-0.6b") | .path')" null
fails "terms come before the network" 3 "$bin" pull llama3.2-1b
has "and are named" "$(cat "$tmp/err")" "https://www.llama.com"

# ---- terms are asked on a terminal, and recorded ----
if command -v script >/dev/null; then
    mkdir -p "$tmp/from/models/bound/v1" && echo weights >"$tmp/from/models/bound/v1/bound.gguf"
    printf '[bound]\ntag = v1\nlicence = Own\nterms = https://example.org/terms\nnotice = Be kind to others.\nsource = https://127.0.0.1:1/bound.gguf\nfile = bound.gguf 8 %s\n' \
        "$(sha256sum "$tmp/from/models/bound/v1/bound.gguf" | cut -d' ' -f1)" >"$BANTAM_HOME/models.catalog"
    export BANTAM_FROM=$tmp/from
    pull_typing() { { sleep 0.5; printf '%s\r' "$1"; sleep 0.5; } | SHELL=/bin/sh script -qec "exec '$bin' pull bound" /dev/null; }
    shown=$(pull_typing no)
    is "who does not accept gets nothing" $? 3
    has "the notice is shown" "$shown" "Be kind to others."
    has "and where the terms stand" "$shown" "https://example.org/terms"
    fails "without a terminal nobody has accepted" 3 "$bin" pull bound
    pull_typing yes >/dev/null
    is "who accepts has it" $? 0
    holds "and the manifest says when" "$(cat "$BANTAM_HOME/models/bound/v1/manifest")" \
        '.terms == "https://example.org/terms" and (.terms_accepted | test("^20[0-9]{2}-.*Z$"))'
    "$bin" rm bound >/dev/null 2>&1
    fails "run fetches no model whose terms nobody accepted" 3 "$bin" run bound hello
    "$bin" run bound hello --accept-license >/dev/null 2>&1 </dev/null
    holds "and fetches it with --accept-license" "$("$bin" list --json)" \
        '.models[] | select(.name == "bound") | .path != null'
    unset BANTAM_FROM
else skip "terms on a terminal: no script(1) here"; fi
done_testing
