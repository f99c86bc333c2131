/* doctor.h - what this machine can do, and what stands in the way: the figures behind
 * bantam doctor. One thread. */
#ifndef BANTAM_APP_DOCTOR_H
#define BANTAM_APP_DOCTOR_H

#include "app/bench.h"
#include "app/world.h"
#include "base/machine.h"

enum { DOCTOR_KERNELS_MAX = 8, DOCTOR_PROBLEMS_MAX = 12, DOCTOR_MODELS_MAX = 256 };

typedef struct doctor_problem {
    char text[200], remedy[200];
} doctor_problem;

/* How fast a generator would run, or does. */
typedef struct doctor_model {
    registry_model found;
    int64_t memory_bytes; /* weights and a short conversation */
    bool fits;            /* in what is free now */
    bool measured;
    double prefill_tok_s, decode_tok_s; /* NAN = not known */
} doctor_model;

typedef struct doctor {
    machine machine;
    int threads;
    const char *kern, *kernels[DOCTOR_KERNELS_MAX]; /* the fastest; all that run here */
    size_t n_kernels;
    probe limits, one_thread; /* with all threads; with one */
    int64_t memory_bytes;     /* that may be used: free, or what the group leaves */
    const char *home, *cache;
    int64_t disk_free_bytes, cache_bytes;
    doctor_model models[DOCTOR_MODELS_MAX];
    size_t n_models;
    doctor_problem problems[DOCTOR_PROBLEMS_MAX];
    size_t n_problems;
} doctor;

/* Shares of the limits that the engine reaches as a rule, for models that were not measured. */
extern const double doctor_prefill_share, doctor_decode_share;

/* measure: models that are here are run for some seconds each. */
err doctor_look(doctor *d, world *w, arena *a, bool measure, fail *f) MUST_CHECK;

#endif
