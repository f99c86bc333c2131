/* t_audit_cost.c - tests audit_cost: the shares, the price of the large tier, and the mix that is
 * often quoted. */
#include "audit/audit_cost.h"
#include "test.h"

#include <math.h>

static void adds_up(void **state) {
    (void)state;
    const audit_sum sums[] = {{.tier = GEN_TIER_SLM, .requests = 8, .asked = 10, .cost_usd = 0.02},
                              {.tier = GEN_TIER_LLM, .requests = 1, .asked = 2, .cost_usd = 0.16},
                              {.tier = GEN_TIER_HUMAN, .requests = 1, .asked = 1, .cost_usd = 6}};
    audit_cost c = audit_cost_of(sums, 3, (double)NAN);
    assert_int_equal(c.requests, 10);
    assert_true(fabs(c.total - 6.18) < 1e-9 && fabs(c.people_share - 6 / 6.18) < 1e-9);
    assert_true(c.large_price_seen && fabs(c.large_price - 0.08) < 1e-9 &&
                fabs(c.large_only - 0.8) < 1e-9);
    c = audit_cost_of(sums, 3, 0.5);
    assert_true(!c.large_price_seen && fabs(c.large_only - 5) < 1e-9);
    /* chats with a model, embeddings: no tier decided, no large model would have been asked */
    const audit_sum more[] = {sums[0], {.tier = GEN_TIER_NONE, .requests = 900, .asked = 900}};
    c = audit_cost_of(more, 2, 0.5);
    assert_int_equal(c.requests, 908);
    assert_true(fabs(c.large_only - 4) < 1e-9);
    c = audit_cost_of(sums, 0, (double)NAN);
    assert_true(isnan(c.people_share) && isnan(c.large_only));
}

static void the_quoted_mix(void **state) {
    (void)state;
    audit_mix m = audit_quoted_mix();
    assert_true(fabs(m.usd - 0.13054) < 1e-9 && m.people_share > 0.919 && m.people_share < 0.92);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(adds_up), cmocka_unit_test(the_quoted_mix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
