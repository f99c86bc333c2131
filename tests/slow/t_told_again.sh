#!/usr/bin/env bash
# Nobody answers: the customer is told a time, and when that is up, is told again. Takes a minute.
. tests/e2e/lib.sh
need_program
need_verb serve "told again"
need_model minilm "told again"
sample_desk
sed -i 's/expected_minutes: .*/expected_minutes: 1/' tasks/support.yaml
serve_start --task support || done_testing
reply=$(post /v1/chat/completions '{"model":"task:support","messages":[{"role":"user","content":"Can a lighthouse keep bees?"}]}')
ref=$(jq -r .bantam.review <<<"$reply") first=$(jq -r .bantam.expected_by_ms <<<"$reply")
at_most "a time within the minute is told at once" "$first" "$(($(date +%s%3N) + 60000))"
json=$(curl -s -m 90 "$url/v1/answers/$ref?wait=80")
holds "when it is up, whoever waits is told again" "$json" ".status == \"overdue\" and .expected_by_ms > $first and .answer == null"
holds "the queue shows it as overdue" "$(get /v1/reviews)" '.counts.overdue == 1 and .reviews[0].overdue'
serve_stop
done_testing
