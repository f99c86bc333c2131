#!/usr/bin/env bash
# Every curl example of the manual (docs/*.md, README.md), run as it stands against a server with the
# sample task, MiniLM and SmolLM2: none may fail, and each answer is checked by its route. Words in capitals in
# an example (FILE, BATCH, RESPONSE, ASYNC, REQUEST, KEY) and the reference k7w2m9qx stand for what an earlier
# answer said. An example of a route that has no check here is an error, and so is one that was not run.
. tests/e2e/lib.sh
need_program
need_verb serve "the manual's examples"
need_model minilm "the manual's examples"
need_model smollm2 "the manual's examples"
sample_desk
link_models
serve_start || done_testing

# ---- curl, as the examples find it: notes each call in $tmp/calls ----
mkdir "$tmp/bin" "$tmp/said"
real=$(command -v curl)
cat >"$tmp/bin/curl" <<CURL
#!/usr/bin/env bash
args=() head=
for arg; do if [ "\$arg" = -i ]; then head=1; else args+=("\$arg"); fi; done
n=\$(find "$tmp/said" -name '*.body' | wc -l)
"$real" -sS -m 120 -o "$tmp/said/\$n.body" -D "$tmp/said/\$n.head" -w '%{http_code} %{method} %{url_effective}\n' "\${args[@]}" >>"$tmp/calls" || exit
[ -z "\$head" ] || cat "$tmp/said/\$n.head"
cat "$tmp/said/\$n.body"
CURL
ln -s "$bin" "$tmp/bin/bantam"
chmod +x "$tmp/bin/curl"

# ---- what an answer must be, by its route: fits STATUS METHOD PATH BODY-FILE HEAD-FILE ----
events() { sed -n 's/^data: //p' "$1"; }
fits() {
    local wanted
    [ "$1" = 202 ] && { jq -e '.status == "queued" and (.id | startswith("async_"))' "$4" >/dev/null; return; }
    [ "$1" = 200 ] || return
    case "$2 $3" in
    'POST /v1/chat/completions')
        if grep -qi '^content-type: text/event-stream' "$5"; then
            [ "$(events "$4" | tail -n 1)" = '[DONE]' ] || return
            events "$4" | grep -v '^\[DONE\]' | jq -es '(map(.choices[0].delta.content // "") | join("") | length > 0) and
                any(.choices[0].finish_reason != null)' >/dev/null
            return
        fi
        # a schema asked for is held, a call has its city
        wanted='.object == "chat.completion" and .usage.completion_tokens >= 0 and (.choices[0] |
            if .message.tool_calls then (.message.tool_calls[0].function | .name == "weather" and (.arguments | fromjson | has("city")))
            elif .message.content | startswith("{") then .message.content | fromjson | has("city", "country")
            else .message.content | length > 0 end)' ;;
    'POST /v1/completions') wanted='.object == "text_completion" and (.choices[0].text | length) > 0' ;;
    'POST /v1/embeddings') wanted='[.data[].embedding | length] | length > 0 and all(. == 384)' ;;
    'POST /v1/rerank') wanted='.results | length == 1 and .[0].index == 0' ;;
    'POST /v1/decide') wanted='if .answers.matter then .answers.matter | .choice == "cancel_policy" and .confidence > 0.5 and .calibration.examples > 100
            else .answers.urgent | (.noul >= 0 and .noul <= 1 and has("abstain", "calibration")) end' ;;
    'POST /v1/systemone') wanted='.answers.anger | (.probabilities | add - 1 | fabs) < 1e-6 and has("legend")' ;;
    'POST /v1/messages') wanted='.type == "message" and .content[0].type == "text" and .usage.output_tokens > 0' ;;
    'POST /v1/messages/count_tokens') wanted='.input_tokens > 3' ;;
    'POST /api/chat') wanted='.done and (.message.content | length) > 0' ;;
    'POST /api/generate')
        jq -es '(map(.response) | join("") | length) > 0 and .[-1].done' "$4" >/dev/null
        return ;;
    'POST /api/embed') wanted='[.embeddings[] | length] == [384, 384]' ;;
    'POST /api/show') wanted='.details.family == "llama" and (.capabilities | index("completion") != null)' ;;
    'GET /api/ps') wanted='[.models[].name] | index("smollm2:latest") != null' ;;
    'POST /tokenize') wanted='[.tokens[] | .piece] == ["Hello"]' ;;
    'POST /detokenize') wanted='.content == "Hello"' ;;
    'GET /v1/models') wanted='[.data[].id] | contains(["smollm2", "minilm", "task:support"])' ;;
    'GET /v1/models/smollm2' | 'POST /v1/models/load') wanted='.id == "smollm2" and .bantam.kind == "generator"' ;;
    'POST /v1/responses') wanted='.object == "response" and (.output[0].content[0].text | length) > 0' ;;
    'GET /v1/responses/'*'/input_items') wanted='.object == "list" and (.data | length) > 0' ;;
    'GET /v1/files/'*'/content') wanted='.custom_id == "a"' ;;
    'POST /v1/files' | 'GET /v1/files/'*) wanted='.object == "file" and .purpose == "batch"' ;;
    'POST /v1/batches' | 'GET /v1/batches/'*) wanted='.object == "batch" and .errors == null' ;;
    'GET /v1/async/'*) wanted='.status == "completed" and .response.status_code == 200' ;;
    'GET /v1/answers/'*) wanted='.status == "waiting" and (.message | length) > 0' ;;
    'POST /v1/tasks/support/ask') wanted='.label == "cancel_policy" and .tier == "slm"' ;;
    'POST /v1/tasks/support/mode') wanted='.mode == "all-to-people"' ;;
    'GET /v1/reviews') wanted='.counts.open > 0 and (.reviews | length) > 0' ;;
    'POST /v1/reviews/'*'/claim') wanted='.review.claimed_by == "ann"' ;;
    'POST /v1/reviews/'*'/answer') wanted='.review.answered_by == "ann" and (.text | length) > 0' ;;
    'GET /v1/requests') wanted='.requests | length > 0' ;;
    'POST /v1/requests/'*'/verdict') wanted='.verdict == "right"' ;;
    'GET /v1/cost') wanted='.requests > 0' ;;
    'GET /v1/me') wanted='.kind == "key" and .name == "website"' ;;
    'GET /health') wanted='.status == "ok"' ;;
    'GET /ready') wanted='.status == "ready"' ;;
    'GET /metrics')
        grep -q '^bantam_requests_total{' "$4"
        return ;;
    *)
        echo "t_examples.sh has no check for $2 $3" >&2
        return 1 ;;
    esac
    jq -e "$wanted" "$4" >/dev/null
}

# ---- running one block ----
declare -A known
note() { # NAME VALUE
    case $2 in '' | null) ;; *) known[$1]=$2 ;; esac
}
learn() { # METHOD PATH BODY-FILE HEAD-FILE: what later examples speak of
    case "$1 $2" in
    'POST /v1/files') note FILE "$(jq -r .id "$3")" ;;
    'POST /v1/batches') note BATCH "$(jq -r .id "$3")" ;;
    'POST /v1/responses') note RESPONSE "$(jq -r .id "$3")" ;;
    'POST /v1/tasks/support/ask') note REQUEST "$(jq -r .id "$3")" ;;
    esac
    note ASYNC "$(tr -d '\r' <"$4" | sed -n 's|^Location: /v1/async/||p')"
}
ran=0
run_block() { # FILE TEXT
    local where=$1 text=$2 name status method address path n
    text=${text//http:\/\/127.0.0.1:8088/$url}
    text=${text//http:\/\/localhost:8088/$url}
    text=${text//wait=25/wait=1} # nobody answers meanwhile
    for name in "${!known[@]}"; do text=${text//$name/${known[$name]}}; done
    : >"$tmp/calls"
    n=$(find "$tmp/said" -name '*.body' | wc -l)
    bash -ec "PATH=$tmp/bin:\$PATH; $text" >"$tmp/out" 2>"$tmp/err" || not_ok "$where: the example runs" "$text" "$(cat "$tmp/err")"
    note KEY "$(sed -n 's/^ *\(bt-[A-Za-z0-9_-]*\)$/\1/p' "$tmp/out" | head -n 1)"
    while read -r status method address; do
        path=${address#"$url"} path=${path%%\?*}
        ran=$((ran + 1))
        if fits "$status" "$method" "$path" "$tmp/said/$n.body" "$tmp/said/$n.head" 2>"$tmp/err"; then ok "$where: $method $path"
        else not_ok "$where: $method $path" "$text" "$status" "$(cat "$tmp/said/$n.body" "$tmp/err")"; fi
        learn "$method" "$path" "$tmp/said/$n.body" "$tmp/said/$n.head"
        n=$((n + 1))
    done <"$tmp/calls"
}

# ---- the blocks of a file that have curl in them; of a console block what is typed ----
# Each line is a command of its own unless it ends within quotes or in a backslash: later ones need what earlier ones said.
whole() { # TEXT: is it a whole command?
    case $1 in *\\) return 1 ;; esac
    bash -nc "$1" 2>/dev/null
}
run_file() {
    local inside='' line text=''
    while IFS= read -r line; do
        case $line in
        '```'*)
            [ -z "$inside" ] && { inside=$line text=''; continue; }
            inside='' ;;
        *)
            [ -n "$inside" ] || continue
            if [ "$inside" = '```console' ]; then
                case $line in '$ curl '*) line=${line#'$ '} ;; *) continue ;; esac
            fi
            text+=${text:+$'\n'}$line
            whole "$text" || continue
            case $text in *'curl '* | 'echo '* | 'bantam key add '*) run_block "${1##*/}" "$text" ;; esac
            text='' ;;
        esac
    done <"$1"
}
review=$(post /v1/chat/completions '{"model": "task:support", "messages": [{"role": "user", "content": "An otter has moved into the boot of my car, what now?"}]}' | jq -r .bantam.review)
known=([k7w2m9qx]=$review)
written=0
for file in "$root"/README.md "$root"/docs/*.md; do
    here=$(awk '/^```/ {inside = !inside; next} inside && /^([$] )?curl / {n++} END {print n + 0}' "$file")
    [ "$here" = 0 ] && continue
    written=$((written + here))
    run_file "$file"
done
is "every example was run" "$ran" "$written"
at_least "there are examples" "$written" 40

# ---- what the examples began is ended ----
for _ in $(seq 1200); do
    batch=$(get "/v1/batches/${known[BATCH]:-none}")
    jq -e '.error or (.status | IN("completed", "failed", "expired", "cancelled"))' >/dev/null 2>&1 <<<"$batch" && break
    sleep 0.1
done
holds "the batch is done" "$batch" '.status == "completed" and .request_counts == {total: 1, completed: 1, failed: 0}'
holds "and its answer can be read" "$(get "/v1/files/$(jq -r .output_file_id <<<"$batch")/content")" \
    '.custom_id == "a" and .response.body.choices[0].message.role == "assistant"'
serve_stop TERM
is "and the server stops cleanly" "$serve_rc" 0
done_testing
