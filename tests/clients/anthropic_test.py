"""Anthropic's Python client, unchanged, against a server with smollm2: anthropic_test.py URL"""
import json
import sys

import anthropic

from report import CITY, COLOURS, SCHEMA, Flaky, expect, leaving_stops, run_all

URL = sys.argv[1]
client = anthropic.Anthropic(base_url=URL, api_key="any", max_retries=0, timeout=60)
# clients of 2026-10-21 have no argument for temperature any more; the field is still read
MORE = {"model": "smollm2", "max_tokens": 24, "extra_body": {"temperature": 0}}
HELLO = [{"role": "user", "content": "Say hello."}]
STORY = [{"role": "user", "content": "Tell a long story."}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL = {"name": "weather", "description": "The weather of a city", "input_schema": CITY}


def chats():
    m = client.messages.create(messages=HELLO, system="You are kind.", **MORE)
    assert m.type == "message" and m.role == "assistant" and m.model == "smollm2"
    assert m.content[0].type == "text" and m.content[0].text
    assert m.stop_reason in ("end_turn", "max_tokens") and m.usage.output_tokens <= 24
    assert m._request_id.startswith("req_"), m._request_id


def streams_the_same_words():
    whole = client.messages.create(messages=HELLO, **MORE)
    with client.messages.stream(messages=HELLO, **MORE) as stream:
        words = "".join(stream.text_stream)
        last = stream.get_final_message()
    assert words == whole.content[0].text == last.content[0].text, (words, whole)
    assert last.stop_reason == whole.stop_reason
    count = lambda u: u.input_tokens + u.cache_read_input_tokens
    assert last.usage.output_tokens == whole.usage.output_tokens
    assert count(last.usage) == count(whole.usage)
    kinds = [e.type for e in client.messages.create(messages=HELLO, stream=True, **MORE)]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds


def says_which_stop_struck():
    first = client.messages.create(messages=HELLO, **MORE).content[0].text
    stop = first.split()[1]
    m = client.messages.create(messages=HELLO, stop_sequences=["@@", stop], **MORE)
    assert m.stop_reason == "stop_sequence" and m.stop_sequence == stop, m
    assert m.content[0].text == first[:first.index(stop)], m


def counts_tokens():
    n = client.messages.count_tokens(model="smollm2", messages=HELLO).input_tokens
    u = client.messages.create(messages=HELLO, **MORE).usage
    assert n == u.input_tokens + u.cache_read_input_tokens, (n, u)
    more = client.messages.count_tokens(model="smollm2", messages=HELLO, tools=[TOOL])
    assert more.input_tokens > n


def known_prefixes_are_told():
    long = [{"role": "user", "content": "Count the words. " + "a red car and " * 60}]
    client.messages.create(messages=long, **MORE)
    u = client.messages.create(messages=long, **MORE).usage
    assert u.cache_read_input_tokens >= 32 and u.cache_creation_input_tokens == 0, u


def loops_with_tools():
    ask = {**MORE, "max_tokens": 120, "tools": [TOOL]}
    m = client.messages.create(messages=WEATHER, tool_choice={
        "type": "tool", "name": "weather", "disable_parallel_tool_use": True}, **ask)
    calls = [b for b in m.content if b.type == "tool_use"]
    assert m.stop_reason == "tool_use" and len(calls) == 1, m
    assert calls[0].name == "weather" and isinstance(calls[0].input["city"], str), calls
    talk = WEATHER + [
        {"role": "assistant", "content": m.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": calls[0].id,
                                      "content": "Snow, -3 degrees."}]}]
    last = client.messages.create(messages=talk, tool_choice={"type": "none"}, **ask)
    assert last.stop_reason in ("end_turn", "max_tokens") and last.content[0].text, last


def streams_tools():
    ask = {**MORE, "max_tokens": 120, "tools": [TOOL]}
    with client.messages.stream(messages=WEATHER, tool_choice={
            "type": "any", "disable_parallel_tool_use": True}, **ask) as stream:
        pieces = "".join(e.partial_json for e in stream if e.type == "input_json")
        m = stream.get_final_message()
    call = m.content[-1]
    assert m.stop_reason == "tool_use" and call.type == "tool_use", m
    assert json.loads(pieces) == call.input and list(call.input) == ["city"], (pieces, call)


def holds_a_schema():
    more = {"model": "smollm2", "max_tokens": 60}
    for seed in range(3):
        m = client.messages.create(
            messages=[{"role": "user", "content": f"Name a colour, number {seed}."}],
            output_config={"format": {"type": "json_schema", "schema": SCHEMA}}, **more)
        assert json.loads(m.content[0].text)["colour"] in COLOURS, m


def errors_are_its_own():
    error = expect(anthropic.NotFoundError,
                   lambda: client.messages.create(messages=HELLO, model="none", max_tokens=5))
    assert error.body["error"]["type"] == "not_found_error", error.body
    assert error.request_id.startswith("req_")
    image = [{"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                          "data": "aGk="}}]
    error = expect(anthropic.BadRequestError, lambda: client.messages.create(
        messages=[{"role": "user", "content": image}], **MORE))
    assert "image" in str(error), error
    error = expect(anthropic.BadRequestError, lambda: client.messages.create(
        messages=[{"role": "user", "content": "word " * 20000}], **MORE))
    assert "context" in str(error) or "tokens" in str(error), error
    error = expect(anthropic.BadRequestError, lambda: client.messages.create(
        messages=HELLO, **{**MORE, "extra_body": {"speedd": 1}}))
    assert "speedd" in str(error), error


def leaving_stops_the_answer():
    def leave():
        with client.messages.stream(messages=STORY, model="smollm2", max_tokens=4000) as stream:
            next(iter(stream.text_stream))
    leaving_stops(URL, leave)


def retries_what_was_busy():
    proxy = Flaky(URL, 2)
    again = anthropic.Anthropic(base_url=proxy.url, api_key="any", max_retries=2, timeout=60)
    assert again.messages.create(messages=HELLO, **MORE).content[0].text
    assert proxy.seen == 3, proxy.seen
    proxy.close()


def lists_models():
    ids = [m.id for m in client.models.list()]
    assert "smollm2" in ids, ids


run_all("Anthropic's Python client", (
    chats, streams_the_same_words, says_which_stop_struck, counts_tokens, known_prefixes_are_told,
    loops_with_tools, streams_tools, holds_a_schema, errors_are_its_own, leaving_stops_the_answer,
    retries_what_was_busy, lists_models))
