"""What `bantam serve --otlp` sends, read by OpenTelemetry's own message types: otlp_test.py URL LOG

Every body in LOG (stub_collector.py) must parse as ExportTraceServiceRequest or
ExportMetricsServiceRequest without an unknown field (ids are hexadecimal in OTLP's JSON and base64 in
protobuf's, so they are turned first), and hold what the specifications ask for. The gen_ai names are
looked up in OpenTelemetry's package of conventions.
"""
import base64
import json
import sys
import time
import urllib.error
import urllib.request

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

url, log = sys.argv[1:3]
failed = False


def check(what, good, seen=""):
    global failed
    failed |= not good
    print(("ok - " if good else "not ok - ") + "OpenTelemetry's messages: " + what + ("" if good else f": {seen}"), flush=True)


def ask(path, body, **headers):
    request = urllib.request.Request(url + path, json.dumps(body).encode(),
                                     {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()
            return answer.headers
    except urllib.error.HTTPError as e:
        return e.headers


def turned(v):
    if isinstance(v, list):
        return [turned(x) for x in v]
    if not isinstance(v, dict):
        return v
    return {k: base64.b64encode(bytes.fromhex(x)).decode() if k in ("traceId", "spanId", "parentSpanId") else turned(x)
            for k, x in v.items()}


def read():
    spans, metrics, bodies = [], {}, 0
    with open(log) as f:
        for line in f:
            record = json.loads(line)
            bodies += 1
            kind = ExportTraceServiceRequest if record["path"] == "/v1/traces" else ExportMetricsServiceRequest
            message = json_format.ParseDict(turned(record["body"]), kind(), ignore_unknown_fields=False)
            if kind is ExportTraceServiceRequest:
                spans += [s for r in message.resource_spans for x in r.scope_spans for s in x.spans]
            else:
                metrics = {m.name: m for r in message.resource_metrics for x in r.scope_metrics for m in x.metrics}
    return spans, metrics, bodies


chat = {"model": "smollm2", "max_tokens": 6, "messages": [{"role": "user", "content": "Name a fruit"}]}
parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ask("/v1/chat/completions", chat, traceparent=parent, tracestate="a=1")
ask("/v1/chat/completions", {**chat, "stream": True, "temperature": 0.5, "top_k": 5})
ask("/v1/completions", {"model": "smollm2", "max_tokens": 4, "prompt": "One two"})
ask("/v1/messages", {**chat, "system": "Be short"})
ask("/api/chat", {"model": "smollm2", "messages": chat["messages"], "options": {"num_predict": 6}})
ask("/v1/embeddings", {"model": "minilm", "input": ["a", "b"]})
ask("/v1/chat/completions", {**chat, "model": "nosuch"})
for _ in range(200):
    spans, metrics, bodies = read()
    counted = metrics.get("gen_ai.server.request.duration")
    if sum(s.kind == Span.SPAN_KIND_SERVER for s in spans) >= 7 and counted and \
            sum(p.count for p in counted.histogram.data_points) >= 6:
        break
    time.sleep(0.1)

check("every body is a message of OTLP's, without an unknown field", bodies > 2, bodies)
by_id = {s.span_id: s for s in spans}
check("seven requests are seven spans of a server", sum(s.kind == Span.SPAN_KIND_SERVER for s in spans) == 7, len(spans))
check("ids have their lengths, none twice", all(len(s.trace_id) == 16 and len(s.span_id) == 8 for s in spans) and len(by_id) == len(spans))
check("each has a name and ends after it begins", all(s.name and s.end_time_unix_nano >= s.start_time_unix_nano > 1.7e18 for s in spans))
inner = [s for s in spans if s.kind != Span.SPAN_KIND_SERVER]
check("each inner one has its parent here, in its trace",
      all(s.parent_span_id in by_id and by_id[s.parent_span_id].trace_id == s.trace_id for s in inner), len(inner))
slack = 50_000_000  # two readings of the clocks
check("within its parent's time", all(
    by_id[s.parent_span_id].start_time_unix_nano - slack <= s.start_time_unix_nano and
    s.end_time_unix_nano <= by_id[s.parent_span_id].end_time_unix_nano + slack for s in inner))
remote = [s for s in spans if s.trace_id.hex() == parent[3:35] and s.kind == Span.SPAN_KIND_SERVER]
check("the caller's trace is carried on", len(remote) == 1 and remote[0].parent_span_id.hex() == parent[36:52] and
      remote[0].trace_state == "a=1" and remote[0].flags & 0x300 == 0x300)
roots = [s for s in spans if not s.parent_span_id]
check("others begin their own", len(roots) == 6 and len({s.trace_id for s in roots}) == 6, len(roots))
check("what was not found is no error of the server", all(s.status.code == Status.STATUS_CODE_UNSET for s in spans))

known = {v for k, v in vars(gen_ai_attributes).items() if k.isupper() and isinstance(v, str)}
used = {a.key for s in spans for a in s.attributes if a.key.startswith("gen_ai.")}
used |= {a.key for m in metrics.values() for p in m.histogram.data_points for a in p.attributes if a.key.startswith("gen_ai.")}
check("every gen_ai attribute is one of the conventions'", len(used) > 12 and used <= known, used - known)
names = {v for k, v in vars(gen_ai_metrics).items() if k.isupper() and isinstance(v, str)}
ours = {n for n in metrics if n.startswith("gen_ai.")}
check("and every gen_ai metric", len(ours) >= 4 and ours <= names, ours - names)
operations = {a.value.string_value for s in spans for a in s.attributes if a.key == "gen_ai.operation.name"}
check("operations are named as there", operations == {"chat", "text_completion", "embeddings"}, operations)
types = {a.key: a.value.WhichOneof("value") for s in spans for a in s.attributes}
wanted = {"gen_ai.usage.input_tokens": "int_value", "gen_ai.request.temperature": "double_value", "gen_ai.request.top_k": "double_value",
          "gen_ai.request.stream": "bool_value", "gen_ai.response.finish_reasons": "array_value", "server.port": "int_value",
          "http.response.status_code": "int_value", "gen_ai.request.model": "string_value"}
check("values have their types", {k: types.get(k) for k in wanted} == wanted, {k: types.get(k) for k in wanted})

histograms = [(m.name, p) for m in metrics.values() if m.WhichOneof("data") == "histogram" for p in m.histogram.data_points]
check("buckets add up to their count, one more than bounds", histograms and all(
    sum(p.bucket_counts) == p.count and len(p.bucket_counts) == len(p.explicit_bounds) + 1 and
    list(p.explicit_bounds) == sorted(set(p.explicit_bounds)) for _, p in histograms), len(histograms))
cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
check("all are cumulative, from the start to now", all(
    m.histogram.aggregation_temporality == cumulative for m in metrics.values() if m.WhichOneof("data") == "histogram") and all(
    m.sum.aggregation_temporality == cumulative and m.sum.is_monotonic for m in metrics.values() if m.WhichOneof("data") == "sum") and all(
    0 < p.start_time_unix_nano <= p.time_unix_nano for _, p in histograms))
duration = metrics["gen_ai.server.request.duration"]
check("units are the conventions'", duration.unit == "s" and metrics["gen_ai.client.token.usage"].unit == "{token}")
check("what was answered is counted", sum(p.count for p in duration.histogram.data_points) == 6,
      [p.count for p in duration.histogram.data_points])
check("and all of /metrics is there", {"bantam_requests_total", "bantam_build_info", "process_cpu_seconds_total"} <= set(metrics))
sys.exit(failed)
