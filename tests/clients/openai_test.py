"""The official OpenAI client, unchanged, against a server: openai_test.py URL

Models that are not there are reported as skipped. Prints "ok - what" lines."""
import json
import sys
import time
import urllib.error
import urllib.request

import openai

from report import CITY, COLOURS, SCHEMA, Flaky, expect, leaving_stops, run_all

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


def loops_with_tools():
    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    more = {"max_completion_tokens": 120, "temperature": 0, "tools": [tool],
            "parallel_tool_calls": False}
    talk = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]
    said = client.chat.completions.create(model="smollm2", messages=talk, tool_choice="required",
                                          **more).choices[0]
    call = said.message.tool_calls[0]
    assert said.finish_reason == "tool_calls" and call.function.name == "weather", said
    assert isinstance(json.loads(call.function.arguments)["city"], str), call
    with client.chat.completions.stream(model="smollm2", messages=talk, tool_choice="required",
                                        **more) as stream:
        same = stream.until_done().get_final_completion().choices[0].message.tool_calls[0]
    assert json.loads(same.function.arguments) == json.loads(call.function.arguments)
    talk += [said.message, {"role": "tool", "tool_call_id": call.id, "content": "Snow."}]
    assert client.chat.completions.create(model="smollm2", messages=talk, tool_choice="none",
                                          **more).choices[0].message.content


def holds_a_schema():
    shape = {"type": "json_schema", "json_schema": {"name": "c", "schema": SCHEMA, "strict": True}}
    got = ask("smollm2", "A colour?", response_format=shape, max_completion_tokens=60, n=3)
    assert sorted(c.index for c in got.choices) == [0, 1, 2]
    for choice in got.choices:
        assert json.loads(choice.message.content)["colour"] in COLOURS, got
    error = expect(openai.BadRequestError, lambda: ask("smollm2", "hi", response_format={
        "type": "json_schema", "json_schema": {"name": "c", "schema": {"type": "array", "uniqueItems": True}}}))
    assert error.code == "invalid_json_schema", error


def completes():
    more = {"model": "smollm2", "prompt": "One, two, three,", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**more)
    assert "four" in whole.choices[0].text, whole
    words = "".join(c.choices[0].text for c in client.completions.create(stream=True, **more)
                    if c.choices)
    assert words == whole.choices[0].text


def keeps_responses():
    if not has("/v1/responses/none", "GET"):
        return "this server has no responses"
    more = {"model": "smollm2", "max_output_tokens": 24, "temperature": 0}
    first = client.responses.create(input="Say hello.", **more)
    assert first.status in ("completed", "incomplete") and first.output_text, first
    assert client.responses.retrieve(first.id).output_text == first.output_text
    kinds, words = [], ""
    for event in client.responses.create(input="Say hello.", stream=True, **more):
        kinds.append(event.type)
        words += event.delta if event.type == "response.output_text.delta" else ""
    assert kinds[0] == "response.created" and words == first.output_text, (kinds, words)
    second = client.responses.create(input="And again.", previous_response_id=first.id, **more)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens
    got = client.responses.create(input="A colour?", **{**more, "max_output_tokens": 60}, text={
        "format": {"type": "json_schema", "name": "c", "schema": SCHEMA, "strict": True}})
    assert json.loads(got.output_text)["colour"] in COLOURS, got
    client.responses.delete(first.id)
    expect(openai.NotFoundError, lambda: client.responses.retrieve(first.id))


def keeps_files_and_runs_batches():
    if not has("/v1/files", "GET"):
        return "this server has no files"
    lines = [{"custom_id": f"q{i}", "method": "POST", "url": "/v1/chat/completions",
              "body": {"model": "smollm2", "max_completion_tokens": 8, "temperature": 0,
                       "messages": [{"role": "user", "content": f"Say {i}."}]}} for i in range(3)]
    text = "\n".join(json.dumps(line) for line in lines).encode()
    file = client.files.create(file=("in.jsonl", text), purpose="batch")
    assert file.bytes == len(text) and client.files.content(file.id).content == text
    assert file.id in [f.id for f in client.files.list()]
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                  completion_window="24h")
    end = time.monotonic() + 120
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < end, batch
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed" and batch.request_counts.completed == 3, batch
    rows = [json.loads(r) for r in client.files.content(batch.output_file_id).text.splitlines()]
    assert {r["custom_id"] for r in rows} == {"q0", "q1", "q2"}
    assert all(r["response"]["body"]["choices"][0]["message"]["content"] for r in rows)
    client.files.delete(file.id)
    expect(openai.NotFoundError, lambda: client.files.retrieve(file.id))


def leaving_stops_the_answer():
    def leave():
        with ask("smollm2", "Tell a long story.", stream=True, max_completion_tokens=4000) as s:
            next(iter(s))
    leaving_stops(URL, leave)


def retries_what_was_busy():
    proxy = Flaky(URL, 2)
    again = openai.OpenAI(base_url=proxy.url + "/v1", api_key="any", max_retries=2, timeout=60)
    assert again.chat.completions.create(model="smollm2", max_completion_tokens=4, messages=[
        {"role": "user", "content": "Say hello."}]).choices[0].message.content
    assert proxy.seen == 3, proxy.seen
    proxy.close()


def has(path, method):
    """Is there such a route? A thing that is not there is another error than no route."""
    try:
        urllib.request.urlopen(urllib.request.Request(URL + path, method=method), timeout=10)
    except urllib.error.HTTPError as error:
        return "there is nothing at" not in error.read().decode()
    return True


run_all("OpenAI's Python client", (
    lists_models, a_task_answers_whole, a_task_answers_as_a_stream,
    what_a_person_must_answer_is_said, embeddings_both_ways, a_generator_chats, loops_with_tools,
    holds_a_schema, completes, errors_are_the_clients_own, leaving_stops_the_answer,
    retries_what_was_busy, keeps_responses, keeps_files_and_runs_batches))
