/* talk_save.c - chats as files; see talk.h.
 *
 *   {"format":1,"model":"smollm2","system":"","parameters":{...},
 *    "messages":[{"role":"user","content":"..."},...]}                                         */
#include "app/talk.h"
#include "base/file.h"

#include <stdio.h>

enum { CHAT_BYTES_MAX = 64 << 20, CHAT_FORMAT = 1, NAME_BYTES_MAX = 80 };

static const char *const roles[] = {"system", "user", "assistant", "tool"};

/* A name that is a file's name and nothing else. */
static err chat_path(const talk *t, str name, char out[FILE_PATH_BYTES], fail *f) {
    char file[NAME_BYTES_MAX + 16];
    bool ok = name.n > 0 && name.n <= NAME_BYTES_MAX && name.p[0] != '.';
    for (size_t i = 0; i < name.n && ok; i++)
        ok = name.p[i] != '/' && (unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7F;
    if (!ok) return fail_set(f, E_USAGE, "a chat needs a name without / and not too long");
    snprintf(file, sizeof file, "chats/%.*s.json", STR_ARG(name));
    return file_join(out, t->w->home.dir, file, f);
}

static void put_chat(const talk *t, json_writer *w) {
    json_begin_object(w);
    json_field_int(w, "format", CHAT_FORMAT);
    json_field_str(w, "model", t->model);
    json_field_str(w, "system", t->system.p ? t->system : STR(""));
    json_key(w, "parameters");
    parameters_put_json(&t->parameters, w);
    json_key(w, "messages");
    json_begin_array(w);
    for (size_t i = 0; i < t->n; i++) {
        json_begin_object(w);
        json_field_z(w, "role", roles[t->messages[i].role]);
        json_field_str(w, "content", t->messages[i].content);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

err talk_save(const talk *t, str name, fail *f) {
    char path[FILE_PATH_BYTES], folder[FILE_PATH_BYTES];
    buf text = {0};
    json_writer w = {.out = &text, .pretty = true};
    TRY(chat_path(t, name, path, f));
    file_dir_of(folder, path);
    TRY(file_make_dirs(folder, f));
    put_chat(t, &w);
    buf_put_char(&text, '\n');
    err e = buf_ok(&text, f);
    if (e == E_OK) e = file_write(path, buf_str(&text), 0600, f);
    buf_deinit(&text);
    return e;
}

static err add_message(talk *t, const json *row, fail *f) {
    str role, content;
    TRY(json_get_str(row, "role", STR(""), &role, f));
    TRY(json_get_str(row, "content", STR(""), &content, f));
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (str_is(role, roles[i])) return talk_add(t, (gen_role)i, content, f);
    return fail_set(f, E_CORRUPT, "the saved chat has a role \"%.*s\"",
                    STR_ARG(str_slice(role, 0, 40)));
}

static err read_chat(talk *t, arena *a, str text, fail *f) {
    const json *v, *messages;
    parameters p;
    str model, system;
    TRY(json_parse(a, text, &v, f));
    TRY(json_get_str(v, "model", STR(""), &model, f));
    TRY(json_get_str(v, "system", STR(""), &system, f));
    TRY(parameters_from_json(&p, &t->session, json_get(v, "parameters"), f));
    messages = json_get(v, "messages");
    TRY(talk_take_model(t, model, f));
    system = arena_str(&t->session, system);
    if (!system.p) return fail_memory(f, "the system text");
    t->system = system;
    t->parameters = p;
    talk_clear(t);
    for (size_t i = 0; messages && messages->kind == JSON_ARRAY && i < messages->count; i++)
        TRY(add_message(t, json_at(messages, i), f));
    return E_OK;
}

err talk_load(talk *t, str name, fail *f) {
    char path[FILE_PATH_BYTES];
    arena a;
    str text;
    TRY(chat_path(t, name, path, f));
    arena_init(&a, 0);
    err e = file_read(&a, path, CHAT_BYTES_MAX, &text, f);
    if (e == E_OK) {
        e = read_chat(t, &a, text, f);
        if (e == E_NOT_FOUND) f->code = e = E_INPUT; /* its model, not the chat, is missing */
    }
    arena_deinit(&a);
    return e;
}
