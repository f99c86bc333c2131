/* scan_request.c - see scan_request.h.
 *
 * Everything works on folded words (scan_words.h) and short lists of English words. A clause ends
 * at a sentence mark, or where a joining word (or a comma) is followed by the start of a new
 * request. What counts as a start: a question word, an auxiliary before its subject, "I
 * want|need|would like", "my ... is", "please", or a verb that asks for something. Pure functions.
 */
#include "scan/scan_request.h"

#include "scan/scan_words.h"

#include <string.h>

enum { FOLLOWUP_WORDS_MAX = 7, PERSON_WINDOW = 5, SHOUT_LETTERS_MIN = 12 };

static const char question_words[] =
    " what whats where wheres when whens who whos whom whose which why how hows ";
static const char auxiliaries[] = " is are am was were do does did can could will would shall "
                                  "should may might must has have isnt arent dont "
                                  "doesnt didnt cant couldnt wont wouldnt ";
static const char subjects[] =
    " i you we they he she it my your our their his her the there this that a an any "
    "somebody someone anybody anyone these those ";
static const char request_verbs[] = " add activate apply arrange ask authorize block book buy "
                                    "calculate call cancel change check claim close "
                                    "compare complain confirm connect convert copy correct create "
                                    "deactivate delete describe disable dispute "
                                    "download email enable end explain extend file find fix freeze "
                                    "get give help increase insure know let list "
                                    "look lower make move need notify open order pay play prolong "
                                    "put read record reduce refund register "
                                    "remind remove renew repair replace report request reschedule "
                                    "reset return schedule see send set show "
                                    "speak start stop submit switch take talk tell terminate text "
                                    "transfer translate turn unblock unlock "
                                    "update upgrade verify wants want withdraw ";
static const char joins[] =
    " and also plus then but additionally furthermore moreover secondly second besides & ";
static const char fillers[] = " and also plus then but so please secondly second first firstly "
                              "finally lastly additionally besides well now "
                              "just on top of that furthermore moreover oh ok okay hi hello hey ";
/* Words that name nothing: a question of these alone cannot be understood alone. */
static const char empty_words[] = " a about actually after again all almost already also alright "
                                  "always am an and another any anyone anything are "
                                  "as at away back be because been before being best better both "
                                  "but by can cannot cant come could couldnt "
                                  "day days did didnt do does doesnt doing done dont down each "
                                  "either else enough even ever every exactly "
                                  "everything few first for from get gets getting give go goes "
                                  "going good got had happen happened happens has "
                                  "have havent having he her here hers hey hi him his hm how "
                                  "however hows i id if ill im in instead into is isnt "
                                  "it its ive just know last later less let like little ll long "
                                  "look lot make many may maybe me mean means might "
                                  "mine more most much must my myself need needs never next no "
                                  "nope not nothing now of off often oh ok okay on "
                                  "once one ones only or other others our out over own please "
                                  "possible put quite rather re really right s said "
                                  "same say second shall she should shouldnt so some someone "
                                  "something soon still such sure take takes than thank "
                                  "thanks that thats the their them then there these they thing "
                                  "things think this those though through till "
                                  "time times to too true two under until up us ve very want was "
                                  "wasnt way we well were what whatever whats when "
                                  "where wheres whether which who whom whos whose why will with "
                                  "within without wont work works worth would "
                                  "wouldnt wrong yeah yep yes yet you your youre yours ";
static const char references[] =
    " it that this those these them they he she one ones same there him her ";
static const char chat_words[] = " you your youre yes no yeah yep nope ok okay thanks thank hi "
                                 "hello hey maybe sure please myself ";
static const char courtesies[] = " hi hello hey dear good morning afternoon evening day thanks "
                                 "thank you very much lot in advance please "
                                 "regards kind best cheers sir madam team there so many a ok okay "
                                 "bye goodbye greetings help me sorry all ";
static const char person_words[] =
    " human humans person people agent agents representative representatives rep operator advisor "
    "adviser "
    "advisors advisers someone somebody anyone anybody staff employee colleague manager supervisor "
    "clerk caseworker handler ";
static const char sure_person_words[] =
    " human agent representative rep advisor adviser supervisor ";
static const char reach_verbs[] = " speak talk talking speaking chat connect transfer through "
                                  "reach contact want need prefer get give let "
                                  "pass escalate request ";
static const char angry_words[] = " ridiculous unacceptable disgusting disgusted outrageous "
                                  "outraged appalling appalled furious useless incompetent "
                                  "pathetic scandal scandalous scam scammers liars crooks thieves "
                                  "rubbish shit bullshit fuck fucking "
                                  "damn bloody idiots idiot disgrace disgraceful ombudsman "
                                  "lawyer solicitor suing infuriating livid "
                                  "shameful shambles ripoff ";

static str cut(str text) {
    return str_slice(text, 0, SCAN_REQUEST_BYTES_MAX);
}

/* ---- clauses ---- */

static bool is_filler(const scan_word *w) {
    return scan_in(w, fillers);
}

/* Does a new request begin at word i (behind fillers)? `bare`: a verb alone is enough. */
static bool starts_request(const scan_words *s, size_t i, size_t end, bool bare) {
    while (i < end && is_filler(&s->words[i])) i++;
    if (i + 1 >= end) return false;
    const scan_word *w = &s->words[i], *next = &s->words[i + 1];
    if (scan_in(w, question_words)) return true;
    if (scan_in(w, auxiliaries) && scan_in(next, subjects)) return true;
    if (scan_is(w, "i") &&
        scan_in(next, " want need would have am cant cannot forgot lost wish must should "))
        return true;
    if (scan_in(w, " id im ive ")) return true;
    return bare && scan_in(w, request_verbs);
}

/* Words behind which nothing new begins though "and" stands there: "go online and pay", "try and
 * get". */
static bool binds_verb(const scan_words *s, size_t from, size_t join) {
    bool subject = join - from <= 2 && scan_is(&s->words[join + 1], "i"); /* "my wife and I" */
    return subject || scan_in(&s->words[join - 1], " go try come wait call login online sure ");
}

/* "if I travel, do I need ...", "at 7, I need ...": a condition, not a request of its own. */
static const char conditions[] =
    " if when since because as at in on for after before while although though with "
    "during looking due given from by once unless until where ";

static bool mark_between(str text, const scan_word *a, const scan_word *b, const char *marks) {
    for (size_t i = a->end; i < b->at; i++)
        if (text.p[i] && strchr(marks, text.p[i])) return true;
    return false;
}

/* A mark that ends a sentence: not the point in 3.50 or e.g., which no blank follows. */
static bool sentence_between(str text, const scan_word *a, const scan_word *b) {
    return mark_between(text, a, b, "?!;\n") ||
           (mark_between(text, a, b, ".") && mark_between(text, a, b, " \t\r") && a->n > 1);
}

/* Is there a word that names something in [from, end)? */
static bool has_content(const scan_words *s, size_t from, size_t end) {
    bool courteous = true, named = false;
    for (size_t i = from; i < end; i++) {
        courteous = courteous && scan_in(&s->words[i], courtesies);
        named = named || !scan_in(&s->words[i], empty_words);
    }
    return named && !courteous;
}

typedef struct clause_list {
    str text;
    str *clauses;
    size_t n;
} clause_list;

/* Keeps words [from, end) as a clause, without leading joining words. */
static void clause_put(clause_list *l, const scan_words *s, size_t from, size_t end) {
    while (from < end && scan_in(&s->words[from], joins)) from++;
    if (end < from + 2 || l->n == SCAN_CLAUSES_MAX || !has_content(s, from, end)) return;
    l->clauses[l->n++] = str_slice(l->text, s->words[from].at, s->words[end - 1].end);
}

/* Where the sentence [from, end) should be parted next; end when nowhere. */
static size_t clause_end(str text, const scan_words *s, size_t from, size_t end) {
    for (size_t i = from + 1; i + 1 < end; i++) {
        const scan_word *w = &s->words[i];
        bool comma = mark_between(text, &s->words[i - 1], w, ",:");
        bool join = scan_in(w, joins);
        if (join && has_content(s, from, i) && !binds_verb(s, from, i) &&
            starts_request(s, i + 1, end, true))
            return i;
        bool condition = scan_in(&s->words[from], conditions);
        if (comma && !condition && starts_request(s, i, end, false)) return i;
    }
    return end;
}

size_t scan_clauses(str text, str clauses[SCAN_CLAUSES_MAX]) {
    scan_words s;
    clause_list l = {.text = cut(text), .clauses = clauses};
    scan_words_of(&s, l.text);
    for (size_t from = 0; from < s.n;) {
        size_t end = from + 1;
        while (end < s.n && !sentence_between(l.text, &s.words[end - 1], &s.words[end])) end++;
        size_t next = clause_end(l.text, &s, from, end);
        clause_put(&l, &s, from, next);
        from = next;
    }
    return l.n;
}

bool scan_asks(str clause) {
    scan_words s;
    scan_words_of(&s, cut(clause));
    return starts_request(&s, 0, s.n, true);
}

/* ---- follow-ups ---- */

typedef struct make_up {
    size_t content, references, chat;
} make_up;

static make_up count_words(const scan_words *s) {
    make_up m = {0};
    for (size_t i = 0; i < s->n; i++) {
        m.content += !scan_in(&s->words[i], empty_words);
        m.references += scan_in(&s->words[i], references);
        m.chat += scan_in(&s->words[i], chat_words);
    }
    return m;
}

static bool begins(const scan_words *s, const char *first, const char *second) {
    return s->n > 1 && scan_in(&s->words[0], first) && scan_in(&s->words[1], second);
}

bool scan_is_followup(str text) {
    scan_words s;
    scan_words_of(&s, cut(text));
    if (s.n == 0 || s.n > FOLLOWUP_WORDS_MAX) return false;
    make_up m = count_words(&s);
    if (m.chat) m.references = 0; /* "how are you", "thank you for that" */
    bool question = scan_in(&s.words[0], question_words) || scan_in(&s.words[0], auxiliaries);
    if (begins(&s, " what how ", " about ") && m.content <= 1 && !m.chat) return true;
    if (begins(&s, " and but or also ",
               " for if in on with the my when what how why can is does do to that this "))
        return m.content <= 1;
    if (begins(&s, " same what and ", " for with goes if ") && m.content <= 1) return true;
    if (m.content > 0) return false;
    if (s.n <= 2 && scan_in(&s.words[0], question_words)) return !m.chat;
    return (question || scan_in(&s.words[0], " so and but then or ")) && m.references > 0;
}

/* ---- people, anger ---- */

/* "are you a real person" asks what we are, not for somebody */
static bool asks_about_us(const scan_words *s) {
    for (size_t i = 0; i + 1 < s->n; i++) {
        bool us = scan_in(&s->words[i + 1], " you this i it ");
        if (us && scan_in(&s->words[i], " are is am ")) return true;
        if (scan_in(&s->words[i], " youre ")) return true;
    }
    return false;
}

bool scan_wants_person(str text) {
    scan_words s;
    scan_words_of(&s, cut(text));
    if (asks_about_us(&s)) return false;
    if (s.n > 0 && s.n <= 3)
        for (size_t i = 0; i < s.n; i++)
            if (scan_in(&s.words[i], sure_person_words)) return true;
    for (size_t i = 0; i < s.n; i++) {
        if (!scan_in(&s.words[i], reach_verbs)) continue;
        bool speaks = scan_in(
            &s.words[i], " speak talk talking speaking chat connect transfer through escalate ");
        for (size_t k = i + 1; k < s.n && k <= i + PERSON_WINDOW; k++)
            if (scan_in(&s.words[k], speaks ? person_words : sure_person_words)) return true;
    }
    return false;
}

static bool shouts(str text) {
    size_t upper = 0, lower = 0;
    for (size_t i = 0; i < text.n; i++) {
        upper += text.p[i] >= 'A' && text.p[i] <= 'Z';
        lower += text.p[i] >= 'a' && text.p[i] <= 'z';
    }
    return upper >= SHOUT_LETTERS_MIN && upper > 3 * lower;
}

bool scan_is_angry(str text) {
    scan_words s;
    text = cut(text);
    scan_words_of(&s, text);
    if (shouts(text) || str_find(text, STR("!!!")) != STR_INDEX_NONE) return true;
    for (size_t i = 0; i < s.n; i++)
        if (scan_in(&s.words[i], angry_words)) return true;
    return false;
}
