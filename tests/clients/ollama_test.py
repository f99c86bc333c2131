"""Ollama's Python client, unchanged, against a server with smollm2 and minilm: ollama_test.py URL"""
import asyncio
import json
import sys
import time

import ollama

from report import COLOURS, SCHEMA, expect, leaving_stops, run_all

URL = sys.argv[1]
client = ollama.Client(host=URL, timeout=60)
HELLO = [{"role": "user", "content": "Say hello."}]
GREEDY = {"temperature": 0, "num_predict": 24, "repeat_penalty": 1}


def chats():
    r = client.chat(model="smollm2:latest", messages=HELLO, options=GREEDY)
    assert r.message.role == "assistant" and r.message.content and r.done, r
    assert r.done_reason in ("stop", "length") and 0 < r.eval_count <= 24, r
    assert r.total_duration >= r.prompt_eval_duration + r.eval_duration > 0, r


def streams_the_same_words():
    whole = client.chat(model="smollm2", messages=HELLO, options=GREEDY)
    parts = list(client.chat(model="smollm2", messages=HELLO, options=GREEDY, stream=True))
    assert "".join(p.message.content for p in parts) == whole.message.content
    assert [p.done for p in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == whole.eval_count


def generates():
    r = client.generate(model="smollm2", prompt="Say hello.", system="Be kind.", options=GREEDY)
    assert r.response and r.done, r
    raw = client.generate(model="smollm2", prompt="One, two, three,", raw=True, options=GREEDY)
    assert "four" in raw.response, raw
    parts = client.generate(model="smollm2", prompt="One, two, three,", raw=True, options=GREEDY,
                            stream=True)
    assert "".join(p.response for p in parts) == raw.response


def weather(city: str) -> str:
    """The weather of a city

    Args:
        city: its name
    """
    return f"Snow in {city}."


def loops_with_tools():
    talk = [{"role": "user", "content": "What is the weather in Paris? Ask the tool."}]
    tools = [weather]
    options = {**GREEDY, "num_predict": 120}
    for ask in ("whole", "stream"):
        # the client has no tool_choice; a small model needs to be told, so the body says it
        body = {"model": "smollm2", "messages": talk, "options": options, "stream": ask == "stream",
                "tool_choice": "required", "parallel_tool_calls": False,
                "tools": [ollama._utils.convert_function_to_tool(t).model_dump(exclude_none=True)
                          for t in tools]}
        got = client._request(ollama.ChatResponse, "POST", "/api/chat", json=body,
                              stream=ask == "stream")
        parts = list(got) if ask == "stream" else [got]
        calls = [c for p in parts for c in p.message.tool_calls or []]
        assert len(calls) == 1 and calls[0].function.name == "weather", parts
        assert isinstance(calls[0].function.arguments["city"], str), calls
    said = next(p.message for p in parts if p.message.tool_calls)
    talk += [said, {"role": "tool", "tool_name": "weather",
                    "content": weather(**calls[0].function.arguments)}]
    last = client.chat(model="smollm2", messages=talk, options=options)
    assert last.message.content, last
    client.chat(model="smollm2", messages=HELLO, tools=tools, options=GREEDY)  # as it is


def holds_a_schema():
    for i in range(3):
        r = client.chat(model="smollm2", messages=[{"role": "user", "content": f"Colour {i}?"}],
                        format=SCHEMA, options={"num_predict": 60})
        assert json.loads(r.message.content)["colour"] in COLOURS, r
    r = client.generate(model="smollm2", prompt="A colour as JSON", format="json",
                        options={"num_predict": 200, "temperature": 0})
    assert r.done_reason == "length" or isinstance(json.loads(r.response), dict), r


def embeds():
    r = client.embed(model="minilm", input=["a red car", "a crimson automobile", "green tea"])
    dot = lambda a, b: sum(x * y for x, y in zip(r.embeddings[a], r.embeddings[b]))
    assert len(r.embeddings) == 3 and abs(dot(0, 0) - 1) < 1e-4 and dot(0, 1) > dot(0, 2), r
    one = client.embeddings(model="minilm", prompt="a red car")
    assert max(abs(x - y) for x, y in zip(one.embedding, r.embeddings[0])) < 1e-6
    expect(ollama.ResponseError, lambda: client.embed(model="minilm", input="word " * 5000, truncate=False))
    assert client.embed(model="minilm", input="word " * 5000).embeddings  # cut, as Ollama does by default


def tells_of_models():
    names = {m.model: m for m in client.list().models}
    assert names["smollm2:latest"].size > 0 and names["minilm:latest"].details.family == "bert"
    shown = client.show("smollm2:latest")
    assert shown.details.format == "gguf" and "completion" in shown.capabilities, shown
    assert shown.modelinfo["llama.context_length"] == 8192 and shown.template
    assert "smollm2:latest" in [m.model for m in client.ps().models]


def keeps_and_unloads():
    client.generate(model="smollm2", keep_alive="5m")
    r = client.generate(model="smollm2", keep_alive=0)
    assert r.done_reason == "unload", r
    end = time.monotonic() + 20
    while "smollm2:latest" in [m.model for m in client.ps().models]:
        assert time.monotonic() < end, "it is still there"
        time.sleep(0.05)
    assert client.chat(model="smollm2", messages=HELLO, options=GREEDY, keep_alive=-1).done


def errors_are_its_own():
    error = expect(ollama.ResponseError, lambda: client.chat(model="none", messages=HELLO))
    assert error.status_code == 404, error
    error = expect(ollama.ResponseError, lambda: client.chat(
        model="smollm2", messages=HELLO, options={"num_ctx": 100000}))
    assert error.status_code == 400 and "8192" in error.error, error
    error = expect(ollama.ResponseError, lambda: list(client.generate(
        model="smollm2", prompt="word " * 20000, stream=True)))
    assert error.status_code == 400, error
    error = expect(ollama.ResponseError, lambda: client.pull("smollm2"))
    assert error.status_code == 501 and "bantam pull" in error.error, error
    error = expect(ollama.ResponseError, lambda: client.delete("smollm2"))
    assert error.status_code == 501 and "bantam rm" in error.error, error


def leaving_stops_the_answer():
    def leave():
        mine = ollama.Client(host=URL)
        stream = mine.chat(model="smollm2", stream=True, options={"num_predict": 4000},
                           messages=[{"role": "user", "content": "Tell a long story."}])
        next(stream)
        mine._client.close()
    leaving_stops(URL, leave)


def works_asynchronously():
    async def ask():
        aio = ollama.AsyncClient(host=URL)
        some = [aio.chat(model="smollm2", messages=HELLO, options=GREEDY) for _ in range(4)]
        return await asyncio.gather(*some)
    answers = asyncio.run(ask())
    assert len({a.message.content for a in answers}) == 1


run_all("Ollama's Python client", (
    chats, streams_the_same_words, generates, loops_with_tools, holds_a_schema, embeds,
    tells_of_models, keeps_and_unloads, errors_are_its_own, works_asynchronously,
    leaving_stops_the_answer))
