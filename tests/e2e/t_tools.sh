#!/usr/bin/env bash
# Tools with a real model: a call that is required has valid arguments, its result is answered, calls
# are streamed in order, what is cut says so, several choices come from one prompt.
. tests/e2e/lib.sh
need_program
need_verb serve "the server"
need_model smollm2 "the server"
link_models
serve_start || done_testing

tools='[{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "minLength": 2, "maxLength": 20},
    "days": {"type": "integer", "minimum": 1, "maximum": 9}, "unit": {"enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "days", "unit"]}}},
  {"type": "function", "function": {"name": "stop", "description": "Ends the talk"}}]'
question='[{"role": "user", "content": "What is the weather in Paris for the next 3 days?"}]'
# body CHANGE: a chat about the weather with these tools, changed
body() { jq -nc --argjson t "$tools" --argjson q "$question" \
    "{model: \"smollm2\", messages: \$q, tools: \$t, temperature: 0, max_tokens: 200} | $1"; }
chat() { post /v1/chat/completions "$(body ". + $1")"; }
valid='(.city | type == "string" and length >= 2 and length <= 20) and (.days | . == floor and . >= 1 and . <= 9) and
    (.unit | IN("celsius", "fahrenheit")) and (keys == ["city", "days", "unit"])'

# ---- required ----
one='{tool_choice: {type: "function", function: {name: "get_weather"}}}'
reply=$(chat "$one")
holds "a named call is made" "$reply" '.choices[0] | .finish_reason == "tool_calls" and .message.content == null and
    (.message.tool_calls | length) == 1 and .message.tool_calls[0].type == "function" and
    .message.tool_calls[0].function.name == "get_weather"'
arguments=$(jq -r '.choices[0].message.tool_calls[0].function.arguments' <<<"$reply")
holds "its arguments satisfy the schema" "$arguments" "$valid"
holds "it is on the record" "$(get "/v1/requests/$(jq -r .bantam.trace <<<"$reply")")" \
    '.answer | contains("\"call\":\"get_weather\"")'
for seed in 1 2 3 4 5 6; do
    hot=$(chat "{tool_choice: \"required\", temperature: 2, seed: $seed, max_tokens: 400}")
    holds "hot, seed $seed: names and arguments are valid" "$hot" ".choices[0] |
        (.finish_reason | IN(\"tool_calls\", \"length\")) and
        ((.message.tool_calls // []) | all(.function | (.name == \"stop\" and .arguments == \"{}\") or
        (.name == \"get_weather\" and (.arguments | fromjson | $valid))))"
done

# ---- the result, and the answer ----
talk=$(jq -c --argjson q "$question" '$q + [.choices[0].message, {role: "tool",
    tool_call_id: .choices[0].message.tool_calls[0].id, content: "{\"sky\": \"clear\", \"degrees\": 21}"}]' <<<"$reply")
reply=$(chat "{messages: $talk, max_tokens: 60}")
holds "a result is answered" "$reply" '.choices[0] | .finish_reason | IN("stop", "length", "tool_calls")'
holds "the talk's beginning was known" "$(chat "{messages: $talk, max_tokens: 1}")" \
    '.usage.prompt_tokens_details.cached_tokens > 0 and .timings.cache_n > 0'
none=$(chat '{tool_choice: "none", max_tokens: 8}')
bare=$(post /v1/chat/completions "$(body 'del(.tools) + {max_tokens: 8}')")
is "with none the model does not hear of tools" "$(jq .usage.prompt_tokens <<<"$none")" "$(jq .usage.prompt_tokens <<<"$bare")"

# ---- streamed ----
stream=$(curl -sN -m 60 -H 'content-type: application/json' "$url/v1/chat/completions" \
    -d "$(body ". + $one + {stream: true, stream_options: {include_usage: true}}")" | sed -n 's/^data: //p' | grep -v '^\[DONE\]')
deltas=$(jq -sc '[.[] | .choices[0].delta.tool_calls // empty | .[0]]' <<<"$stream")
holds "the first piece has id and name, the others none" "$deltas" '(.[0] | .id and .function.name == "get_weather") and
    (.[1:] | length > 1 and all((has("id") or .function.name) | not)) and all(.index == 0)'
is "the pieces are the arguments" "$(jq -j '.[].function.arguments' <<<"$deltas")" "$arguments"
is "the stream says why it ended" "$(jq -rs '[.[].choices[0].finish_reason // empty] | join(" ")' <<<"$stream")" tool_calls

# ---- cut, and refused ----
reply=$(chat "$one + {max_tokens: 12}")
holds "a call that max_tokens cuts is no call" "$reply" '.choices[0] | .finish_reason == "length" and (.message.tool_calls | not)'
reply=$(chat '{tools: [{type: "function", function: {name: "f", parameters: {properties: {x: {type: "array", uniqueItems: true}}}}}]}')
holds "a schema that cannot be held is refused by name" "$reply" '.error | .param == "tools[0]" and
    .code == "invalid_function_parameters" and (.message | contains("uniqueItems"))'
long=$(printf 'word %.0s' $(seq 9000))
reply=$(chat "{messages: [{role: \"user\", content: \"$long\"}]}")
holds "what does not fit says both numbers" "$reply" '.error | .code == "context_length_exceeded" and .param == "messages" and
    ([.message | match("[0-9]+"; "g")] | length) >= 2'

# ---- together with a form of the answer, and as functions ----
reply=$(chat '{response_format: {type: "json_schema", json_schema: {name: "a", schema: {type: "object",
    properties: {ok: {type: "boolean"}}, required: ["ok"], additionalProperties: false}}}}')
holds "with a form: a call, or JSON of the form" "$reply" '.choices[0] | if .finish_reason == "tool_calls" then true
    else (.message.content | fromjson | keys == ["ok"]) end'
reply=$(post /v1/chat/completions "$(body 'del(.tools) + {functions: [$t[0].function], function_call: {name: "get_weather"}}')")
holds "functions, as of old" "$reply" ".choices[0] | .finish_reason == \"function_call\" and
    .message.function_call.name == \"get_weather\" and (.message.function_call.arguments | fromjson | $valid)"

# ---- several choices ----
reply=$(post /v1/chat/completions "$(body 'del(.tools) + {n: 4, temperature: 1, seed: 7, max_tokens: 24}')")
holds "four choices" "$reply" '(.choices | length) == 4 and ([.choices[].index] == [0, 1, 2, 3]) and
    ([.choices[].message.content] | unique | length) > 1'
alone=$(post /v1/chat/completions "$(body 'del(.tools) + {temperature: 1, seed: 9, max_tokens: 24}')")
is "the third is what its seed says alone" "$(jq -r '.choices[2].message.content' <<<"$reply")" \
    "$(jq -r '.choices[0].message.content' <<<"$alone")"
holds "the tokens of all are counted" "$reply" '.usage.completion_tokens > 24'
done_testing
