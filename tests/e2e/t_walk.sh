#!/usr/bin/env bash
# The README's walk as a new user types it, and what people's decisions change: ten questions taught.
# A README block ```console has commands after "$ " and below each the lines that its output must
# have, in that order; "..." stands for anything, REF for the review's reference.
. tests/e2e/lib.sh
need_program
need_verb serve "the README's walk"
need_model minilm "the README's walk"
sample_desk
cp "$root/README.md" .
mkdir -p build && ln -s "$bin" build/bantam
export PATH=$PWD/build:$PATH

# ---- the README ----
ref=
run_step() {
    [ -n "$command" ] || return
    local line=${command//REF/$ref} why
    case $line in *localhost:8088*) line=${line//localhost:8088/localhost:$port} ;; esac
    case $line in export\ *) eval "$line"; command=''; return ;; esac
    bash -c "$line" >"$tmp/step" 2>"$tmp/err" </dev/null || {
        not_ok "README: $command" "$(cat "$tmp/step" "$tmp/err")"; command=''; return; }
    case $line in curl*) jq . "$tmp/step" >"$tmp/pretty" && mv "$tmp/pretty" "$tmp/step" ;; esac
    ref=$(sed -n 's/.*Reference \([a-z0-9]\{8\}\)\..*/\1/p' "$tmp/step" | head -n 1 | grep . || echo "$ref")
    want=${want//REF/$ref}
    if why=$(shows "$tmp/step"); then ok "README: $command"; else not_ok "README: $command" "$why" "$(cat "$tmp/step")"; fi
    command=''
}
walk() {
    local inside='' line command='' want=''
    while IFS= read -r line; do
        case $line in
        '```console') inside=1 ;;
        '```') run_step; inside='' ;;
        '$ '*) [ -z "$inside" ] || { run_step; command=${line#'$ '} want=''; } ;;
        *) [ -z "$inside" ] || want+=$line$'\n' ;;
        esac
    done <README.md
}
cp -r "$BANTAM_HOME" "$tmp/fresh" # for what is taught below
cp -r "$BANTAM_HOME" "$tmp/served"
home=$BANTAM_HOME
BANTAM_HOME=$tmp/served serve_start --task support || done_testing # for the README's curl only
walk
serve_stop
rm tasks/mine.yaml

# ---- ten are taught, their paraphrases follow, nothing else moves ----
rm -rf "$home" && mv "$tmp/fresh" "$home"
# "tier|label|text" of each row
each() {
    "$bin" task eval support --file "$1" --each |
        sed -nE 's/^(slm|llm|human|none) +([^ ]+) +[^ ]+ -> ([^ ]*) \([^)]*\)  (.*)$/\1|\3|\4/p'
}
columns() { # KIND -> text,label rows of tasks/support.taught.csv
    echo text,label
    sed -nE "s/^$1,(\"[^\"]*\"|[^,]*),([a-z_]+),.*$/\1,\2/p" tasks/support.taught.csv
}
columns teach >teach.csv
columns paraphrase >paraphrase.csv
is "ten questions to teach" "$(($(wc -l <teach.csv) - 1))" 10
is "thirty paraphrases" "$(($(wc -l <paraphrase.csv) - 1))" 30
each tasks/support.heldout.csv >before
is "200 held-out answers" "$(wc -l <before)" 200
is "no paraphrase is answered rightly before" "$("$bin" task eval support --file paraphrase.csv --json |
    jq '.answered * (.accuracy_answered // 0) <= 5')" true
taught=0
while IFS='|' read -r label text; do
    reply=$("$bin" task run support "$text" --json)
    review=$(jq -r '.review // empty' <<<"$reply")
    [ -n "$review" ] || continue
    "$bin" review answer "$review" --label "$label" --no-refit --by ann --json |
        jq -es 'length == 1 and (.[0] | .learned and (.refitted | not))' >/dev/null && taught=$((taught + 1))
done < <(sed -nE '2,$s/^"?([^"]*[^",])"?,([a-z_]+)$/\2|\1/p' teach.csv)
is "all ten go to a person and are taught" $taught 10
result=$("$bin" task eval support --file paraphrase.csv --json)
at_least "of 30 paraphrases, answered automatically and rightly" \
    "$(jq '.answered * .accuracy_answered | round' <<<"$result")" 20
each tasks/support.heldout.csv >taught
is "no held-out answer changes until the refit" "$(diff before taught)" ""

one_object "the refit" "$bin" task refit support --file tasks/support.heldout.csv --json
each tasks/support.heldout.csv >after
differences() { diff before after | sed -nE 's/^> [^|]*\|[^|]*\|//p' | sort; }
listed() { # those of the held-out questions
    jq -r '.changes[].text' <<<"$json" | sort -u | comm -12 - <(cut -d'|' -f3- before | sort -u)
}
is "lists each held-out answer that it changes" "$(listed)" "$(differences)"
at_least "after it, of 30 paraphrases, answered automatically and rightly" \
    "$("$bin" task eval support --file paraphrase.csv --json | jq '.answered * .accuracy_answered | round')" 20
review=$("$bin" review search tortoise --status answered --json | jq -r '.reviews[0].id')
"$bin" review unlearn "$review" --by ann >/dev/null
is "a label is unlearned" "$("$bin" task export support | grep -c 'tortoise swallowed')" 0
"$bin" review correct "$review" --text "Sorry, this is right." --by ann --no-refit >/dev/null
is "a sent answer is corrected" "$("$bin" review show "$review" --json | jq -r .answer)" "Sorry, this is right."
done_testing
