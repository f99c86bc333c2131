#!/usr/bin/env bash
# What --otlp sends, read by OpenTelemetry's own message types: see otlp_test.py.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/lib.sh
python_with otlp "import opentelemetry.proto.collector.trace.v1.trace_service_pb2, opentelemetry.semconv._incubating.attributes" \
    opentelemetry-proto opentelemetry-semantic-conventions
export no_proxy=127.0.0.1,localhost OTEL_BSP_SCHEDULE_DELAY=50 OTEL_METRIC_EXPORT_INTERVAL=500
echo 200 >"$home/how"
: >"$home/otlp"
python3 tests/clients/stub_collector.py "$home/port" "$home/how" "$home/otlp" 2>"$home/stub.err" &
stub=$!
trap 'kill $stub 2>/dev/null; stop' EXIT
for _ in $(seq 100); do [ -s "$home/port" ] && break; sleep 0.1; done
start_server "OpenTelemetry's messages" --otlp "http://127.0.0.1:$(cat "$home/port")"
run "$python" tests/clients/otlp_test.py "$url" "$home/otlp"
