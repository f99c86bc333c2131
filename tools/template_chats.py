"""Conversations with which models' templates are compared: what clients send, and what they should not send.
TOOLS, CHATS (name -> values of a rendering), VARIABLES (sets of further values), BASE (special tokens)."""

CITY = {"type": "string", "description": "Which city"}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a <city>.\nSecond line.", "parameters": {"type": "object", "properties": {"city": CITY, "unit": {"type": "string", "enum": ["C", "F"], "default": "C"}, "days": {"type": ["integer", "null"]}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["city"]}}}
STOP = {"type": "function", "function": {"name": "stop", "description": "Stops", "parameters": {"type": "object", "properties": {}}}}
ODD = {"type": "function", "function": {"name": "odd<|im_end|>tool", "description": "Quote \" back\\slash \u00e9\u2028 'single'", "strict": True, "parameters": {"type": "object", "$defs": {"p": {"type": "number", "minimum": 0.5}}, "properties": {
    "deep": {"type": "object", "description": "An object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "boolean", "default": False}}, "required": ["c"]}}}}}, "additionalProperties": False},
    "any": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}], "description": "any of\nthem", "nullable": True}, "one": {"oneOf": [{"const": 1}, {"const": "x"}]}, "ref": {"$ref": "#/$defs/p"},
    "number": {"type": "number", "default": 1.0, "minimum": -1e-7, "maximum": 1e16}, "nothing": {}, "list": {"type": "array"}, "choice": {"type": "integer", "enum": [1, 2, 3]}}, "required": ["any", "number"]},
    "return": {"type": "string", "description": "what comes back"}}}
NO_PARAMETERS = {"type": "function", "function": {"name": "now", "description": "The time"}}
BARE = {"name": "bare", "description": "Without the wrapper", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}, "required": []}}
TOOLS = [WEATHER, STOP]


def tool_call(name, arguments, id="call00001", **more):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def assistant(content, *calls, **more):
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **more}


def call(arguments, content=""):
    return assistant(content, tool_call("get_weather", arguments))


def user(content, **more):
    return {"role": "user", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def result(content, id="call00001", name="get_weather", **more):
    return {"role": "tool", "tool_call_id": id, "name": name, "content": content, **more}


def text(t, **more):
    return {"type": "text", "text": t, **more}


def chat(*messages, prompt=True, **more):
    return {"messages": list(messages), "add_generation_prompt": prompt, **more}


RESULT = result("{\"temp\": 20.5}")
ASK = user("Weather?")
ARGUMENTS = {"city": "K\u00f6ln", "days": 2, "tags": ["a"], "x": None, "y": True}
MARKERS = "<|im_end|>\n<|im_start|>system\n[INST] <<SYS>> [/INST]</s><s><|eot_id|><end_of_turn><|endoftext|><think></think><tool_call>{}</tool_call>{{ x }}{% raw %}"
THOUGHT = assistant("A", reasoning_content="hm\n")

CHATS = {
    # plain talk
    "plain": chat(user("Hello <|im_start|> there")),
    "system": chat(system("Be \"brief\" & kind.\n"), user("  Gr\u00fc\u00dfe\n\nb  "), assistant("Hi\n"), user("\U0001F600?")),
    "closed": chat(user("Q"), assistant("A"), prompt=False),
    "closed_prompt": chat(user("Q"), assistant("A")),
    "turns": chat(system("S"), *[m for i in range(6) for m in (user(f"question {i}"), assistant(f"answer {i}"))], user("last")),
    "empty_user": chat(user("")),
    "empty_system": chat(system(""), user("x"), assistant(""), user("y")),
    "spaces": chat(system(" \n "), user("\t\n \u00a0x\u00a0 \n"), assistant("  \n\n a \n"), user("\r\nb\r")),
    "unicode": chat(user("\u202eodd\u0000 \u00a0 e\u0301 \u200d\U0001F469\u200d\U0001F680 \u2028\u2029\u0085 \x1b[31m \uFEFF \uFFFD \U0010FFFF \u01C5 \u1E9E\u0130\u0149"), assistant("\u3000\u4f60\u597d\u3000\x1c\x1f"), user("\x7f\x80")),
    "markers": chat(system(MARKERS), user(MARKERS), assistant(MARKERS), user(MARKERS)),
    "developer": chat({"role": "developer", "content": "Dev"}, user("x")),
    "system_only": chat(system("S")),
    "two_systems": chat(system("S1"), system("S2"), user("x")),
    "system_late": chat(user("a"), system("S"), user("b"), assistant("c")),
    "two_users": chat(user("a"), user("b"), assistant("c"), assistant("d"), user("e")),
    "assistant_first": chat(assistant("a"), user("b")),
    "names": chat(user("a", name="Ann"), assistant("b", name="Bot"), user("c", name="Bob")),
    "nobody": chat(),
    "unknown_role": chat({"role": "narrator", "content": "x"}, user("y")),
    "no_role": chat({"content": "x"}),
    "no_content": chat({"role": "user"}),
    "null_content": chat(user(None), assistant(None), user("x")),
    "number_content": chat(user(5), assistant(1.5), user(True)),
    "map_content": chat(user({"type": "text", "text": "m"})),
    # thinking
    "thinking": chat(user("Q"), assistant("<think>\nhm\n</think>\n\nA", reasoning_content="hm"), user("Q2"), enable_thinking=False, thinking=False),
    "thinking_on": chat(system("S"), user("Q"), assistant("<think>\nhm\n</think>\n\nA"), user("Q2"), enable_thinking=True, thinking=True),
    "thought": chat(user("Q"), THOUGHT, user("Q2"), THOUGHT),
    "thought_last": chat(user("Q"), assistant("", reasoning_content="only thought"), prompt=False),
    "thought_open": chat(user("<think>"), assistant("<think>never closed"), user("</think>x"), assistant("</think>no start</think>twice")),
    "thought_other": chat(user("Q"), assistant("A", reasoning="r", thinking="t", thought="u"), user("Q2")),
    "thought_parts": chat(user("Q"), assistant([{"type": "thinking", "thinking": "hm"}, text("A")]), user("Q2")),
    "thought_call": chat(user("Q"), assistant("", tool_call("get_weather", {"city": "X"}), reasoning_content="call it"), RESULT, assistant("A", reasoning_content="done"), user("more"), tools=TOOLS),
    "thought_null": chat(user("Q"), assistant("A", reasoning_content=None, tool_calls=None), user("Q2")),
    "think_switch": chat(system("S /no_think"), user("Q /think"), assistant("A"), user("Q2 /no_think")),
    "effort": chat(system("S"), user("Q"), reasoning_effort="high", thinking_budget=512, model_identity="You are X.", builtin_tools=["browser", "python"]),
    # tools
    "tools": chat(system("S"), ASK, tools=TOOLS),
    "tools_only": chat(ASK, tools=TOOLS),
    "tools_none": chat(ASK, tools=[]),
    "tools_odd": chat(system("S"), ASK, tools=[ODD, NO_PARAMETERS]),
    "tools_bare": chat(ASK, tools=[BARE]),
    "tools_many": chat(system("S"), ASK, tools=[WEATHER, STOP, ODD, NO_PARAMETERS], tool_choice="auto", parallel_tool_calls=True),
    "calls": chat(ASK, call(ARGUMENTS), RESULT, assistant("20.5"), user("Thanks"), tools=TOOLS),
    "calls_text": chat(ASK, call("{\"city\": \"Paris\"}"), RESULT, tools=TOOLS),
    "calls_untold": chat(ASK, call(ARGUMENTS), RESULT),
    "calls_none": chat(ASK, call({}), RESULT, tools=TOOLS),
    "calls_empty_text": chat(ASK, call(""), RESULT, tools=TOOLS),
    "calls_bad_text": chat(ASK, call("{\"city\": "), RESULT, tools=TOOLS),
    "calls_deep": chat(ASK, call({"city": "<\u00e9>", "o": {"a": [1, 2.5, None, {"b": "\"q\"\n"}]}, "n": -0.0, "big": 9007199254740993, "e": 1e-7, "u": "\u2028\U0001F600", "empty": [{}, [], ""]}), RESULT, tools=TOOLS),
    "calls_huge": chat(ASK, call({"id": 12345678901234567890, "neg": -98765432109876543210, "f": 1e22}), RESULT, tools=TOOLS),
    "calls_two": chat(ASK, assistant("Both.", tool_call("get_weather", {"city": "A"}), tool_call("stop", {}, "call00002")), RESULT, result("stopped", "call00002", "stop"), assistant("Done"), user("Thanks"), tools=TOOLS),
    "calls_turns": chat(system("S"), ASK, call({"city": "A"}), RESULT, call({"city": "B"}), RESULT, assistant("A and B"), user("again"), call({"city": "C"}), RESULT, tools=TOOLS),
    "calls_pending": chat(ASK, call({"city": "A"}, "Let me look."), prompt=False, tools=TOOLS),
    "calls_null": chat(ASK, assistant(None, tool_call("get_weather", {"city": "A"})), result(None), tools=TOOLS),
    "calls_no_content": chat(ASK, {"role": "assistant", "tool_calls": [tool_call("get_weather", {"city": "A"})]}, RESULT, tools=TOOLS),
    "calls_long_id": chat(ASK, assistant("", tool_call("get_weather", {"city": "A"}, "call_0123456789abcdef")), result("r", "call_0123456789abcdef"), tools=TOOLS),
    "calls_no_id": chat(ASK, assistant("", {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "A"}}}), {"role": "tool", "content": "r"}, tools=TOOLS),
    "calls_functions_id": chat(ASK, assistant("", tool_call("get_weather", {"city": "A"}, "functions.get_weather:0")), result("r", "functions.get_weather:0"), tools=TOOLS),
    "calls_flat": chat(ASK, assistant("", {"name": "get_weather", "arguments": {"city": "A"}}), RESULT, tools=TOOLS),
    "calls_markers": chat(user(MARKERS), assistant(MARKERS, tool_call("x" + MARKERS, {MARKERS: MARKERS})), result(MARKERS, name=MARKERS), tools=[ODD]),
    "result_map": chat(ASK, call({"city": "A"}), result({"temp": 1.0, "ok": True}), tools=TOOLS),
    "result_list": chat(ASK, call({"city": "A"}), result([{"temp": 1}, "x"]), tools=TOOLS),
    "result_parts": chat(ASK, call({"city": "A"}), result([text("one"), text("two")]), tools=TOOLS),
    "result_empty": chat(ASK, call({"city": "A"}), result(""), assistant(""), tools=TOOLS),
    "result_alone": chat(RESULT, ASK, tools=TOOLS),
    "result_stray": chat(ASK, RESULT, assistant("?"), RESULT, RESULT, tools=TOOLS),
    "result_roles": chat(ASK, call({"city": "A"}), {"role": "ipython", "content": "i"}, {"role": "function", "name": "get_weather", "content": "f"}, {"role": "tool_response", "content": "t"}, {"role": "observation", "content": "o"}, tools=TOOLS),
    # parts and documents
    "parts": chat(user([text("part one"), text("part two")])),
    "parts_all": chat(system([text("S1"), text(" S2 ")]), user([text("a")]), assistant([text("b"), text("c")]), user([text("")])),
    "parts_none": chat(user([])),
    "parts_image": chat(user([text("look"), {"type": "image"}, text("here"), {"type": "image_url", "image_url": {"url": "http://x/y.png"}}])),
    "parts_media": chat(user([{"type": "video", "video": "v"}, {"type": "audio", "audio": "a"}, text("t")])),
    "parts_odd": chat(user(["plain", text("t"), {"text": "no type"}, {"type": "input_text", "text": "i"}])),
    "documents": chat(system("S"), user("Q"), documents=[{"title": "T1", "text": "x < y"}, {"title": "T\u00e9 2", "text": "two\nlines", "doc_id": 7}]),
    "documents_tools": chat(user("Q"), documents=[{"title": "T", "text": "x"}], tools=TOOLS, controls=["citations"]),
    "date": chat(system("S"), user("Q"), date_string="01 Jan 2026", tools_in_user_message=False, tools=TOOLS),
}

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
VARIABLES = [
    {},
    {"enable_thinking": True, "thinking": True, "reasoning_effort": "medium", "thinking_mode": "enabled", "reasoning_mode": "/think", "preserve_thinking": False},
    {"enable_thinking": False, "thinking": False, "reasoning_effort": "low", "preserve_thinking": True, "preserved_thinking": True, "keep_reasoning": True, "drop_thinking": False, "thinking_mode": "disabled",
     "thinking_budget": 0, "skip_thinking": True, "think_render_option": "all", "thinking_option": "off", "clear_thinking": False, "reasoning_strength": "none", "is_training": True},
    {"tools_in_user_message": False, "documents": [{"title": "T", "text": "x"}], "tool_choice": "required", "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
     "custom_tools": [WEATHER], "functions": [WEATHER["function"]], "datetime": "2026-01-02", "current_date": "2026-01-02", "grounding": "enabled", "enable_citations": True, "use_json_tooldef": True, "json_mode": True,
     "custom_instructions": "Do so.", "developer_instruction": "Dev.", "platform_instruction_override": "Over.", "render_assistant_messages_raw": True, "continue_final_message": True, "knowledge_cutoff": "2025-06",
     "default_system_prompt": False, "reasoning_effort": "high", "thinking_budget": 1024, "regen_tool_call_ids": True, "initial_instruction_message": {"role": "system", "content": "I"}},
]

BASE = {"bos_token": "<s>", "eos_token": "</s>"}


def matrix():
    """(name, values) of every conversation with every set of variables, with and without the generation prompt."""
    for name, values in CHATS.items():
        for i, more in enumerate(VARIABLES):
            for prompt in (True, False):
                yield f"{name}/{i}/{'prompt' if prompt else 'closed'}", {**values, **more, "add_generation_prompt": prompt}
