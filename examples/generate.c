/* generate.c - goes on with a text: generate MODEL "The sea is"
 *
 *     cc generate.c $(pkg-config --cflags --libs bantam) -o generate */
#include <bantam.h>

#include <stdio.h>

static int complain(const bantam_error *error) {
    fprintf(stderr, "%s\n", error->text);
    if (error->hint[0]) fprintf(stderr, "%s\n", error->hint);
    return 1;
}

static bool print(void *user, const bantam_token *token) {
    (void)user;
    return fputs(token->text, stdout) >= 0 && fflush(stdout) == 0;
}

int main(int argc, char **argv) {
    bantam_error error;
    bantam_model *model;
    bantam_session *session = NULL;
    bantam_result result;
    int status = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: generate MODEL TEXT\n");
        return 2;
    }
    if (bantam_model_open(&model, argv[1], NULL, &error)) return complain(&error);
    if (bantam_session_open(&session, model, &error) ||
        bantam_session_put_text(session, argv[2], &error) ||
        bantam_generate(session, &(bantam_generate_options){.max_tokens = 24}, print, NULL, &result,
                        &error))
        status = complain(&error);
    else
        printf("\n%lld tokens, %.0f a second\n", (long long)result.made_tokens,
               result.decode_tok_s);
    bantam_session_close(session);
    bantam_model_close(model);
    return status;
}
