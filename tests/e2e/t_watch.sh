#!/usr/bin/env bash
# What a running server shows: /metrics with a real model's numbers, readiness, and its requests as
# they come, until Ctrl-C.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
need_model minilm "the server"
need_model smollm2 "the numbers of an engine"
sample_desk
link_models
serve_start --task support || done_testing

# of one line of /metrics
number() { get /metrics | awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print -1 }'; }
holds "ready" "$(get /ready)" '.status == "ready"'

# a follower begins behind the newest record: ask until it shows one
"$bin" requests -f >"$tmp/follow" 2>&1 </dev/null &
follower=$!
pids+=($follower)
ask() { post /v1/chat/completions '{"model":"smollm2","temperature":0,"max_tokens":4,"messages":[{"role":"user","content":"Say xyzzy to all of them, and then say it once more, slowly."}]}'; }
n=0
until [ -s "$tmp/follow" ] || [ $n -ge 60 ]; do
    said=$(ask)
    n=$((n + 1))
    sleep 0.3
done
has "a request is shown as it comes" "$(cat "$tmp/follow")" "req_"
is "without its words" "$(grep -c xyzzy "$tmp/follow")" 0
kill -INT $follower
wait $follower
is "Ctrl-C ends it cleanly" $? 0

id=$(jq -r .bantam.trace <<<"$said")
has "one of them by its id" "$("$bin" trace "$id")" "$id"
is "tokens out are those of the answers" "$(number bantam_generation_tokens_total)" "$((n * $(jq .usage.completion_tokens <<<"$said")))"
is "tokens in, too" "$(number bantam_prompt_tokens_total)" "$((n * $(jq .usage.prompt_tokens <<<"$said")))"
at_least "the engine has pages" "$(number 'bantam_kv_cache_pages{model="smollm2"}')" 1
is "all of them free" "$(number 'bantam_kv_cache_pages_free{model="smollm2"}')" "$(number 'bantam_kv_cache_pages{model="smollm2"}')"
is "each answer had a first token" "$(number bantam_time_to_first_token_seconds_count)" "$n"
done_testing
