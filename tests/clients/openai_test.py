"""The official OpenAI client, unchanged, against a server: openai_test.py URL

Models that are not there are reported as skipped. Prints "ok - what" lines."""
import sys
import traceback

import openai

URL = sys.argv[1]
CANCEL = "How can I cancel my car insurance policy?"
ANGRY = "This is a disgrace, I want to make a formal complaint about how your staff treated me"
client = openai.OpenAI(base_url=URL + "/v1", api_key="any", max_retries=0, timeout=60)
models = {}


def ask(model, text, **more):
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], **more)


def lists_models():
    for model in client.models.list():
        models[model.id] = model
    assert "task:support" in models, models
    assert client.models.retrieve("task:support").object == "model"


def a_task_answers_whole():
    reply = ask("task:support", CANCEL)
    told = reply.model_extra["bantam"]
    assert reply.choices[0].message.content, reply
    assert reply.choices[0].finish_reason == "stop"
    assert told["tier"] in ("slm", "human") and told["trace"] == reply.id.removeprefix("chatcmpl-")


def a_task_answers_as_a_stream():
    words, ends, told, usage = "", [], None, None
    for chunk in ask("task:support", CANCEL, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            words += choice.delta.content or ""
            if choice.finish_reason:
                ends.append(choice.finish_reason)
                told = chunk.model_extra["bantam"]
    assert words == ask("task:support", CANCEL).choices[0].message.content or told["tier"] == "human"
    assert ends == ["stop"] and usage is not None


def what_a_person_must_answer_is_said():
    reply = ask("task:support", ANGRY)
    told = reply.model_extra["bantam"]
    assert told["tier"] == "human", told
    assert told["review"] in reply.choices[0].message.content
    assert told["url"].startswith("http") and told["url"] in reply.choices[0].message.content


def embeddings_both_ways():
    if "minilm" not in models:
        return "minilm is not here"
    as_base64 = client.embeddings.create(model="minilm", input=["a red car", "a red auto"])
    as_numbers = client.embeddings.create(model="minilm", input=["a red car", "a red auto"],
                                          encoding_format="float")
    for a, b in zip(as_base64.data, as_numbers.data):
        assert len(a.embedding) == 384
        assert max(abs(x - y) for x, y in zip(a.embedding, b.embedding)) < 1e-6
    assert abs(sum(x * x for x in as_numbers.data[0].embedding) - 1) < 1e-4


def a_generator_chats():
    if "smollm2" not in models:
        return "smollm2 is not here"
    more = {"max_completion_tokens": 12, "temperature": 0, "seed": 1}
    whole = ask("smollm2", "Say hello.", logprobs=True, top_logprobs=2, **more)
    assert whole.choices[0].message.content and whole.usage.completion_tokens <= 12
    assert len(whole.choices[0].logprobs.content[0].top_logprobs) == 2
    words = "".join(c.choices[0].delta.content or "" for c in
                    ask("smollm2", "Say hello.", stream=True, **more) if c.choices)
    assert words == whole.choices[0].message.content, (words, whole)


def expect(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def errors_are_the_clients_own():
    error = expect(openai.NotFoundError, lambda: ask("nothing", "hi"))
    assert error.code == "model_not_found" and error.param == "model", error
    error = expect(openai.BadRequestError, lambda: ask("task:support", "hi", n=2))
    assert error.param == "n" and error.type == "invalid_request_error", error
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    error = expect(openai.BadRequestError, lambda: ask("task:support", "hi", tools=[tool]))
    assert error.param == "tools", error
    if "minilm" in models:
        expect(openai.BadRequestError,
               lambda: client.embeddings.create(model="minilm", input="word " * 5000))


failed = False
for test in (lists_models, a_task_answers_whole, a_task_answers_as_a_stream,
             what_a_person_must_answer_is_said, embeddings_both_ways, a_generator_chats,
             errors_are_the_clients_own):
    name = "OpenAI's Python client: " + test.__name__.replace("_", " ")
    try:
        why_skipped = test()
        print(f"skip - {name}: {why_skipped}" if why_skipped else f"ok - {name}")
    except Exception:  # each test reports for itself
        failed = True
        traceback.print_exc()
        print(f"not ok - {name}")
sys.exit(failed)
