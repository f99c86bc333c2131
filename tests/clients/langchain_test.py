"""LangChain's packages and LlamaIndex, unchanged, against a server with smollm2 and minilm:
langchain_test.py URL"""
import sys
from typing import Annotated

import anthropic
import langchain_anthropic
import langchain_ollama
import langchain_openai
import ollama
import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field

from report import SCHEMA, expect, leaving_stops, run_all

URL = sys.argv[1]


class Colour(BaseModel):
    """A colour"""
    colour: str = Field(pattern="^(red|green|blue)$")


@tool
def weather(city: Annotated[str, Field(max_length=30)]) -> str:
    """The weather of a city."""
    return f"Snow in {city}."


def by_openai(**more):
    return langchain_openai.ChatOpenAI(**{
        "model": "smollm2", "base_url": URL + "/v1", "api_key": "any", "max_retries": 0,
        "temperature": 0, "max_tokens": 60, **more})


def by_anthropic(**more):
    return langchain_anthropic.ChatAnthropic(**{
        "model": "smollm2", "base_url": URL, "api_key": "any", "max_retries": 0,
        "max_tokens": 60, **more})


def by_ollama(**more):
    return langchain_ollama.ChatOllama(**{
        "model": "smollm2", "base_url": URL, "temperature": 0, "num_predict": 60, **more})


def talks(llm):
    assert llm.invoke("Say hello.").content
    words = "".join(c.text if isinstance(c.text, str) else c.text() for c in llm.stream("Say hello."))
    assert words, "an empty stream"


def loops(llm, **choice):
    bound = llm.bind_tools([weather], **choice)
    said = bound.invoke([HumanMessage("What is the weather in Paris? Use the tool.")])
    assert said.tool_calls and said.tool_calls[0]["name"] == "weather", said
    call = said.tool_calls[0]
    assert isinstance(call["args"]["city"], str), call
    talk = [HumanMessage("What is the weather in Paris?"), said] + [
        ToolMessage(weather.invoke(c["args"]), tool_call_id=c["id"]) for c in said.tool_calls]
    assert llm.bind_tools([weather]).invoke(talk) is not None


def leaves(make):
    def leave():
        stream = make().stream("Tell a long story.")
        next(stream)
        stream.close()
    leaving_stops(URL, leave)


def openai_chats_and_streams():
    talks(by_openai())


def openai_loops_with_tools():
    loops(by_openai(max_tokens=120), tool_choice="required", parallel_tool_calls=False)


def openai_holds_a_schema():
    for method in ("json_schema", "function_calling"):
        got = by_openai(temperature=1).with_structured_output(Colour, method=method).invoke("A colour?")
        assert got.colour in ("red", "green", "blue"), got


def openai_embeds():
    e = langchain_openai.OpenAIEmbeddings(model="minilm", base_url=URL + "/v1", api_key="any",
                                          check_embedding_ctx_length=False)
    a, b, c = e.embed_documents(["a red car", "a crimson automobile", "green tea"])
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    assert len(a) == 384 and dot(a, b) > dot(a, c)


def openai_errors_are_its_own():
    error = expect(openai.NotFoundError, lambda: by_openai(model="none").invoke("hi"))
    assert error.code == "model_not_found", error
    expect(openai.BadRequestError, lambda: by_openai().invoke("word " * 20000))


def openai_leaving_stops_the_answer():
    leaves(lambda: by_openai(max_tokens=4000, temperature=1))


def anthropic_chats_and_streams():
    talks(by_anthropic())


def anthropic_loops_with_tools():
    loops(by_anthropic(max_tokens=120), tool_choice="weather", parallel_tool_calls=False)


def anthropic_holds_a_schema():
    got = by_anthropic(max_tokens=120).with_structured_output(Colour).invoke("A colour?")
    assert got.colour in ("red", "green", "blue"), got


def anthropic_errors_are_its_own():
    expect(anthropic.NotFoundError, lambda: by_anthropic(model="none").invoke("hi"))
    expect(anthropic.BadRequestError, lambda: by_anthropic().invoke("word " * 20000))


def anthropic_leaving_stops_the_answer():
    leaves(lambda: by_anthropic(max_tokens=4000))


def ollama_chats_and_streams():
    talks(by_ollama())


def ollama_loops_with_tools():
    said = by_ollama(num_predict=120).bind_tools([weather]).invoke(
        "What is the weather in Paris? Use the tool.")  # it cannot require one
    assert said.content or said.tool_calls
    talk = [HumanMessage("What is the weather in Paris?"),
            by_anthropic(max_tokens=120).bind_tools([weather], tool_choice="any").invoke("Paris?")]
    talk += [ToolMessage(weather.invoke(c["args"]), tool_call_id=c["id"])
             for c in talk[1].tool_calls]
    assert by_ollama().bind_tools([weather]).invoke(talk) is not None


def ollama_holds_a_schema():
    got = by_ollama(temperature=1).with_structured_output(Colour, method="json_schema").invoke("One?")
    assert got.colour in ("red", "green", "blue"), got
    assert by_ollama(format=SCHEMA).invoke("One?").content.startswith("{")


def ollama_embeds():
    e = langchain_ollama.OllamaEmbeddings(model="minilm", base_url=URL)
    assert len(e.embed_query("a red car")) == 384 and len(e.embed_documents(["a", "b"])) == 2


def ollama_errors_are_its_own():
    expect(ollama.ResponseError, lambda: by_ollama(model="none").invoke("hi"))
    expect(ollama.ResponseError, lambda: by_ollama().invoke("word " * 20000))


def ollama_leaving_stops_the_answer():
    leaves(lambda: by_ollama(num_predict=4000, temperature=1))


def llama(**more):
    return OpenAILike(**{"model": "smollm2", "api_base": URL + "/v1", "api_key": "any",
                         "is_chat_model": True, "is_function_calling_model": True,
                         "temperature": 0, "max_tokens": 60, "max_retries": 0,
                         "context_window": 8192, **more})


def llamaindex_chats_and_streams():
    ask = [ChatMessage(role="user", content="Say hello.")]
    whole = llama().chat(ask).message.content
    words = "".join(c.delta or "" for c in llama().stream_chat(ask))
    assert whole and words == whole, (whole, words)
    assert llama().complete("Say hello.").text
    assert llama(is_chat_model=False).complete("One, two, three,").text


def llamaindex_calls_tools():
    calls = llama(max_tokens=120).chat_with_tools(
        [FunctionTool.from_defaults(fn=weather.func, name="weather", description="The weather")],
        user_msg="What is the weather in Paris?", tool_required=True)
    found = llama().get_tool_calls_from_response(calls)
    assert found[0].tool_name == "weather" and isinstance(found[0].tool_kwargs["city"], str), found


def llamaindex_holds_a_schema():
    got = llama(should_use_structured_outputs=True).as_structured_llm(Colour).complete("A colour?")
    assert got.raw.colour in ("red", "green", "blue"), got


def llamaindex_errors_are_the_clients_own():
    expect(openai.NotFoundError, lambda: llama(model="none").complete("hi"))


run_all("LangChain and LlamaIndex", (
    openai_chats_and_streams, openai_loops_with_tools, openai_holds_a_schema, openai_embeds,
    openai_errors_are_its_own, openai_leaving_stops_the_answer, anthropic_chats_and_streams,
    anthropic_loops_with_tools, anthropic_holds_a_schema, anthropic_errors_are_its_own,
    anthropic_leaving_stops_the_answer, ollama_chats_and_streams, ollama_loops_with_tools,
    ollama_holds_a_schema, ollama_embeds, ollama_errors_are_its_own,
    ollama_leaving_stops_the_answer, llamaindex_chats_and_streams, llamaindex_calls_tools,
    llamaindex_holds_a_schema, llamaindex_errors_are_the_clients_own))
