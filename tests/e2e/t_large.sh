#!/usr/bin/env bash
# The large tier against a stub that hangs, refuses, breaks off and talks: the question goes on to the
# next tier and the trace says why; only a listed label or sentences of the passages reach a customer.
. tests/e2e/lib.sh
need_program
need_model minilm "the large tier"
command -v python3 >/dev/null || { skip "the large tier: no python3 for the stub"; exit 0; }
sample_desk

echo 'say {}' >"$tmp/how"
python3 "$root/tests/clients/stub_llm.py" "$tmp/port" "$tmp/how" "$tmp/log" 2>"$tmp/stub.err" &
pids+=($!)
for _ in $(seq 100); do [ -s "$tmp/port" ] && break; sleep 0.1; done
sed -i "s#^  - human:#  - llm:\n      url: http://127.0.0.1:$(cat "$tmp/port")/v1\n      key_env: BANTAM_TEST_KEY\n      model: stub\n      usd_per_million_in: 1\n      usd_per_million_out: 2\n      timeout_ms: 1500\n      retries: 1\n&#" tasks/support.yaml
is "the task with a large tier is right" "$("$bin" task check support >/dev/null && echo yes)" yes

question='An otter has moved into the boot of my car'
ask() { "$bin" task run support "${1:-$question}" --json 2>"$tmp/err" </dev/null; }
llm_step() { "$bin" trace "$(jq -r .trace <<<"$1")" --json | jq -r '.steps[] | select(.tier == "llm") | .outcome + " " + (.reason // "")'; }

json=$(ask)
is "without its key the large tier is not asked" "$(llm_step "$json")" "skipped not_configured"
export BANTAM_TEST_KEY=sk-test-0123456789
: >"$tmp/log"

echo 'say {"label": "start_claim"}' >"$tmp/how"
json=$(ask)
is "a listed label is its answer" "$(jq -r '.tier + " " + .label' <<<"$json")" "llm start_claim"
has "its tokens are priced as the task file assumes" "$(jq -r '.cost * 1e6 | round' <<<"$json")" 1040
is "the label's text comes from the task file" "$(jq -r .answer <<<"$json" | head -c 40)" \
    "$(sed -n '/name: start_claim/,/examples:/p' tasks/support.yaml | sed -n '/reply:/{n;s/^ *//;p}' | head -c 40)"
is "its key is not in its prompt" "$(grep -c sk-test "$tmp/log")" 0
has "the question is" "$(cat "$tmp/log")" "otter"
printf 'say ```json\n{"sentences": [1, 2]}\n```' >"$tmp/how"
json=$(ask)
is "sentences of the passages are its answer" "$(jq -r .tier <<<"$json")" llm
has "word for word" "$(jq -r .answer <<<"$json" | tr '\n' ' ')" "You can cancel any policy on any day, without giving a reason."
is "with their passage" "$(jq -r '.passages[0].id' <<<"$json")" cancel

# what it may not do: a person gets it, the words as a draft at most
to_person() { # WHAT BEHAVIOUR LLM-STEP [DRAFT]
    local draft
    echo "$2" >"$tmp/how"
    json=$(ask)
    is "$1: a person answers" "$(jq -r '.tier + " " + (.answer // "no answer")' <<<"$json")" "human no answer"
    is "$1: the trace says so" "$(llm_step "$json")" "$3"
    [ $# -lt 4 ] || {
        draft=$("$bin" review show "$(jq -r .review <<<"$json")" --json | jq -r '.draft // ""')
        is "$1: what it said is a draft" "$draft" "$4"
    }
}
to_person "its own words" 'say Just drive, the otter will leave.' "passed_on draft_only" "Just drive, the otter will leave."
to_person "a draft" 'say {"draft": "Maybe ring us"}' "passed_on draft_only" "Maybe ring us"
to_person "a label that is not listed" 'say {"label": "free_money"}' "passed_on draft_only"
to_person "other" 'say {"label": "other"}' "passed_on draft_only"
to_person "a label that is always a person's" 'say {"label": "complaint"}' "passed_on always_human"
to_person "a label that needs the file" 'say {"label": "refund_status"}' "passed_on needs_record"
to_person "a sentence that is not there" 'say {"sentences": [999999]}' "passed_on draft_only"
to_person "a sentence that is no number" 'say {"sentences": ["1; drop"]}' "passed_on draft_only"
to_person "429" 429 "failed rate_limited"
to_person "500" 500 "failed provider_error"
to_person "half a reply" half "failed provider_error"
to_person "a web page" html "failed provider_error"
to_person "JSON that is no completion" odd "failed provider_error"
to_person "no choices" empty "failed provider_error"
question="The refund you promised me still isn't in my account"
to_person "sentences for what needs the customer's file" 'say {"sentences": [1, 2]}' "passed_on needs_record"
question='An otter has moved into the boot of my car'
start=$(date +%s%3N)
to_person "a hang" hang "failed timeout"
at_most "after the time that the task file gives (ms)" $(($(date +%s%3N) - start)) 9000
echo once >"$tmp/how"
is "a fault that passes is tried again" "$(ask | jq -r '.tier + " " + .label')" "llm cancel_policy"

: >"$tmp/log"
echo 'say {"label": "cancel_policy"}' >"$tmp/how"
ask 'how do I cancel my car insurance?' >/dev/null
ask 'I was hit by a car and broke my arm' >/dev/null
ask 'I want to speak to a real person' >/dev/null
is "it is not asked what the small tier answers or a person must" "$(wc -l <"$tmp/log")" 0
"$bin" task eval support --file "$root/tasks/support.taught.csv" --json >/dev/null 2>&1
is "nor by task eval" "$(wc -l <"$tmp/log")" 0
printf 'text,label\n%s,other\n' "$question" >one.csv
"$bin" task eval support --file one.csv --json --large >/dev/null 2>&1
is "unless with --large" "$(wc -l <"$tmp/log")" 1
sed -i 's/^threshold:/privacy:\n  never_to: [llm]\n&/' tasks/support.yaml
json=$(ask)
is "privacy keeps it out" "$(llm_step "$json")" "skipped privacy"
is "and nothing was sent" "$(wc -l <"$tmp/log")" 1
done_testing
