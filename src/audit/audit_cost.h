/* audit_cost.h - what the recorded questions are assumed to have cost, beside "large model only".
 *
 * Costs are the task files' assumptions times what was counted, never invoices. Pure functions. */
#ifndef BANTAM_AUDIT_AUDIT_COST_H
#define BANTAM_AUDIT_AUDIT_COST_H

#include "audit/audit.h"

typedef struct audit_cost {
    int64_t requests;
    double total, people;  /* dollars */
    double people_share;   /* NAN when nothing was spent */
    double large_price;    /* of one question to the large tier: as given, else the mean seen; NAN
                              unknown */
    bool large_price_seen; /* the mean of what was asked, not given */
    double large_only;     /* what a tier decided at large_price, nobody checking; NAN unknown */
} audit_cost;

/* large_price NAN: take the mean of what was seen. */
audit_cost audit_cost_of(const audit_sum *sums, size_t n, double large_price);
/* One JSON object: the sums, by tier, and the quoted mix. */
void audit_cost_put_json(json_writer *w, const audit_cost *c, const audit_sum *sums, size_t n);

/* An often-quoted mix (87 % at $0.002, 11 % at $0.08, 2 % at $6) that is said to make $0.015 a
 * question. */
typedef struct audit_mix {
    double said, usd, people_share;
} audit_mix;
audit_mix audit_quoted_mix(void);

#endif
