#!/usr/bin/env bash
# Telemetry of a server, at a collector of ours: one trace a request from the edge to the token, the
# caller's trace carried on, what the names promise, nothing of questions and answers; a collector that
# refuses, and one that is dead; the log as JSON; the record found by trace.
. tests/e2e/lib.sh
need_program
need_model minilm "telemetry"
need_model smollm2 "telemetry"
command -v python3 >/dev/null || { skip "telemetry: no python3 for the collector"; exit 0; }
sample_desk

stub() { # NAME SCRIPT: starts it, waits for its port
    python3 "$root/tests/clients/$2" "$tmp/$1.port" "$tmp/$1.how" "$tmp/$1.log" 2>"$tmp/$1.err" &
    pids+=($!)
    for _ in $(seq 100); do [ -s "$tmp/$1.port" ] && break; sleep 0.1; done
}
echo 'say {"label": "start_claim"}' >"$tmp/llm.how"
echo 200 >"$tmp/otel.how"
: >"$tmp/otel.log"
stub llm stub_llm.py
stub otel stub_collector.py
sed -i "s#^  - human:#  - llm:\n      url: http://127.0.0.1:$(cat "$tmp/llm.port")/v1\n      key_env: BANTAM_TEST_KEY\n      model: stub\n      usd_per_million_in: 1\n      usd_per_million_out: 2\n      timeout_ms: 5000\n&#" tasks/support.yaml
export BANTAM_TEST_KEY=sk-test-0123456789 OTEL_BSP_SCHEDULE_DELAY=50 OTEL_METRIC_EXPORT_INTERVAL=300
export OTEL_SERVICE_NAME=desk OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test OTEL_EXPORTER_OTLP_HEADERS=api-key=hush

# all spans that were taken, each with its attributes as one object
spans() {
    jq -c 'select(.path == "/v1/traces" and .status == 200) | .body.resourceSpans[].scopeSpans[].spans[]
        | .attributes |= (map({(.key): (.value | if .arrayValue then [.arrayValue.values[].stringValue] else to_entries[0].value end)}) | add // {})' "$tmp/otel.log" | jq -sc .
}
await() { # WHAT JQ-CONDITION over the spans
    for _ in $(seq 800); do
        all=$(spans)
        jq -e "$2" >/dev/null 2>&1 <<<"$all" && break
        sleep 0.05
    done
    holds "$1" "$all" "$2"
}
trace=0af7651916cd43dd8448eb211c80319c
chat() { # MODEL TEXT [HEADER...]
    local model=$1 text=$2
    shift 2
    curl -s -m 60 -D "$tmp/head" -H 'content-type: application/json' "$@" "$url/v1/chat/completions" \
        -d "$(jq -nc --arg m "$model" --arg t "$text" '{model: $m, max_tokens: 8, temperature: 0.5, messages: [{role: "user", content: $t}]}')"
}

fails "a wrong word" 2 "$bin" serve --log-format xml
fails "content without a collector" 2 "$bin" serve --otlp-content
OTEL_EXPORTER_OTLP_PROTOCOL=grpc fails "gRPC is refused by name" 6 "$bin" serve --otlp http://127.0.0.1:1
serve_start --otlp "http://127.0.0.1:$(cat "$tmp/otel.port")" --log-format json || done_testing
has "the banner says where telemetry goes" "$(cat "$tmp/serve.out")" "without questions and answers"

# ---- a chat with a model ----
answer=$(chat smollm2 'Say otter seventeen' -H "traceparent: 00-$trace-b7ad6b7169203331-01" -H 'tracestate: a=1')
id=$(jq -r .bantam.trace <<<"$answer")
has "the answer's head says the trace and our span in it" "$(cat "$tmp/head")" "traceparent: 00-$trace-"
await "the request is a child of its caller's span" "any(.[]; .traceId == \"$trace\" and .parentSpanId == \"b7ad6b7169203331\"
    and .kind == 2 and .name == \"POST /v1/chat/completions\" and .traceState == \"a=1\")"
root_span=$(jq -r '.[] | select(.kind == 2) | .spanId' <<<"$all")
has "it is the span that the head named" "$(cat "$tmp/head")" "$root_span-01"
holds "HTTP's attributes" "$all" '.[] | select(.kind == 2).attributes | .["http.request.method"] == "POST" and .["http.route"] == "/v1/chat/completions"
    and .["http.response.status_code"] == "200" and .["url.path"] == "/v1/chat/completions" and .["server.address"] == "127.0.0.1" and .["bantam.request.id"] == "'"$id"'"'
holds "the model's span below it" "$all" '.[] | select(.name == "chat smollm2") | .parentSpanId == "'"$root_span"'" and (.attributes |
    .["gen_ai.operation.name"] == "chat" and .["gen_ai.provider.name"] == "bantam" and .["gen_ai.request.model"] == "smollm2"
    and .["gen_ai.response.model"] == "smollm2" and .["gen_ai.request.max_tokens"] == "8" and .["gen_ai.request.temperature"] == 0.5
    and .["gen_ai.usage.input_tokens"] == "'"$(jq -r .usage.prompt_tokens <<<"$answer")"'" and .["gen_ai.usage.output_tokens"] == "'"$(jq -r .usage.completion_tokens <<<"$answer")"'"
    and (.["gen_ai.response.finish_reasons"] | length) == 1 and .["gen_ai.response.id"] == "chatcmpl-'"$id"'")'
holds "queue, prefill and decode below that, one after the other" "$all" '(.[] | select(.name == "chat smollm2")) as $c |
    [.[] | select(.parentSpanId == $c.spanId)] | (map(.name) == ["queue", "prefill", "decode"]) and
    .[0].endTimeUnixNano == .[1].startTimeUnixNano and .[1].endTimeUnixNano == .[2].startTimeUnixNano and
    (.[0].startTimeUnixNano >= $c.startTimeUnixNano) and (.[2].endTimeUnixNano <= $c.endTimeUnixNano)'
one_object "the record is found by trace" "$bin" trace "$trace" --json
is "it is this request's" "$(jq -r '.id + " " + .trace_id' <<<"$json")" "$id $trace"
holds "with its times from edge to token" "$json" '.steps[0].queue_us >= 0 and .steps[0].first_token_us > 0'
one_object "and by id" "$bin" trace "$id" --json
holds "over HTTP, too" "$(get "/v1/requests?trace=$trace")" '.requests | length == 1 and .[0].id == "'"$id"'"'

# ---- one without a trace, an error, a vector ----
chat smollm2 'Say otter eighteen' >/dev/null
made=$(sed -n 's/^traceparent: 00-\([0-9a-f]*\)-.*/\1/p' "$tmp/head")
is "a trace that begins here is named by the request's id" "$made" \
    "$(sed -n 's/^x-request-id: \(.*[^\r]\)\r*$/\1/p' "$tmp/head" | tr -d '\n' | sha256sum | cut -c1-32)"
await "its span has no parent" "any(.[]; .traceId == \"$made\" and .kind == 2 and .parentSpanId == null)"
chat nosuch 'Say' >/dev/null
post /v1/embeddings '{"model":"minilm","input":"an otter"}' >/dev/null
await "a refused one is told by its status" 'any(.[]; .attributes["http.response.status_code"] == "404" and .status == null)'
await "a vector has its span" 'any(.[]; .name == "embeddings minilm" and .attributes["gen_ai.operation.name"] == "embeddings" and .attributes["gen_ai.usage.input_tokens"] > "0")'
chat smollm2 'Say' -H "traceparent: 00-11111111111111111111111111111111-b7ad6b7169203331-00" >/dev/null

# ---- a task's cascade ----
answer=$(chat task:support 'An otter has moved into the boot of my car' -H "traceparent: 00-22222222222222222222222222222222-b7ad6b7169203331-01")
is "the large tier answers" "$(jq -r .bantam.tier <<<"$answer")" llm
await "its tiers are spans" '[.[] | select(.traceId == "22222222222222222222222222222222")] |
    (.[] | select(.name == "chat task:support")) as $t | ([.[] | select(.parentSpanId == $t.spanId) | .name] == ["tier slm", "chat stub"])
    and $t.attributes["bantam.tier"] == "llm"'
holds "the question to the large model is a client's span" "$all" '.[] | select(.name == "chat stub") | .kind == 3 and (.attributes |
    .["gen_ai.provider.name"] == "openai_compatible" and .["server.port"] == "'"$(cat "$tmp/llm.port")"'" and .["gen_ai.usage.input_tokens"] == "1000" and .["bantam.cost.usd"] > 0)'
is "whose server was told of it" "$(cat "$tmp/llm.log.traceparent")" \
    "00-22222222222222222222222222222222-$(jq -r '.[] | select(.name == "chat stub") | .spanId' <<<"$all")-01"
holds "what its caller does not keep is not sent" "$all" 'all(.[]; .traceId != "11111111111111111111111111111111")'

# ---- metrics ----
metrics() { jq -c 'select(.path == "/v1/metrics" and .status == 200) | .body.resourceMetrics[].scopeMetrics[].metrics' "$tmp/otel.log" | tail -n 1; }
for _ in $(seq 100); do metrics | grep -q gen_ai.client.operation.duration && break; sleep 0.1; done
all=$(metrics)
holds "gen_ai metrics" "$all" '[.[].name] | contains(["gen_ai.server.request.duration", "gen_ai.server.time_to_first_token",
    "gen_ai.server.time_per_output_token", "gen_ai.client.operation.duration", "gen_ai.client.token.usage"])'
holds "and all that /metrics says" "$all" '[.[].name] | contains(["bantam_requests_total", "bantam_request_duration_seconds", "bantam_kv_cache_pages", "bantam_telemetry_dropped_total"])'
holds "with the answers counted" "$all" '.[] | select(.name == "bantam_requests_total").sum.dataPoints | any(.[]; (.attributes | map(.value.stringValue) | contains(["/v1/chat/completions", "200"])) and .asInt >= "4")'
resource=$(head -n 1 "$tmp/otel.log" | jq -c '.body | (.resourceSpans // .resourceMetrics)[0].resource.attributes | map({(.key): .value.stringValue}) | add')
holds "the resource is named by the environment" "$resource" '.["service.name"] == "desk" and .["deployment.environment.name"] == "test" and (.["service.instance.id"] | length) == 36'
is "the environment's header goes along" "$(jq -r '.headers["api-key"]' "$tmp/otel.log" | sort -u)" hush

# ---- the log, and what is never told ----
line=$(grep "\"request_id\":\"$id\"" "$tmp/serve.err")
holds "one line of the log for a request" "$line" '.message == "POST /v1/chat/completions 200" and .trace_id == "'"$trace"'" and .status == 200 and .model == "smollm2"
    and .level == "info" and .duration_ms > 0 and .output_tokens > 0 and .question == "3 words, 19 bytes"'
is "every line is an object" "$(grep -v '^{' "$tmp/serve.err")" ""
is "no word of a question is told" "$(cat "$tmp/otel.log" "$tmp/serve.err" | grep -ci otter)" 0
is "no word of an answer" "$(cat "$tmp/otel.log" "$tmp/serve.err" | grep -c start_claim)" 0

# ---- a collector that refuses for now; what waits at the end is sent ----
echo 503 >"$tmp/otel.how"
chat smollm2 'Say' -H "traceparent: 00-33333333333333333333333333333333-b7ad6b7169203331-01" >/dev/null
# metrics that were refused first are tried for 15 s while the spans wait
for _ in $(seq 800); do grep -q '"status": 503.*33333333333333333333333333333333' "$tmp/otel.log" && break; sleep 0.05; done
has "it is asked" "$(grep -c '"status": 503.*33333333333333333333333333333333' "$tmp/otel.log" | sed 's/^[1-9].*/yes/')" yes
echo 200 >"$tmp/otel.how"
await "and asked again" 'any(.[]; .traceId == "33333333333333333333333333333333" and .name == "chat smollm2")'
chat smollm2 'Say' -H "traceparent: 00-44444444444444444444444444444444-b7ad6b7169203331-01" >/dev/null
serve_stop
await "what waits at the end is sent" 'any(.[]; .traceId == "44444444444444444444444444444444" and .kind == 2)'
is "one line said that it failed, one that it works again" "$(grep -c '"room":"otel"' "$tmp/serve.err")" 2

# ---- content, by an explicit word ----
: >"$tmp/otel.log"
serve_start --otlp "http://127.0.0.1:$(cat "$tmp/otel.port")" --otlp-content --log-format json --log-content || done_testing
chat smollm2 'Say otter nineteen' >/dev/null
await "with --otlp-content the messages go along" 'any(.[]; .attributes["gen_ai.input.messages"] // "[]" | fromjson | .[0].parts[0].content == "Say otter nineteen")'
holds "and what was answered" "$all" 'any(.[]; .attributes["gen_ai.output.messages"] // "[]" | fromjson | .[0].role == "assistant" and (.[0].parts[0].content | length) > 0)'
has "with --log-content the question is in the log" "$(cat "$tmp/serve.err")" '"question":"Say otter nineteen"'
"$bin" requests -f --json --text >"$tmp/followed" 2>/dev/null &
follower=$!
pids+=($follower)
for i in $(seq 100); do # the first is what it waits for; until it waits, none shows
    chat smollm2 "Say $i" >/dev/null
    [ -s "$tmp/followed" ] && break
    sleep 0.1
done
holds "requests -f --json shows one object a request, with its trace" "$(head -n 1 "$tmp/followed")" '(.id | startswith("req_")) and (.trace_id | length) == 32'
kill -INT $follower
serve_stop

# ---- a dead collector slows nothing and keeps nobody ----
: >"$tmp/otel.log"
OTEL_BSP_MAX_QUEUE_SIZE=4 serve_start --otlp http://127.0.0.1:9 || done_testing
for i in 1 2 3; do chat smollm2 'Say' >/dev/null; done
is "answers go on" "$(chat smollm2 'Say' | jq -r .object)" chat.completion
for _ in $(seq 100); do get /metrics | grep -q '^bantam_telemetry_dropped_total [1-9]' && break; sleep 0.1; done
has "what found no room is counted" "$(get /metrics)" "bantam_telemetry_failures_total"
is "dropped ones, too" "$(get /metrics | grep -c '^bantam_telemetry_dropped_total [1-9]')" 1
is "one line says it" "$(grep -c 'telemetry cannot be sent' "$tmp/serve.err")" 1
serve_stop
is "the end does not wait for it" "$serve_rc" 0

# ---- off by default ----
unset OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_EXPORTER_OTLP_HEADERS
: >"$tmp/llm.log.traceparent"
serve_start || done_testing
chat task:support 'Another otter has moved into the boot of my car' -H "traceparent: 00-$trace-b7ad6b7169203331-01" >/dev/null
is "without a collector nobody is told, not even the large tier" "$(sort -u "$tmp/llm.log.traceparent")" none
is "and no telemetry is counted" "$(get /metrics | grep -c bantam_telemetry)" 0
serve_stop
is "the log is text" "$(grep -c '^{' "$tmp/serve.err")" 0
done_testing
