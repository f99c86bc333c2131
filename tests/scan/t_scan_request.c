/* t_scan_request.c - tests scan/scan_request.c on cases written for it, and its false alarms on
 * clinc150. */
#include "base/arena.h"
#include "base/file.h"
#include "base/rand.h"
#include "scan/scan_request.h"
#include "test.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

typedef struct clause_case {
    const char *text;
    const char *clauses; /* joined by " | " */
} clause_case;

static const clause_case clause_cases[] = {
    {"how do I cancel", "how do I cancel"},
    {"How do I cancel my card and where is my refund?",
     "How do I cancel my card | where is my refund"},
    {"change my address and also add my son to the car",
     "change my address | add my son to the car"},
    {"What are your fees? And when are you open?", "What are your fees | when are you open"},
    {"I need a receipt, can you also tell me the exchange rate",
     "I need a receipt | can you also tell me the exchange rate"},
    {"cancel my hotel and book a flight", "cancel my hotel | book a flight"},
    {"freeze my account then order new checks", "freeze my account | order new checks"},
    {"I want a quote plus I'd like a copy of my contract",
     "I want a quote | I'd like a copy of my contract"},
    {"Does it renew by itself, and what does the second car cost",
     "Does it renew by itself | what does the second car cost"},
    {"order a card; send the invoice", "order a card | send the invoice"},
    {"order a card\nsend the invoice", "order a card | send the invoice"},
    {"Hello! How do I cancel my card? Thanks a lot.", "How do I cancel my card"},
    {"Good morning, my card was stolen", "Good morning, my card was stolen"},
    {"if I travel abroad, do I need vaccinations", "if I travel abroad, do I need vaccinations"},
    {"at 7, i need a table for 3", "at 7, i need a table for 3"},
    {"fish and chips near me", "fish and chips near me"},
    {"transfer 3.50 dollars from checking to savings",
     "transfer 3.50 dollars from checking to savings"},
    {"my wife and I want a joint account", "my wife and I want a joint account"},
    {"can i go online and pay my bill", "can i go online and pay my bill"},
    {"is the deposit for the flat safe and sound", "is the deposit for the flat safe and sound"},
    {"what is it? why?", ""},
    {"", ""},
    {"thanks!!", ""},
};

static void clauses_of_requests(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(clause_cases); i++) {
        str clauses[SCAN_CLAUSES_MAX];
        char joined[600] = "";
        size_t n = scan_clauses(str_from(clause_cases[i].text), clauses), used = 0;
        for (size_t k = 0; k < n; k++)
            used += (size_t)snprintf(joined + used, sizeof joined - used, "%s%.*s", k ? " | " : "",
                                     STR_ARG(clauses[k]));
        assert_string_equal(joined, clause_cases[i].clauses);
    }
}

static const char *const followups[] = {
    "and for my wife?",
    "what about that one",
    "why?",
    "how much is it then",
    "What about my husband?",
    "how about tomorrow",
    "and if I do it",
    "same for my wife",
    "is it",
    "when is that",
    "can I do that too",
    "what does that mean",
    "so is this one better",
    "and how long does it take",
    "but why",
    "or this one",
    "does it",
    "where",
    "will they do it",
    "what if it is not",
};
static const char *const standalone[] = {
    "how do I cancel my policy",
    "and how do I cancel my car insurance",
    "what about adding a second driver to my policy",
    "windscreen",
    "is my dog covered",
    "how are you",
    "thank you for that",
    "hello there",
    "yes",
    "no",
    "why was my card declined",
    "when are you open",
    "who are you",
    "what is your name",
    "how old are you",
    "tell me a joke",
    "it is broken, the heating",
    "so, my boiler leaks",
    "but I paid my bill already",
    "where is my refund",
    "",
};

static void followups_lean_on_something(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(followups); i++)
        if (!scan_is_followup(str_from(followups[i]))) fail_msg("missed: %s", followups[i]);
    for (size_t i = 0; i < COUNT(standalone); i++)
        if (scan_is_followup(str_from(standalone[i]))) fail_msg("false alarm: %s", standalone[i]);
}

static const char *const for_people[] = {
    "let me talk to a human",
    "agent please",
    "can I speak to someone",
    "I want a human",
    "please connect me with a representative",
    "put me through to an advisor",
    "human!",
    "I need to talk with a real person",
    "transfer me to your supervisor",
    "get me an agent now",
    "could I chat with an actual person",
    "operator connect me to a human",
    "I'd prefer a human agent",
    "give me a human",
    "escalate this to your manager",
};
static const char *const for_us[] = {
    "are you a human",
    "am i talking to a real person",
    "is this a human",
    "how many people live in france",
    "add a person to my policy",
    "how do I cancel",
    "my travel agent went bust",
    "tour operator cancelled",
    "can I put a colleague on my insurance",
    "are you a real person or a bot",
    "find a person's address",
    "human resources phone number for my employer please",
};

static void who_wants_a_person(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(for_people); i++)
        if (!scan_wants_person(str_from(for_people[i]))) fail_msg("missed: %s", for_people[i]);
    for (size_t i = 0; i < COUNT(for_us); i++)
        if (scan_wants_person(str_from(for_us[i]))) fail_msg("false alarm: %s", for_us[i]);
}

static void who_is_angry(void **state) {
    (void)state;
    assert_true(scan_is_angry(STR("this is ridiculous, where is my money")));
    assert_true(scan_is_angry(STR("GIVE ME MY MONEY BACK")));
    assert_true(scan_is_angry(STR("answer me!!!")));
    assert_true(scan_is_angry(STR("I will go to the ombudsman")));
    assert_false(scan_is_angry(STR("how do I cancel my policy")));
    assert_false(scan_is_angry(STR("my PIN for the ATM in the USA")));
    assert_false(scan_is_angry(STR("Thanks!!")));
    assert_false(scan_is_angry(STR("")));
}

static void any_bytes_stay_inside(void **state) {
    (void)state;
    static char bytes[5000];
    static const char alphabet[] = "and what is it. my? i, do\n\xc3\xa9\xff'";
    rand_stream r = {6, 0};
    for (int round = 0; round < 400; round++) {
        size_t n = (size_t)rand_next_below(&r, sizeof bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = alphabet[rand_next_below(&r, sizeof alphabet - 1)];
        str text = {bytes, n}, clauses[SCAN_CLAUSES_MAX];
        size_t count = scan_clauses(text, clauses);
        const char *last = bytes;
        for (size_t k = 0; k < count; k++) {
            assert_true(clauses[k].p >= last && clauses[k].p + clauses[k].n <= bytes + n);
            last = clauses[k].p + clauses[k].n;
        }
        scan_is_followup(text);
        scan_wants_person(text);
        scan_is_angry(text);
    }
}

static void few_false_alarms_on_clinc150(void **state) {
    (void)state;
    arena a;
    fail f;
    str text;
    arena_init(&a, 0);
    assert_ok(file_read(&a, test_data("clinc150/data_full.json"), 0, &text, &f), &f);
    size_t rows = 0, followup = 0, person = 0, angry = 0, two = 0;
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n')), clauses[SCAN_CLAUSES_MAX];
        if (line.n < 4 || line.p[0] != '"' || line.p[line.n - 1] != ',') continue;
        line = str_slice(line, 1, line.n - 2);
        rows++;
        followup += scan_is_followup(line);
        person += scan_wants_person(line);
        angry += scan_is_angry(line);
        two += scan_clauses(line, clauses) > 1;
    }
    print_message(
        "clinc150, %zu rows: follow-up %zu, wants a person %zu, angry %zu, two clauses %zu\n", rows,
        followup, person, angry, two);
    assert_true(rows > 20000 && followup * 100 < rows && person * 200 < rows &&
                angry * 200 < rows && two * 20 < rows);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clauses_of_requests),   cmocka_unit_test(followups_lean_on_something),
        cmocka_unit_test(who_wants_a_person),    cmocka_unit_test(who_is_angry),
        cmocka_unit_test(any_bytes_stay_inside), cmocka_unit_test(few_false_alarms_on_clinc150),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
