#!/usr/bin/env bash
# What Prometheus' own tool says of /metrics: a server that has answered, refused and failed, under our
# names and vLLM's, without a collector and with one that nobody answers for.
. tests/e2e/lib.sh
need_program
tool=${BANTAM_TEST_PROMTOOL:-promtool}
command -v "$tool" >/dev/null || { skip "promtool is not installed (Debian: prometheus)"; done_testing; }

check() { # WHAT PATH
    local said
    get "$2" >"$tmp/metrics"
    at_least "$1: families" "$(grep -c '^# TYPE' "$tmp/metrics")" 20
    # vLLM's names have a colon, which is its own choice; 3 is promtool's status when it has an opinion
    said=$("$tool" check metrics <"$tmp/metrics" 2>&1; echo "status $?")
    said=$(grep -v "^vllm:[a-z_]* metric names should not contain ':'$" <<<"$said")
    [ "$2" = /metrics ] || said=${said/status 3/status 0}
    is "$1: promtool reads it, and finds nothing to say" "$said" "status 0"
}
ask_all() {
    have_model smollm2 && post /v1/chat/completions '{"model":"smollm2","max_tokens":4,"messages":[{"role":"user","content":"Hi"}]}' >/dev/null
    have_model minilm && post /v1/embeddings '{"model":"minilm","input":"an otter"}' >/dev/null
    post /v1/chat/completions '{"model":"no\"such\\\n","messages":[{"role":"user","content":"Hi"}]}' >/dev/null
    post /v1/chat/completions 'nonsense' >/dev/null
    get /v1/models >/dev/null
}
printf '# TYPE x counter\nx{a="1} 2\n' | "$tool" check metrics >/dev/null 2>&1
is "promtool tells a text that is none" "$([ $? -ne 0 ] && echo told)" told

have_model smollm2 || have_model minilm && link_models
serve_start || done_testing
ask_all
check "our names" /metrics
check "vLLM's names" "/metrics?names=vllm"
serve_stop
OTEL_BSP_SCHEDULE_DELAY=50 serve_start --otlp http://127.0.0.1:9 || done_testing
ask_all
check "with telemetry" /metrics
serve_stop
done_testing
