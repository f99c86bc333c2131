/* api_tasks.c - the tasks: what they are, the switch that sends all to people, approved texts for
 * learned labels, and a question in its short form (for the page): {"text"} -> the trace. */
#include "api/api_chat.h"
#include "api/api_routes.h"

#include <math.h>

static err open_task(api_call *c, str name, route **out, str *task_id, fail *f) {
    err e = c->api->o.models.task(c->api->o.models.self, name, out, task_id, f);
    if (e == E_NOT_FOUND) c->code = "task_not_found";
    return e;
}

static const char *mode_of(api_call *c, str name) {
    route *r;
    str id;
    fail ignored;
    if (c->api->o.models.task(c->api->o.models.self, name, &r, &id, &ignored) != E_OK) return NULL;
    return task_mode_name(route_mode(r));
}

err api_task_list(api_call *c, fail *f) {
    api_model *all;
    size_t n;
    TRY(c->api->o.models.list(c->api->o.models.self, c->a, &all, &n, f));
    json_begin_object(&c->w);
    json_key(&c->w, "tasks");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind != API_TASK) continue;
        bool prefixed = str_starts(all[i].id, STR("task:"));
        str name = prefixed ? str_slice(all[i].id, 5, all[i].id.n) : all[i].id;
        json_begin_object(&c->w);
        json_field_text(&c->w, "name", name);
        json_field_text(&c->w, "model", all[i].id);
        json_field_text(&c->w, "title", all[i].title);
        json_field_z(&c->w, "mode", mode_of(c, name)); /* null: it cannot be opened */
        json_end_object(&c->w);
    }
    json_end_array(&c->w);
    json_end_object(&c->w);
    return E_OK;
}

err api_task_get(api_call *c, fail *f) {
    route *r;
    str id;
    TRY(open_task(c, c->arg, &r, &id, f));
    return route_describe(r, &c->w, f);
}

static bool mode_from(str name, task_mode *out) {
    for (int m = TASK_SUGGEST; m <= TASK_ALL_TO_PEOPLE; m++)
        if (str_is(name, task_mode_name((task_mode)m))) {
            *out = (task_mode)m;
            return true;
        }
    return false;
}

err api_task_mode(api_call *c, fail *f) {
    route *r;
    str id, mode, by;
    task_mode wanted;
    static const char *const names[] = {"mode", "by", NULL};
    TRY(api_check_names(c, names, f));
    TRY(open_task(c, c->arg, &r, &id, f));
    TRY(api_get_str(c, "mode", STR(""), &mode, f));
    TRY(api_get_by(c, &by, f));
    if (!mode_from(mode, &wanted))
        return api_refuse(c, f, "mode", "mode \"%.*s\" is none of suggest, auto, all-to-people",
                          STR_ARG(str_slice(mode, 0, 64)));
    TRY(route_set_mode(c->api->o.store, id, wanted, by, f));
    json_begin_object(&c->w);
    json_field_text(&c->w, "name", c->arg);
    json_field_z(&c->w, "mode", task_mode_name(wanted));
    json_end_object(&c->w);
    return E_OK;
}

err api_task_reply(api_call *c, fail *f) {
    route *r;
    str id, label, text, passage, by;
    static const char *const names[] = {"label", "text", "passage", "by", NULL};
    TRY(api_check_names(c, names, f));
    TRY(open_task(c, c->arg, &r, &id, f));
    TRY(api_get_str(c, "label", STR(""), &label, f));
    TRY(api_get_str(c, "text", STR(""), &text, f));
    TRY(api_get_str(c, "passage", STR(""), &passage, f));
    TRY(api_get_by(c, &by, f));
    if (!label.n || label.n > DESK_NAME_BYTES_MAX)
        return api_refuse(c, f, "label", "label must name the label, in at most %d bytes",
                          DESK_NAME_BYTES_MAX);
    if (!text.n || text.n > DESK_TEXT_BYTES_MAX)
        return api_refuse(c, f, "text", "text must hold the approved reply, in at most %d bytes",
                          DESK_TEXT_BYTES_MAX);
    TRY(route_set_reply(c->api->o.store, id, label, text, passage, by, f));
    json_begin_object(&c->w);
    json_field_text(&c->w, "label", label);
    json_field_text(&c->w, "text", text);
    json_end_object(&c->w);
    return E_OK;
}

/* ---- a question in its short form ---- */

/* The trace with one key more: what the customer reads. */
static err put_trace(api_chat *chat, const gen_exchange *x, fail *f) {
    buf trace = {0};
    json_writer t = {.out = &trace};
    json_writer *w = &chat->call->w;
    const json *v = NULL;
    str message;
    err e = api_chat_content(chat, x, &message, f);
    gen_trace_put_json(&t, x->trace);
    if (e == E_OK) e = buf_ok(&trace, f);
    if (e == E_OK) e = json_parse(chat->call->a, buf_str(&trace), &v, f);
    buf_deinit(&trace);
    TRY(e);
    json_begin_object(w);
    for (size_t i = 0; i < v->count; i++) {
        json_key_str(w, v->members[i].key);
        json_put_value(w, &v->members[i].value);
    }
    json_field_text(w, "message", message);
    json_end_object(w);
    return E_OK;
}

err api_task_ask(api_call *c, fail *f) {
    gen_message question = {.role = GEN_USER};
    gen_reply reply = {0};
    str text, user;
    static const char *const names[] = {"text", "user", NULL};
    TRY(api_check_names(c, names, f));
    TRY(api_get_str(c, "text", STR(""), &text, f));
    TRY(api_get_str(c, "user", STR(""), &user, f));
    if (!str_trim(text).n) return api_refuse(c, f, "text", "text must hold the question");
    question.content = text;
    str model = arena_printf(c->a, "task:%.*s", STR_ARG(c->arg));
    if (!model.p) return fail_memory(f, "a question");
    gen_request rq = {.id = str_from(c->rq->id),
                      .model = model,
                      .tenant = STR(""),
                      .subject = user,
                      .messages = &question,
                      .n_messages = 1,
                      .top_logprobs = -1,
                      .arena = c->a};
    api_chat chat = {.call = c, .request = rq, .is_task = true, .task_name = c->arg};
    gen_exchange x = {.request = &chat.request, .reply = &reply};
    TRY(api_run_chat(&chat, &x, f));
    return put_trace(&chat, &x, f);
}
