#!/usr/bin/env bash
# `bantam serve` from outside: banner, chat, streaming, people over HTTP and from another process,
# other websites, a busy port, a clean stop and a second start.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
need_model minilm "the server"
sample_desk
link_models # smollm2 beside the sample's encoder

serve_start --task support || done_testing
has "the banner names the page" "$(cat "$tmp/serve.out")" ":$port/"
has "and the task" "$(cat "$tmp/serve.out")" "task:support"
has "and that there is no large tier" "$(cat "$tmp/serve.out")" "no large tier"
is "three things to paste work" \
    "$(sed -n '/^Try:/,/^$/p' "$tmp/serve.out" | grep -v '^Try:' >"$tmp/paste.sh"
    bash "$tmp/paste.sh" 2>&1 | jq -s 'length')" 3
holds "/health" "$(get /health)" '.status == "ok"'
one_object "ps" "$bin" ps --json
holds "says who serves and what is loaded" "$json" ".port == $port and .pid == $pid and ([.loaded[].id] | index(\"task:support\") != null)"
has "ps for people" "$("$bin" ps)" "task:support"
holds "/v1/models lists the task" "$(get /v1/models)" '[.data[].id] | index("task:support") != null'

chat() { jq -nc --arg m "$1" --arg q "$2" '{model: $m, messages: [{role: "user", content: $q}]}'; }
reply=$(post /v1/chat/completions "$(chat task:support 'how do I cancel my car insurance?')")
holds "a chat with the task is answered by the small tier" "$reply" \
    '.bantam.tier == "slm" and .bantam.label == "cancel_policy" and .bantam.review == null'
holds "in OpenAI's form" "$reply" '.object == "chat.completion" and
    (.choices[0] | .finish_reason == "stop" and .message.role == "assistant" and (.message.content | length) > 20)'
holds "the extension has its keys" "$reply" \
    '.bantam | [has("tier", "label", "confidence", "trace", "review", "url")] | all'
holds "the record has it" "$(get "/v1/requests/$(jq -r .bantam.trace <<<"$reply")")" '.tier == "slm"'
text=$(jq -r '.choices[0].message.content' <<<"$reply")
stream=$(curl -sN -m 60 -H 'content-type: application/json' "$url/v1/chat/completions" \
    -d "$(chat task:support 'how do I cancel my car insurance?' | jq -c '. + {stream: true}')")
is "streamed, it says the same" \
    "$(sed -n 's/^data: //p' <<<"$stream" | grep -v '^\[DONE\]' | jq -rj '.choices[0].delta.content // empty')" "$text"
is "and ends with [DONE]" "$(sed -n 's/^data: //p' <<<"$stream" | tail -n 1)" "[DONE]"

# ---- people ----
question='An otter has moved into the boot of my car, what now?'
reply=$(post /v1/chat/completions "$(chat task:support "$question")")
holds "what needs a person is a normal answer" "$reply" \
    '.bantam.tier == "human" and (.bantam.review | length) > 0 and .choices[0].finish_reason == "stop"'
ref=$(jq -r .bantam.review <<<"$reply")
has "which names the reference" "$(jq -r '.choices[0].message.content' <<<"$reply")" "$ref"
has "and the address to ask again" "$(jq -r '.choices[0].message.content' <<<"$reply")" "/v1/answers/$ref"
holds "until then it waits" "$(get "/v1/answers/$ref")" '.status == "waiting" and .answer == null'
curl -s -m 60 "$url/v1/answers/$ref?wait=50" >"$tmp/waited" &
waiter=$!
sleep 0.5
start=$(date +%s%3N)
one_object "another process answers" "$bin" review answer "$ref" --label other \
    --text "Please leave it alone and call 01632 960 200." --by ann --json
wait $waiter
waited=$(($(date +%s%3N) - start))
holds "the waiting customer gets it" "$(cat "$tmp/waited")" \
    '.status == "answered" and (.answer | startswith("Please leave it alone")) and .answered_by == "ann"'
at_most "soon (ms, the other process's start included)" $waited 10000

question='The mast of our neighbour has fallen on the greenhouse of our grandmother'
ref=$(post /v1/tasks/support/ask "$(jq -nc --arg t "$question" '{text: $t}')" | jq -r .review)
is "claim over HTTP" "$(post "/v1/reviews/$ref/claim" '{"by":"bob"}' | jq -r .review.claimed_by)" bob
is "another's claim is refused" "$(post "/v1/reviews/$ref/claim" '{"by":"ann"}' | jq -r .error.code)" claimed
one_object "released by its owner on the command line" bash -c '"$1" review release "$2" --by bob >/dev/null && echo "{}"' - "$bin" "$ref"
holds "answered over HTTP" "$(post "/v1/reviews/$ref/answer" '{"by":"bob","label":"start_claim"}')" '.learned == true'
holds "the next such question follows" \
    "$(post /v1/tasks/support/ask "$(jq -nc --arg t "$question!" '{text: $t}')")" '.label == "start_claim"'

question='Our parrot has torn up the passport'
reply=$("$bin" task run support "$question" --json)
ref=$(jq -r .review <<<"$reply")
"$bin" review answer "$ref" --label lost_luggage --by ann >/dev/null
holds "a label given on the command line holds from the next request on" \
    "$(post /v1/tasks/support/ask "$(jq -nc --arg t "$question" '{text: $t}')")" \
    '.label == "lost_luggage" and .reason == "taught"'
"$bin" task mode support all-to-people >/dev/null
holds "the switch, too" "$(post /v1/tasks/support/ask '{"text":"how do I cancel my car insurance?"}')" \
    '.tier == "human" and .reason == "all_to_people"'
is "and back, over HTTP" "$(post /v1/tasks/support/mode '{"mode":"auto","by":"ann"}' | jq -r .mode)" auto

# ---- a small model chats ----
if have_model smollm2; then
    holds "smollm2 chats" "$(post /v1/chat/completions "$(chat smollm2 'Say hello.' | jq -c '. + {max_tokens: 8, temperature: 0}')")" \
        '(.choices[0].message.content | length) > 0 and .usage.completion_tokens <= 8'
    shaped() { chat smollm2 'Ann Lee is 34 and lives in Leeds.' | jq -c --argjson f "$1" '. + {max_tokens: 80, temperature: 0, response_format: $f}'; }
    schema='{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":130},"kind":{"enum":["car","home"]}},"required":["name","age","kind"],"additionalProperties":false}'
    holds "an answer has the shape of its schema" \
        "$(post /v1/chat/completions "$(shaped "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":$schema}}")")" \
        '.choices[0].message.content | fromjson | (keys == ["age","kind","name"]) and (.age | type == "number" and . <= 130) and (.kind == "car" or .kind == "home")'
    holds "a schema that cannot be held is refused by its word" \
        "$(post /v1/chat/completions "$(shaped '{"type":"json_schema","json_schema":{"schema":{"type":"array","uniqueItems":true}}}')")" \
        '.error.code == "invalid_json_schema" and (.error.message | contains("\"uniqueItems\""))'
    holds "a token's bias bans it" \
        "$(post /v1/chat/completions "$(chat smollm2 'Say hello.' | jq -c '. + {max_tokens: 1, temperature: 0, logprobs: true, logit_bias: {"19556": -100}}')")" \
        '.choices[0].logprobs.content[0].token != "Hello"'
else skip "smollm2 chats: no model smollm2 in $models"; fi
holds "embeddings" "$(post /v1/embeddings '{"model":"minilm","input":["a","b"]}')" '[.data[].embedding | length] == [384, 384]'

# ---- refusals ----
status() { curl -s -m 20 -o "$tmp/body" -w '%{http_code}' "$@"; }
is "another website's page gets 403" "$(status -H 'Origin: https://evil.example' -H 'content-type: application/json' \
    -d '{"by":"x","approve":true}' "$url/v1/reviews/$ref/answer")" 403
is "its own page does not" "$(status -H "Origin: $url" "$url/health")" 200
is "a foreign Host gets 403" "$(status -H 'Host: evil.example' "$url/health")" 403
is "an unknown route gets 404" "$(status "$url/nosuch")" 404
holds "as an error object" "$(cat "$tmp/body")" '.error | has("message") and has("type") and has("param") and has("code")'
is "an unknown model gets 404" "$(status -H 'content-type: application/json' -d "$(chat nosuch hi)" "$url/v1/chat/completions")" 404
is "broken JSON gets 400" "$(status -H 'content-type: application/json' -d '{"model":' "$url/v1/chat/completions")" 400
head -c 5000000 /dev/zero | tr '\0' ' ' >"$tmp/big"
is "a body that is too large gets 413" "$(status -H 'content-type: application/json' --data-binary "@$tmp/big" "$url/v1/chat/completions")" 413

# ---- a running instance, a busy port, stop and start ----
fails "a running instance is named" 11 "$bin" serve --port "$(free_port)" --task support
has "with its port" "$(cat "$tmp/err")" "$port"
cp -r "$BANTAM_HOME" "$tmp/home2"
fails "a busy port is named" 5 env BANTAM_HOME="$tmp/home2" "$bin" serve --port "$port" --task support
has "by its number" "$(cat "$tmp/err")" "$port"
before=$(get '/v1/requests?limit=500' | jq '.requests | length')
serve_stop TERM
is "SIGTERM stops it cleanly" "$serve_rc" 0
is "nothing listens there then" "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "$url/health")" 000
serve_start --task support || done_testing
is "a second start has the record" "$(get '/v1/requests?limit=500' | jq '.requests | length')" "$before"
serve_stop INT
is "SIGINT stops it, too" "$serve_rc" 0
done_testing
