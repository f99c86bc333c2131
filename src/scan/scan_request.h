/* scan_request.h - the shape of a question, read from its words alone: several requests at once, a
 * follow-up that cannot be understood alone, a wish for a person, anger. English only; other
 * languages give nothing found. Tables and rules by us, conservative: a miss costs less than a
 * false alarm, for the classifier's confidence stands behind it. Pure, any thread, no allocation;
 * at most SCAN_REQUEST_BYTES_MAX bytes are read. */
#ifndef BANTAM_SCAN_REQUEST_H
#define BANTAM_SCAN_REQUEST_H

#include "base/str.h"

enum { SCAN_CLAUSES_MAX = 8, SCAN_REQUEST_BYTES_MAX = 4096 };

/* Splits a text into the clauses that could each stand as a request: at . ? ! ; and line ends, and
 * at `and`, `also`, `plus`, `then`, `but`, a comma, where a new interrogative, request or
 * statement of need begins behind them. Clauses are slices of `text`, in order, trimmed, without
 * the joining word; greetings, thanks and pieces without a content word are left out. Returns how
 * many (0 to SCAN_CLAUSES_MAX). Two or more does not mean two requests (the second may explain the
 * first): the caller classifies each and asks whether they confidently differ. */
size_t scan_clauses(str text, str clauses[SCAN_CLAUSES_MAX]);

/* Does a clause ask for something by its form: it begins with a question word, an auxiliary and its
 * subject, a request ("I want", "please send", "tell me")? A statement ("our flight was cancelled")
 * does not. */
bool scan_asks(str clause);

/* "and for my wife?", "what about that one", "why?", "how much is it then": leans on something said
 * before. Short and begins with a conjunction, or refers by pronoun without naming anything. */
bool scan_is_followup(str text);

/* "let me talk to a human", "agent please" */
bool scan_wants_person(str text);

/* Shouting, swearing, threats to complain or leave: a marker for the queue, not for the answer. */
bool scan_is_angry(str text);

#endif
