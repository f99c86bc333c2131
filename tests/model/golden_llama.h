/* golden_llama.h - reads tests/model/golden/smollm2.txt (tools/golden_smollm2.py says the form). */
#ifndef BANTAM_TEST_MODEL_GOLDEN_H
#define BANTAM_TEST_MODEL_GOLDEN_H

#include "test.h"

enum { GOLDEN_PROMPTS = 3, GOLDEN_IDS = 640, GOLDEN_ROWS = 4, GOLDEN_TOP = 64, GOLDEN_GREEDY = 32 };

typedef struct golden_row {
    int position, best;
    double lse, most; /* log-sum-exp, largest |logit| */
    int top_id[GOLDEN_TOP];
    double top[GOLDEN_TOP];
} golden_row;

typedef struct golden {
    int32_t ids[GOLDEN_IDS];
    int n, n_rows;
    golden_row rows[GOLDEN_ROWS];
    int32_t greedy[GOLDEN_GREEDY];
} golden;

static char *golden_next(char **at) {
    return strtok_r(NULL, " \n", at);
}

static void golden_line(golden *g, char *line) {
    char *at = NULL, *word = strtok_r(line, " \n", &at);
    if (!strcmp(word, "ids")) {
        g->n = atoi(golden_next(&at));
        assert_in_range(g->n, 1, GOLDEN_IDS);
        for (int i = 0; i < g->n; i++) g->ids[i] = atoi(golden_next(&at));
    } else if (!strcmp(word, "row")) {
        golden_row *r = &g->rows[g->n_rows++];
        r->position = atoi(golden_next(&at));
        r->best = atoi(golden_next(&at));
        r->lse = atof(golden_next(&at));
        r->most = atof(golden_next(&at));
    } else if (!strcmp(word, "top")) {
        golden_row *r = &g->rows[g->n_rows - 1];
        golden_next(&at);
        for (int i = 0; i < GOLDEN_TOP; i++) {
            char *pair = golden_next(&at);
            r->top_id[i] = atoi(pair);
            r->top[i] = atof(strchr(pair, ':') + 1);
        }
    } else if (!strcmp(word, "greedy")) {
        for (int i = 0; i < GOLDEN_GREEDY; i++) g->greedy[i] = atoi(golden_next(&at));
    }
}

/* The tests run in the repository's root. */
static inline void golden_read_file(const char *path, golden *out, int prompts) {
    static char line[1 << 16];
    FILE *file = fopen(path, "re");
    int at = -1;
    assert_non_null(file);
    memset(out, 0, (size_t)prompts * sizeof *out);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        at += !strncmp(line, "ids", 3);
        assert_in_range(at, 0, prompts - 1);
        golden_line(&out[at], line);
    }
    fclose(file);
    assert_int_equal(at, prompts - 1);
}
static inline void golden_read(golden out[GOLDEN_PROMPTS]) {
    golden_read_file("tests/model/golden/smollm2.txt", out, GOLDEN_PROMPTS);
}

#endif
