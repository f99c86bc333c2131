#!/usr/bin/env bash
# Hard to break: kill -9 under load, two people at one review, a full disk, markup, overlong questions.
. tests/e2e/lib.sh
need_program
need_verb serve "hard treatment"
need_model minilm "hard treatment"
sample_desk

# ---- kill -9 under load: what was acknowledged is found ----
ask_loop() { # NUMBER: every acknowledged request, with its review; six loops stay below the 500 that a list shows
    local i reply
    for i in $(seq 75); do
        sleep 0.01
        reply=$(curl -sf -m 20 -H 'content-type: application/json' "$url/v1/tasks/support/ask" \
            -d "{\"text\": \"Visitor $1 asks no $i: can a lighthouse keep bees?\"}" 2>/dev/null) || return
        jq -r '.id + " " + (.review // "-")' <<<"$reply" >>"$tmp/acked.$1"
    done
}
label_loop() { # every acknowledged decision
    local ref text
    for _ in $(seq 200); do
        IFS=$'\t' read -r ref text < <(curl -sf -m 20 "$url/v1/reviews?limit=1" 2>/dev/null |
            jq -r '.reviews[0] | [.id, .text] | @tsv')
        [ -n "$ref" ] || return
        # (jq 1.6 -e says yes to no input at all, as a killed server leaves it)
        [ "$(curl -sf -m 20 -H 'content-type: application/json' "$url/v1/reviews/$ref/answer" \
            -d '{"label": "other", "text": "No.", "by": "ann"}' 2>/dev/null | jq -r .learned 2>/dev/null)" = true ] || return
        printf '%s\t%s\n' "$ref" "$text" >>"$tmp/labelled"
    done
}
: >"$tmp/labelled"
for round in 1 2; do
    serve_start --task support || done_testing
    loops=()
    for n in 1 2 3; do ask_loop "$round$n" & loops+=($!); done
    label_loop & loops+=($!)
    for _ in $(seq 300); do # until there is something to lose
        [ "$(cat "$tmp/acked.$round"? 2>/dev/null | wc -l)" -ge 6 ] && [ -s "$tmp/labelled" ] && break
        sleep 0.1
    done
    sleep 0.5
    serve_stop KILL
    wait "${loops[@]}"
    unset port
done 2>/dev/null
acked=$(cat "$tmp"/acked.* | wc -l) labelled=$(wc -l <"$tmp/labelled")
at_least "requests acknowledged before the kills" "$acked" 10
at_least "labels acknowledged before the kills" "$labelled" 1
"$bin" requests --limit 1000 --json 2>"$tmp/err" | jq -r '.requests[].id' | sort >"$tmp/found" || not_ok "the record opens" "$(cat "$tmp/err")"
is "none of the acknowledged requests is lost" "$(cut -d' ' -f1 "$tmp"/acked.* | sort | comm -23 - "$tmp/found" | wc -l)" 0
"$bin" review list --status all --limit 500 --json | jq -r '.reviews[].id' | sort >"$tmp/found"
is "nor a review" "$(cut -d' ' -f2 "$tmp"/acked.* | grep -v '^-' | sort | comm -23 - "$tmp/found" | wc -l)" 0
"$bin" task export support | grep ',other,review' | sed 's/,other,review.*//; s/^"//; s/"$//' | sort >"$tmp/found"
is "nor a label" "$(cut -f2 "$tmp/labelled" | sort | comm -23 - "$tmp/found" | wc -l)" 0
"$bin" review list --status answered --limit 500 --json | jq -r '.reviews[].id' | sort >"$tmp/found"
is "nor an answer" "$(cut -f1 "$tmp/labelled" | sort | comm -23 - "$tmp/found" | wc -l)" 0
serve_start --task support || done_testing
ok "the server starts again after kill -9"

# ---- what is held of one person: record and reviews, all or nothing ----
ask_as() { post /v1/tasks/support/ask "$(jq -nc --arg t "$1" --arg u "$2" '{text: $t, user: $u}')"; }
first=$(ask_as 'Kim has a lighthouse full of bees' kim@example.com)
ask_as 'Lee has a submarine full of bees' lee@example.com >/dev/null
one_object "a person is erased beside the server" "$bin" erase kim@example.com --json
is "record and review" "$(jq -c "[.requests, .reviews, .kept]" <<<"$json")" "[1,1,0]"
is "the review is gone" "$(curl -s -o /dev/null -w '%{http_code}' "$url/v1/reviews/$(jq -r .review <<<"$first")")" 404
is "and the question" "$(get "/v1/requests/$(jq -r .id <<<"$first")" | grep -c lighthouse)" 0
is "another's stays" "$(get '/v1/reviews?status=open&limit=500' | grep -c submarine)" 1

# ---- several people, one review ----
ask() { post /v1/tasks/support/ask "$(jq -nc --arg t "$1" '{text: $t}')"; }
ref=$(ask 'My neighbour has painted his house in stripes' | jq -r .review)
claims=()
for n in 1 2 3 4 5 6; do "$bin" review claim "$ref" --by "person$n" >/dev/null 2>&1 & claims+=($!); done
got=0
for p in "${claims[@]}"; do wait "$p" && got=$((got + 1)); done
is "six claim one review at once: exactly one gets it" $got 1
ref=$(ask 'My neighbour has painted his dog in stripes' | jq -r .review)
claims=()
for n in 1 2 3; do
    "$bin" review answer "$ref" --text "from $n" --by "person$n" >/dev/null 2>&1 & claims+=($!)
    curl -sf -m 20 -o /dev/null -H 'content-type: application/json' "$url/v1/reviews/$ref/answer" \
        -d "{\"text\": \"from web $n\", \"by\": \"web$n\"}" & claims+=($!)
done
got=0
for p in "${claims[@]}"; do wait "$p" && got=$((got + 1)); done
is "six answer one review at once: exactly one is sent" $got 1

# ---- markup, odd bytes, length ----
markup='<script>alert("x")</script> & <img src=x onerror=alert(1)> my llama {{7*7}}'
ref=$(ask "$markup" | jq -r .review)
is "markup in a question stays text" "$(get "/v1/reviews/$ref" | jq -r .review.text)" "$markup"
has "and no browser may guess otherwise" "$(curl -s -D - -o /dev/null "$url/v1/reviews/$ref" | tr A-Z a-z)" "x-content-type-options: nosniff"
is "a terminal's escapes are not printed raw" \
    "$("$bin" task run support $'a \e[31m red \e]0;title\a question of bees' >/dev/null 2>&1; "$bin" review list 2>&1 | grep -c $'\e')" 0
holds "a question too long for the model goes to a person and says so" \
    "$(ask "$(yes 'the whale sang on' | head -300 | tr '\n' ' ')")" '.tier == "human" and .reason == "too_long"'
is "bytes that are no UTF-8 get 400" "$(printf '{"text":"a \377\376 b"}' | curl -s -m 20 -o /dev/null -w '%{http_code}' \
    -H 'content-type: application/json' --data-binary @- "$url/v1/tasks/support/ask")" 400
is "no question gets 400" "$(curl -s -m 20 -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '{"text":"  "}' "$url/v1/tasks/support/ask")" 400
holds "\"I want a person\" gets one" "$(ask 'I want to talk to a human being, not a machine')" '.tier == "human"'
id=$(ask 'how do I cancel my car insurance?' | jq -r .id)
holds "\"this is wrong\" puts the question before a person" \
    "$(post "/v1/requests/$id/verdict" '{"verdict":"wrong"}')" '(.review | length) > 0 and (.message | length) > 0'
serve_stop

# ---- one id for two, depth, keys ----
unset port
serve_start --task support || done_testing
same() { curl -s -m 20 -D - -o /dev/null -H 'x-request-id: mine-1' -H 'content-type: application/json' -d '{"text": "how do I cancel?"}' "$url/v1/tasks/support/ask" |
    tr -d '\r' | sed -n 's/^x-request-id: //Ip'; }
first=$(same) second=$(same)
is "two requests that come with one id have their own" "$([ -n "$first" ] && [ "$first" != "$second" ] && [ "$first" != mine-1 ] && echo yes)" yes
is "and a record each" "$(for id in "$first" "$second"; do get "/v1/requests/$id" | jq -r .id; done | sort -u | wc -l)" 2
once() { curl -s -m 60 -o "$tmp/once.$1" -H 'Idempotency-Key: one-for-six' -H 'content-type: application/json' -d '{"model": "task:support", "messages": [{"role": "user", "content": "how do I cancel?"}]}' "$url/v1/chat/completions"; }
askers=()
for n in 1 2 3 4 5 6; do once $n & askers+=($!); done
wait "${askers[@]}"
is "six at once under one Idempotency-Key: one answer, or told to wait" \
    "$(jq -r 'select(.id) | .id' "$tmp"/once.? | sort -u | wc -l) $(jq -r '.error.code // empty' "$tmp"/once.? | grep -vc idempotency_in_progress)" "1 0"
for deep in '[' '{"a":'; do
    is "half a million of $deep get 400" "$(yes "$deep" | head -n 500000 | tr -d '\n' | curl -s -m 20 -o /dev/null -w '%{http_code}' \
        -H 'content-type: application/json' --data-binary @- "$url/v1/chat/completions")" 400
done
is "and the server lives" "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/health")" 200
serve_stop
key=$(printf 'k%.0s' $(seq 40))
BANTAM_KEY=$key serve_start --task support --require-auth || done_testing
status_of() { curl -s -m 20 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "$url/v1/models"; }
is "the key opens" "$(status_of "$key")" 200
is "one whose first, last or any other byte differs does not, nor a shorter or longer one" \
    "$(for k in "x${key:1}" "${key:1}x" "${key:0:20}x${key:21}" "${key:1}" "${key}k" "" "$(printf 'k%.0s' $(seq 4000))"; do status_of "$k"; done)" 401401401401401401401
serve_stop

# ---- a disk that is full ----
full() { bash -c 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"' - "$@"; } # KIB COMMAND...
cp -r "$BANTAM_HOME" "$tmp/full"
fails "a full disk: a question is refused, not half recorded" 8 \
    env BANTAM_HOME="$tmp/full" bash -c 'trap "" XFSZ; ulimit -f 4; exec "$@"' - "$bin" task run support "can bees swim?" --json
is "and the record is whole afterwards" "$(BANTAM_HOME=$tmp/full "$bin" requests --json | jq -c '.requests | length > 10')" true
done_testing
