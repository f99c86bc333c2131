/* chat.c - one answer of a chat model, step by step: chat MODEL "What is a bantam?"
 * The prompt that the model reads is shown first. */
#include <bantam.h>

#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 4096 };

static int complain(const bantam_error *error) {
    fprintf(stderr, "%s\n%s\n", error->text, error->hint);
    return 1;
}

/* The question as a JSON array of one message; false when it does not fit. */
static bool write_messages(const char *question, char out[MESSAGE_BYTES]) {
    size_t n = (size_t)snprintf(out, MESSAGE_BYTES, "[{\"role\": \"user\", \"content\": \"");
    for (; *question; question++) {
        unsigned char c = (unsigned char)*question;
        if (n + 16 > MESSAGE_BYTES) return false;
        if (c == '"' || c == '\\')
            n += (size_t)snprintf(out + n, 3, "\\%c", c);
        else if (c < 0x20)
            n += (size_t)snprintf(out + n, 7, "\\u%04x", c);
        else
            out[n++] = (char)c;
    }
    memcpy(out + n, "\"}]", 4);
    return true;
}

static int answer(bantam_session *session, const char *messages, bantam_error *error) {
    bantam_token token = {.finish = BANTAM_RUNNING};
    bantam_generate_options options = {
        .max_tokens = 48, .temperature = 0.7, .top_p = 0.9, .seed = 1};
    if (bantam_session_put_chat(session, messages, NULL, error)) return 1;
    if (bantam_session_start(session, &options, error)) return 1;
    while (token.finish == BANTAM_RUNNING) {
        if (bantam_session_next(session, &token, error)) return 1;
        fputs(token.text, stdout);
        fflush(stdout);
    }
    printf("%s\n", token.finish == BANTAM_LENGTH ? " [cut at 48 tokens]" : "");
    return 0;
}

int main(int argc, char **argv) {
    bantam_error error;
    bantam_model *model;
    bantam_session *session = NULL;
    char messages[MESSAGE_BYTES], *prompt = NULL;
    int status = 0;
    if (argc != 3 || !write_messages(argv[2], messages)) {
        fprintf(stderr, "usage: chat MODEL QUESTION\n");
        return 2;
    }
    if (bantam_model_open(&model, argv[1], &(bantam_model_options){.context = 2048}, &error))
        return complain(&error);
    if (bantam_render(model, messages, NULL, true, &prompt, &error) == BANTAM_OK) puts(prompt);
    if (!prompt || bantam_session_open(&session, model, &error) ||
        answer(session, messages, &error))
        status = complain(&error);
    bantam_text_free(prompt);
    bantam_session_close(session);
    bantam_model_close(model);
    return status;
}
