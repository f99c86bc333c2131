#!/usr/bin/env bash
# What is kept, with SmolLM2: a server that is killed again and again under load (KILL_ROUNDS, 2): no
# response or file that was acknowledged is lost, background responses and a batch go on until they are
# done, no line twice and none missing. The manual's examples of all this are run by t_examples.sh.
. tests/e2e/lib.sh
need_program
need_model smollm2 "kept things"
rounds=${KILL_ROUNDS:-2}
mkdir -p "$BANTAM_HOME"
link_models
cd "$tmp" || exit 1 # no task is served
serve_start || done_testing
await_batch() { # ID: until it has ended, or is not there
    local i
    for i in $(seq 1200); do
        batch=$(get "/v1/batches/$1")
        jq -e '.error or (.status | IN("completed", "failed", "expired", "cancelled"))' >/dev/null 2>&1 <<<"$batch" && return
        sleep 0.1
    done
}

# ---- what is held of one person is erased ----
kept=$(post /v1/responses '{"model": "smollm2", "input": "My name is Kim.", "user": "kim", "max_output_tokens": 2}' | jq -r .id)
trace=$(post /v1/chat/completions '{"model": "smollm2", "user": "kim", "max_tokens": 2, "messages": [{"role": "user", "content": "I am Kim."}]}' | jq -r .bantam.trace)
other=$(post /v1/responses '{"model": "smollm2", "input": "Hi", "user": "lee", "max_output_tokens": 2}' | jq -r .id)
one_object "erase" "$bin" erase kim --json
is "the record, the response" "$(jq -c . <<<"$json")" '{"requests":2,"reviews":0,"kept":1,"lines":0,"file_lines":0,"uncut":[]}'
holds "the response is gone" "$(get "/v1/responses/$kept")" '.error.type == "invalid_request_error"'
is "and what was asked" "$(get "/v1/requests/$trace" | grep -c 'I am Kim')" 0
holds "another's stays" "$(get "/v1/responses/$other")" '.status | IN("completed", "incomplete")'
one_object "erase again finds nothing" "$bin" erase kim --json
is "indeed" "$(jq -c . <<<"$json")" '{"requests":0,"reviews":0,"kept":0,"lines":0,"file_lines":0,"uncut":[]}'
fails "whom, must be said" 2 "$bin" erase ""

# ---- under load, killed ----
holds "the model answers" "$(post /v1/responses '{"model": "smollm2", "input": "Hi", "max_output_tokens": 2}')" '.object == "response"'
ask_body() { jq -nc --arg i "$1" '{model: "smollm2", input: ("Say " + $i), max_output_tokens: 3}'; }
# each line of an ack file was answered whole: ID and what the answer said
respond() {
    local i answer
    for i in $(seq 1000); do
        answer=$(curl -sf -m 20 -H 'content-type: application/json' -d "$(ask_body "$i")" "$url/v1/responses") || continue
        jq -rc '[.id, .output[0].content[0].text] | @json' <<<"$answer" >>"$tmp/acked.$1" 2>/dev/null
    done
}
queue() {
    local i answer
    for i in $(seq 12); do
        answer=$(curl -sf -m 20 -H 'content-type: application/json' -d "$(ask_body "$i" | jq -c '. + {background: true}')" "$url/v1/responses") || break
        jq -r '.id' <<<"$answer" >>"$tmp/queued" 2>/dev/null
        sleep 0.05
    done
}
upload() {
    local i answer
    for i in $(seq 1000); do
        answer=$(seq "$((i * 1000))" "$((i * 1000 + RANDOM % 4000))" | tee "$tmp/up.$1" |
            curl -sf -m 20 -F purpose=user_data -F "file=@-;filename=n.txt" "$url/v1/files") || continue
        echo "$(jq -r .id <<<"$answer" 2>/dev/null) $(sha256sum <"$tmp/up.$1" | cut -d' ' -f1)" >>"$tmp/files.$1"
    done
}
lines=24
for i in $(seq $lines); do
    jq -nc --arg i "$i" '{custom_id: $i, method: "POST", url: "/v1/chat/completions", body: {model: "smollm2", max_tokens: 8, temperature: 0, messages: [{role: "user", content: ("Count to " + $i)}]}}'
done >"$tmp/lines.jsonl"
file=$(curl -s -m 20 -F purpose=batch -F "file=@$tmp/lines.jsonl" "$url/v1/files" | jq -r .id)
large=$(post /v1/batches "$(jq -nc --arg f "$file" '{input_file_id: $f, endpoint: "/v1/chat/completions", completion_window: "24h"}')" | jq -r .id)
: >"$tmp/queued"
for round in $(seq "$rounds"); do
    load=()
    respond 1 & load+=($!)
    respond 2 & load+=($!)
    upload 1 & load+=($!)
    queue & load+=($!)
    for _ in $(seq 200); do # a slow machine has answered something, too
        [ -s "$tmp/acked.1" ] && [ -s "$tmp/files.1" ] && break
        sleep 0.1
    done
    sleep "$((RANDOM % 2)).$((RANDOM % 9 + 1))"
    disown "$pid"
    kill -9 "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    kill "${load[@]}" 2>/dev/null
    wait "${load[@]}" 2>/dev/null
    serve_start || done_testing
done
lost=0 checked=0
while read -r line; do
    checked=$((checked + 1))
    id=$(jq -r '.[0]' <<<"$line")
    [ "$(get "/v1/responses/$id" | jq -c '[.id, .output[0].content[0].text]')" = "$(jq -c . <<<"$line")" ] || lost=$((lost + 1))
done < <(cat "$tmp"/acked.* 2>/dev/null)
is "none of $checked acknowledged responses is lost" "$lost" 0
at_least "there were some" "$checked" 1
lost=0 checked=0
while read -r id sum; do
    checked=$((checked + 1))
    [ "$(get "/v1/files/$id/content" | sha256sum | cut -d' ' -f1)" = "$sum" ] || lost=$((lost + 1))
done < <(cat "$tmp"/files.* 2>/dev/null)
is "none of $checked acknowledged files is lost or cut" "$lost" 0
at_least "there were some" "$checked" 1
lost=0 checked=0
while read -r id; do
    checked=$((checked + 1))
    for _ in $(seq 600); do
        state=$(get "/v1/responses/$id" | jq -r .status)
        [ "$state" = queued ] || [ "$state" = in_progress ] || break
        sleep 0.1
    done
    case $state in completed | incomplete) ;; *) lost=$((lost + 1)) ;; esac
done <"$tmp/queued"
is "each of $checked background responses is answered" "$lost" 0
await_batch "$large"
holds "the batch is done" "$batch" ".status == \"completed\" and .request_counts == {total: $lines, completed: $lines, failed: 0}"
is "no line is missing, none stands there twice" \
    "$(get "/v1/files/$(jq -r .output_file_id <<<"$batch")/content" | jq -r .custom_id | tr '\n' ' ')" "$(seq -s ' ' $lines) "
serve_stop TERM
is "and it stops cleanly" "$serve_rc" 0
done_testing
