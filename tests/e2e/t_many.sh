#!/usr/bin/env bash
# Many at once from outside: aliases, states, load and unload, a full queue with its Retry-After,
# deadlines, adapters that are not there.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
need_model minilm "the server"
need_model smollm2 "many at once"
sample_desk
link_models
serve_start --task support --alias gpt-4o-mini=smollm2 --parallel 1 --queue 1 || done_testing

chat() { jq -nc --arg m "$1" --argjson more "$2" '{model: $m, temperature: 0, max_tokens: 4, messages: [{role: "user", content: "Say hello."}]} + $more'; }
state() { get "/v1/models/$1" | jq -r .bantam.state; }
is "a model waits to be asked" "$(state smollm2)" unloaded
holds "an alias is listed" "$(get /v1/models/gpt-4o-mini)" '.parent == "smollm2" and .bantam.alias_of == "smollm2"'
holds "and answers in its model's name" "$(post /v1/chat/completions "$(chat gpt-4o-mini '{}')")" '.model == "smollm2"'
is "which is loaded now" "$(state smollm2)" loaded
is "unloaded" "$("$bin" unload smollm2 | cut -d: -f2)" " unloaded"
is "for the alias, too" "$(state gpt-4o-mini)" unloaded
has "loaded ahead" "$("$bin" load gpt-4o-mini)" "loaded"
has "and shown" "$("$bin" ps)" "MiB"
holds "a task's model stays" "$(post /v1/models/unload '{"model":"minilm"}')" '.error.code == "busy"'
bias() { jq -nc --argjson n "$1" '{logit_bias: ([range($n)] | map({key: (. + 100 | tostring), value: -1}) | from_entries)}'; }
holds "1,024 biases are as many as the manual says" "$(post /v1/chat/completions "$(chat smollm2 "$(bias 1024)")")" '.choices | length == 1'
shape='"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "integer"}}}'
holds "a bias of no token is its own fault, not the schema's" "$(post /v1/chat/completions "$(chat smollm2 '{"logit_bias": {"49152": 1}, '"$shape"'}')")" \
    '.error.param == "logit_bias" and .error.code == null'
holds "a model that writes no text is its own, too" "$(post /v1/chat/completions "$(chat minilm "{$shape}")")" '.error.param == "model" and .error.code == "unsupported"'
holds "and a token of a prompt" "$(post /v1/completions '{"model": "smollm2", "prompt": [5, 99999]}')" '.error.param == "prompt"'
tool='{"type": "function", "function": {"name": "w"}}'
holds "two tools of one name are" "$(post /v1/chat/completions "$(chat smollm2 "{\"tools\": [$tool, $tool], $shape}")")" '.error.param == "tools"'
holds "an unknown adapter is named" "$(post /v1/chat/completions "$(chat smollm2 '{"adapter":"nobody"}')")" \
    '.error.code == "adapter_not_found" and .error.param == "adapter" and (.error.message | contains("nobody"))'
holds "so is one in a model's name" "$(post /v1/chat/completions "$(chat smollm2+nobody '{}')")" '.error.code == "model_not_found"'

# (exec: so that who is killed is curl) One runs, one waits, the next is told when to come again
long() { exec curl -sN -m 60 -H 'content-type: application/json' "$url/v1/chat/completions" -d "$(chat smollm2 '{"stream": true, "max_tokens": 7000, "min_p": 0, "logit_bias": {"2": -100, "0": -100}}')"; }
busy() { get /v1/models/smollm2 | jq -r '.bantam.requests // 0'; }
long >"$tmp/long1" & first=$!
until [ -s "$tmp/long1" ]; do sleep 0.05; done
long >"$tmp/long2" & second=$!
until [ "$(busy)" = 2 ]; do sleep 0.05; done
until status=$(curl -s -m 60 -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' -H 'content-type: application/json' \
    -d "$(chat smollm2 '{"deadline_ms": 50}')" "$url/v1/chat/completions") && [ "$status" != 504 ]; do sleep 0.05; done
is "a full queue is 429" "$status" 429
holds "by its code" "$(cat "$tmp/body")" '.error.code == "rate_limit_exceeded"'
retry=$(tr -d '\r' <"$tmp/head" | sed -n 's/^retry-after: //Ip')
is "with one Retry-After of 1 to 600 seconds" "$([ "$retry" -ge 1 ] && [ "$retry" -le 600 ] && echo yes)" yes
kill $second 2>/dev/null
wait $second 2>/dev/null
until [ "$(busy)" = 1 ]; do sleep 0.05; done
holds "a deadline that passes in the queue" "$(post /v1/chat/completions "$(chat smollm2 '{"deadline_ms": 100}')")" '.error.code == "timeout"'
kill $first 2>/dev/null
wait $first 2>/dev/null
serve_stop TERM
is "it stops cleanly" "$serve_rc" 0
done_testing
