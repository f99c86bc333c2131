"""What schemathesis makes up is sent as it is, but for this: names of models become those that are
served (else every answer is 404), answers are kept short, deadlines are not missed (504 is the right
answer there), and /v1/logout's like are left alone. What is wrong in a body stays wrong."""
import schemathesis

ENCODERS = ("embed", "rerank")
SHORT = 3


def is_count(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool) and v >= 1 and v == int(v)


def shorten(body, key):
    if body.get(key) is None or is_count(body[key]):
        body[key] = SHORT


@schemathesis.hook
def before_call(context, case, **kwargs):
    body, path = case.body, case.operation.path
    if not isinstance(body, dict):
        return
    if isinstance(body.get("model"), str) and body["model"]:
        body["model"] = "minilm" if any(x in path for x in ENCODERS) else "smollm2"
    if is_count(body.get("deadline_ms")):
        body["deadline_ms"] = 3600000
    if path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if key in body:
                shorten(body, key)
        if path == "/v1/responses":
            shorten(body, "max_output_tokens")
        else:
            shorten(body, "max_tokens")
    if path == "/v1/messages" and is_count(body.get("max_tokens")):
        body["max_tokens"] = SHORT
    if path in ("/api/chat", "/api/generate"):
        if body.get("options") is None:
            body["options"] = {}
        options = body["options"]
        if isinstance(options, dict) and (
            options.get("num_predict") is None or isinstance(options["num_predict"], int) and options["num_predict"] >= -2
        ):
            options["num_predict"] = SHORT
