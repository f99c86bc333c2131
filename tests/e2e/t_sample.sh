#!/usr/bin/env bash
# The sample on its 200 held-out questions: how many it answers, and what it must pass on.
. tests/e2e/lib.sh
need_program
need_model minilm "the sample's figures"
sample_desk

one_object "task eval gives one object" \
    "$bin" task eval support --file tasks/support.heldout.csv --json
sum() { jq "[.by_group | to_entries[] | select(.key | IN($1)) | .value.$2] | add" <<<"$json"; }
scope='"in_scope", "angry", "misspelt"'
up='"always_human", "near", "far", "two_at_once", "other_language"'
is "all 200 questions are counted" "$(jq .n <<<"$json")" 200
is "117 of them are in scope" "$(sum "$scope" n)" 117
is "83 of them must go up" "$(sum "$up" n)" 83
at_least "in scope: share answered automatically" \
    "$(jq -n "$(sum "$scope" answered) / $(sum "$scope" n)")" 0.70
at_most "must go up: share answered all the same" \
    "$(jq -n "$(sum "$up" answered) / $(sum "$up" n)")" 0.10
at_least "of what is answered, right" "$(jq .accuracy_answered <<<"$json")" 0.95
is "eval stored nothing" "$("$bin" requests --json | jq '.requests | length')" 1
is "and asked no person" "$("$bin" review list --status all --json | jq '.reviews | length')" 0
done_testing
