/* audit_cost.c - see audit_cost.h. */
#include "audit/audit_cost.h"

#include <math.h>

audit_cost audit_cost_of(const audit_sum *sums, size_t n, double large_price) {
    audit_cost c = {.people_share = (double)NAN, .large_price = large_price};
    double large = 0;
    int64_t asked = 0, decided = 0;
    for (size_t i = 0; i < n; i++) {
        c.requests += sums[i].requests;
        if (sums[i].tier != GEN_TIER_NONE) decided += sums[i].requests;
        c.total += sums[i].cost_usd;
        if (sums[i].tier == GEN_TIER_HUMAN) c.people += sums[i].cost_usd;
        if (sums[i].tier != GEN_TIER_LLM) continue;
        large += sums[i].cost_usd;
        asked += sums[i].asked;
    }
    if (c.total > 0) c.people_share = c.people / c.total;
    c.large_price_seen = isnan(large_price) && asked > 0;
    if (c.large_price_seen) c.large_price = large / (double)asked;
    c.large_only = c.large_price * (double)decided;
    return c;
}

audit_mix audit_quoted_mix(void) {
    double small = 0.87 * 0.002, large = 0.11 * 0.08, people = 0.02 * 6,
           all = small + large + people;
    return (audit_mix){.said = 0.015, .usd = all, .people_share = people / all};
}

static void put_tier(json_writer *w, const audit_sum *s) {
    json_key(w, gen_tier_name(s->tier));
    json_begin_object(w);
    json_field_int(w, "requests", s->requests);
    json_field_int(w, "asked", s->asked);
    json_field_double(w, "cost_usd", s->cost_usd);
    json_field_int(w, "tokens_in", s->tokens_in);
    json_field_int(w, "tokens_out", s->tokens_out);
    json_field_int(w, "wrong", s->wrong);
    json_field_double(w, "latency_us_mean", s->latency_us_mean);
    json_end_object(w);
}

void audit_cost_put_json(json_writer *w, const audit_cost *c, const audit_sum *sums, size_t n) {
    audit_mix mix = audit_quoted_mix();
    json_begin_object(w);
    json_field_int(w, "requests", c->requests);
    json_field_double(w, "cost_usd", c->total);
    json_field_double(w, "people_usd", c->people);
    json_field_double(w, "people_share", c->people_share);
    json_field_double(w, "large_only_usd", c->large_only);
    json_key(w, "by_tier");
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) put_tier(w, &sums[i]);
    json_end_object(w);
    json_key(w, "quoted_mix");
    json_begin_object(w);
    json_field_double(w, "said_usd", mix.said);
    json_field_double(w, "usd", mix.usd);
    json_field_double(w, "people_share", mix.people_share);
    json_end_object(w);
    json_end_object(w);
}
