/* chat_probe.c - asks a template what it makes of parts, tools and a call's arguments; see chat.h.
 *
 * A short talk with one tool and one call is rendered, once with the arguments as an object and
 * once as JSON text. What the answer shows decides; a template that refuses the talk for another
 * reason says nothing, and nothing is concluded from it. */
#include "token/chat_int.h"

#define PROBE_ARGUMENTS "{\"probe_key\": \"probe_value\"}"

static const char probe_tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"probe_tool\",\"description\":\"d\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"probe_key\":{\"type\":\"string\","
    "\"description\":\"d\"}},\"required\":[\"probe_key\"]}}}]";

static const char probe_parts[] =
    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"probe_part\"}]}]";

static const char probe_ask[] = "[{\"role\":\"user\",\"content\":\"q\"}]";

/* %s: the arguments */
static const char probe_talk[] =
    "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_"
    "calls\":"
    "[{\"id\":\"call00001\",\"type\":\"function\",\"function\":{\"name\":\"probe_called\","
    "\"arguments\":%s}}]},{\"role\":\"tool\",\"tool_call_id\":\"call00001\",\"name\":"
    "\"probe_called\",\"content\":\"r\"}]";

typedef struct probe {
    bool refused;
    str text; /* in the arena */
} probe;

static err ask(const chat *c, arena *a, const char *messages, const char *tools, probe *out,
               fail *f) {
    chat_input in = {.add_generation_prompt = true};
    const json *values;
    template_spans spans;
    buf b = {.bytes_max = TOKEN_TEXT_BYTES_MAX};
    fail why;
    *out = (probe){.refused = true};
    TRY(json_parse(a, str_from(messages), &in.messages, f));
    if (tools) TRY(json_parse(a, str_from(tools), &in.tools, f));
    TRY(chat_values(c, a, &in, &values, f));
    err e = chat_fill(c, a, values, 1, &b, &spans, &why);
    if (e == E_OK) *out = (probe){.text = arena_str(a, buf_str(&b))};
    buf_deinit(&b);
    return e == E_NO_MEMORY || (e == E_OK && !out->text.p) ? fail_memory(f, "a chat template")
                                                           : E_OK;
}

static bool shows(const probe *p, const char *what) {
    return !p->refused && str_find(p->text, str_from(what)) != STR_INDEX_NONE;
}

err chat_probe(chat *c, fail *f) {
    probe plain, parts, tools, object, text;
    arena a;
    err e;
    c->features.parts = true;
    arena_init(&a, 0);
    str as_object = arena_printf(&a, probe_talk, PROBE_ARGUMENTS),
        as_text = arena_printf(&a, probe_talk, "\"{\\\"probe_key\\\": \\\"probe_value\\\"}\"");
    if (!as_object.p || !as_text.p) {
        e = fail_memory(f, "a chat template");
        goto out;
    }
    TRY_OUT(ask(c, &a, probe_ask, NULL, &plain, f));
    TRY_OUT(ask(c, &a, probe_ask, probe_tools, &tools, f));
    TRY_OUT(ask(c, &a, as_object.p, probe_tools, &object, f));
    TRY_OUT(ask(c, &a, as_text.p, probe_tools, &text, f));
    TRY_OUT(ask(c, &a, probe_parts, NULL, &parts, f));
    /* as it stands, and not inside of the list that it came in */
    c->features.parts = shows(&parts, "probe_part") && !shows(&parts, "'probe_part'") &&
                        !shows(&parts, "\"probe_part\"");
    c->features.tools = tools.refused || plain.refused || shows(&tools, "probe_tool");
    c->features.arguments_as_object = shows(&object, "probe_value");
    c->features.arguments_as_text = shows(&text, PROBE_ARGUMENTS) &&
                                    !shows(&text, "\"" PROBE_ARGUMENTS) &&
                                    !shows(&text, "'" PROBE_ARGUMENTS);
    c->features.calls = c->features.arguments_as_object || shows(&text, "probe_value");
out:
    arena_deinit(&a);
    return e;
}
