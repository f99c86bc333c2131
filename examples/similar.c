/* similar.c - how alike texts are to the first: similar ENCODER TEXT TEXT... */
#include <bantam.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    bantam_error error;
    bantam_model *model;
    bantam_model_info about;
    if (argc < 4) {
        fprintf(stderr, "usage: similar ENCODER TEXT TEXT...\n");
        return 2;
    }
    if (bantam_model_open(&model, argv[1], NULL, &error)) {
        fprintf(stderr, "%s\n%s\n", error.text, error.hint);
        return 1;
    }
    bantam_model_about(model, &about);
    size_t n = (size_t)argc - 2, width = (size_t)about.width;
    float *vectors = calloc(n * width, sizeof *vectors);
    bantam_status status =
        vectors ? bantam_embed(model, (const char *const *)argv + 2, n, vectors, &error)
                : BANTAM_NO_MEMORY;
    if (status) fprintf(stderr, "%s\n", vectors ? error.text : bantam_status_name(status));
    for (size_t i = 1; i < n && !status; i++) {
        double cosine = 0; /* the vectors have unit length */
        for (size_t k = 0; k < width; k++)
            cosine += (double)vectors[k] * (double)vectors[i * width + k];
        printf("%.3f %s\n", cosine, argv[i + 2]);
    }
    free(vectors);
    bantam_model_close(model);
    return status ? 1 : 0;
}
