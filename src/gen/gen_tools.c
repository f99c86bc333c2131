/* gen_tools.c - see gen_tools.h. */
#include "gen/gen_tools.h"

#include <string.h>

#define PROBE_NAME "bantam_probe"

/* In the order in which they are tried. A family is known by what its template shows; none of these
 * texts means anything to us beyond being written and read. */
static const gen_tools_format formats[] = {
    {.name = "mistral with [ARGS]",
     .trigger = "[TOOL_CALLS]",
     .lead = "",
     .before = "*[ARGS]",
     .after = "",
     .between = "[TOOL_CALLS]",
     .close = "",
     .short_ids = true,
     .shown = "[TOOL_CALLS]" PROBE_NAME,
     .also = "[ARGS]"},
    {.name = "mistral",
     .trigger = "[TOOL_CALLS]",
     .lead = "[",
     .before = "{\"name\": \"*\", \"arguments\": ",
     .after = "}",
     .between = ", ",
     .close = "]",
     .short_ids = true,
     .shown = "[TOOL_CALLS][{\"name\": \"" PROBE_NAME "\", \"arguments\": {"},
    {.name = "hermes", /* Qwen 2.5 and 3, Granite 4, SmolLM3 */
     .trigger = "<tool_call>",
     .lead = "\n",
     .before = "{\"name\": \"*\", \"arguments\": ",
     .after = "}",
     .between = "\n</tool_call>\n<tool_call>\n",
     .close = "\n</tool_call>",
     .shown = "<tool_call>\n{\"name\": \"" PROBE_NAME "\", \"arguments\": {",
     .also = "</tool_call>"},
    {.name = "llama 3",
     .trigger = "{\"name\"",
     .lead = ": \"",
     .before = "*\", \"parameters\": ",
     .after = "}",
     .between = "",
     .close = "",
     .anchored = true,
     .single = true,
     .shown = "{\"name\": \"" PROBE_NAME "\", \"parameters\": {"},
    {.name = "granite 3",
     .trigger = "<|tool_call|>",
     .lead = "[",
     .before = "{\"name\": \"*\", \"arguments\": ",
     .after = "}",
     .between = ", ",
     .close = "]",
     .shown = "<|tool_call|> followed by a JSON list"},
    {.name = "phi 4",
     .trigger = "<|tool_call|>",
     .lead = "[",
     .before = "{\"name\": \"*\", \"arguments\": ",
     .after = "}",
     .between = ", ",
     .close = "]<|/tool_call|>",
     .place = GEN_TOOLS_IN_SYSTEM,
     .source = "'<|tool|>' + message['tools']"},
    {.name = "words",
     .trigger = "<tool_call>",
     .lead = "\n",
     .before = "{\"name\": \"*\", \"arguments\": ",
     .after = "}",
     .between = "\n</tool_call>\n<tool_call>\n",
     .close = "\n</tool_call>",
     .place = GEN_TOOLS_IN_WORDS},
};
enum { FORMATS = sizeof formats / sizeof *formats };

const str *gen_tools_marks(size_t *n) {
    static const str marks[] = {STR("[TOOL_CALLS]"), STR("[ARGS]"),        STR("<tool_call>"),
                                STR("</tool_call>"), STR("<|tool_call|>"), STR("<|/tool_call|>"),
                                STR("<think>"),      STR("</think>")};
    *n = sizeof marks / sizeof *marks;
    return marks;
}

/* ---- which one a model follows ---- */

static const char probe_tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"" PROBE_NAME "\",\"description\":\"d\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"k\":{\"type\":\"string\","
    "\"description\":\"d\"}},\"required\":[\"k\"]}}}]";
static const char probe_ask[] = "[{\"role\":\"user\",\"content\":\"q\"}]";
static const char probe_system[] =
    "[{\"role\":\"system\",\"content\":\"bantam_words\"},{\"role\":\"user\",\"content\":\"q\"}]";
static const char probe_talk[] =
    "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"\","
    "\"tool_calls\":[{\"id\":\"call00001\",\"type\":\"function\",\"function\":{\"name\":"
    "\"" PROBE_NAME "\",\"arguments\":{\"k\":\"v\"}}}]},{\"role\":\"tool\",\"tool_call_id\":"
    "\"call00001\",\"name\":\"" PROBE_NAME "\",\"content\":\"bantam_result\"}]";

/* What the template makes of it; STR_NONE when it refuses. */
static err show(const chat *c, arena *a, const char *messages, const char *tools, str *out,
                fail *f) {
    chat_input in = {.add_generation_prompt = true, .now_ms = 1};
    chat_text text;
    fail why;
    *out = STR_NONE;
    TRY(json_parse(a, str_from(messages), &in.messages, f));
    if (tools) TRY(json_parse(a, str_from(tools), &in.tools, f));
    err e = chat_render(c, a, &in, &text, &why);
    if (e == E_NO_MEMORY) return fail_memory(f, "a chat template");
    return e == E_OK ? chat_join(a, &text, out, f) : E_OK;
}

static bool has(str text, const char *what) {
    return str_find(text, str_from(what)) != STR_INDEX_NONE;
}

static bool fits(const gen_tools_format *t, bool in_template, str shown, str source) {
    if (t->place == GEN_TOOLS_IN_TEMPLATE && !in_template) return false;
    if (t->shown && !has(shown, t->shown)) return false;
    if (t->also && !has(shown, t->also)) return false;
    return !t->source || has(source, t->source);
}

static err look(gen_tools *out, arena *a, const chat *c, str template_text, fail *f) {
    str talk, asked, system;
    bool in_template = chat_about(c).tools;
    TRY(show(c, a, probe_talk, in_template ? probe_tools : NULL, &talk, f));
    TRY(show(c, a, probe_ask, in_template ? probe_tools : NULL, &asked, f));
    TRY(show(c, a, probe_system, NULL, &system, f));
    str shown = talk.p ? talk : asked;
    for (int i = 0; i < FORMATS; i++)
        if (fits(&formats[i], in_template, shown, template_text)) {
            out->format = &formats[i];
            break;
        }
    bool words = out->format->place == GEN_TOOLS_IN_WORDS;
    out->calls_as_text = words || !chat_about(c).calls;
    out->results_as_user = words || !has(talk, "bantam_result");
    out->no_system = !has(system, "bantam_words");
    return E_OK;
}

err gen_tools_find(gen_tools *out, const chat *c, str template_text, fail *f) {
    arena a;
    gen_tools found = {.format = &formats[FORMATS - 1]};
    if (!c) {
        *out = found;
        return E_OK;
    }
    arena_init(&a, 0);
    err e = look(&found, &a, c, template_text, f);
    arena_deinit(&a);
    if (e == E_OK) *out = found;
    return e;
}

/* ---- a request's calls ---- */

static bool name_is_good(str s) {
    if (!s.n || s.n > GEN_TOOL_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < s.n; i++) {
        char b = s.p[i];
        bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9');
        if (!letter && (b == 0 || !strchr("_-.:/", b))) return false;
    }
    return true;
}

static err check_tools(const gen_request *rq, fail *f) {
    bool found = rq->tool_choice != GEN_TOOLS_ONE;
    if (rq->n_tools > GEN_TOOLS_MAX)
        return fail_set(f, E_INPUT, "%zu tools are above the limit of %d", rq->n_tools,
                        GEN_TOOLS_MAX);
    for (size_t i = 0; i < rq->n_tools; i++) {
        str name = rq->tools[i].name;
        if (!name_is_good(name))
            return fail_set(f, E_INPUT,
                            "tool %zu is named \"%.*s\"; a name is 1 to %d letters, digits and "
                            "_ - . : /",
                            i, STR_ARG(str_slice(name, 0, 64)), GEN_TOOL_NAME_BYTES_MAX);
        for (size_t k = 0; k < i; k++)
            if (str_eq(rq->tools[k].name, name))
                return fail_set(f, E_INPUT, "two tools are named \"%.*s\"", STR_ARG(name));
        found = found || str_eq(name, rq->tool_name);
    }
    if (!found)
        return fail_set(f, E_INPUT,
                        "the tool \"%.*s\", which is to be called, is not among the tools",
                        STR_ARG(str_slice(rq->tool_name, 0, 64)));
    return E_OK;
}

static void put_before(const gen_tools_format *t, str name, buf *out) {
    const char *star = strchr(t->before, '*');
    buf_put(out, (str){t->before, (size_t)(star - t->before)});
    buf_put(out, name);
    buf_put_z(out, star + 1);
}

static err make_item(const gen_tools_format *t, const gen_tool *tool, arena *a, grammar_call *out,
                     fail *f) {
    buf b = {0};
    put_before(t, tool->name, &b);
    str before = b.failed ? STR_NONE : arena_str(a, buf_str(&b));
    buf_deinit(&b);
    if (!before.p) return fail_memory(f, "tools");
    *out = (grammar_call){.name = tool->name,
                          .before = before,
                          .arguments = tool->parameters,
                          .after = str_from(t->after)};
    return E_OK;
}

static err make_items(const gen_tools_format *t, const gen_request *rq, grammar_calls *out,
                      fail *f) {
    grammar_call *items = arena_new_n(rq->arena, grammar_call, rq->n_tools);
    if (!items) return fail_memory(f, "tools");
    out->items = items;
    for (size_t i = 0; i < rq->n_tools; i++) {
        if (rq->tool_choice == GEN_TOOLS_ONE && !str_eq(rq->tools[i].name, rq->tool_name)) continue;
        TRY(make_item(t, &rq->tools[i], rq->arena, &items[out->n++], f));
    }
    return E_OK;
}

/* The form of an answer that calls nothing. */
static err make_answer(const gen_tools_format *t, const gen_request *rq, grammar_calls *out,
                       fail *f) {
    if (rq->shape.kind == GEN_SHAPE_NONE || out->required) return E_OK;
    if (t->anchored || (rq->shape.kind != GEN_SHAPE_JSON && rq->shape.kind != GEN_SHAPE_SCHEMA)) {
        fail_set(f, E_UNSUPPORTED,
                 "this model cannot be given tools and a form of the answer at once");
        return fail_hint(f, "ask with tools first, and for the form when the results are there");
    }
    out->answer = rq->shape.schema;
    if (rq->shape.kind == GEN_SHAPE_JSON)
        TRY(json_parse(rq->arena, STR("{\"type\":\"object\"}"), &out->answer, f));
    return E_OK;
}

err gen_tools_plan_make(const gen_tools_plan **out, const gen_tools *t, const gen_request *rq,
                        fail *f) {
    const gen_tools_format *format = t->format;
    *out = NULL;
    if (!rq->n_tools || rq->tool_choice == GEN_TOOLS_NONE) return E_OK;
    TRY(check_tools(rq, f));
    bool one = rq->one_call || format->single || rq->tool_choice == GEN_TOOLS_ONE;
    gen_tools_plan *p = arena_new(rq->arena, gen_tools_plan);
    if (!p) return fail_memory(f, "tools");
    *p = (gen_tools_plan){.format = format,
                          .grammar = {.trigger = str_from(format->trigger),
                                      .lead = str_from(format->lead),
                                      .between = str_from(format->between),
                                      .close = str_from(format->close),
                                      .most = one ? 1 : GEN_CALLS_MAX,
                                      .required = rq->tool_choice != GEN_TOOLS_AUTO,
                                      .anchored = format->anchored}};
    TRY(make_items(format, rq, &p->grammar, f));
    TRY(make_answer(format, rq, &p->grammar, f));
    *out = p;
    return E_OK;
}

void gen_tools_write_calls(const gen_tools_format *t, const gen_call *calls, size_t n, buf *out) {
    buf_put_z(out, t->trigger);
    buf_put_z(out, t->lead);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_z(out, t->between);
        put_before(t, calls[i].name, out);
        buf_put(out, calls[i].arguments.n ? calls[i].arguments : STR("{}"));
        buf_put_z(out, t->after);
    }
    buf_put_z(out, t->close);
}
