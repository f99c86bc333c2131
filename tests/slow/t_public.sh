#!/usr/bin/env bash
# The small tier on public data, through the program alone: clinc150 (with its out-of-scope rows as
# `other`) and banking77, each from `task init` to `task eval`. Six minutes on two cores.
set -u
cd "$(dirname "$0")/../.." || exit 1
data=${BANTAM_TEST_DATA:-../shared/data} models=${BANTAM_TEST_MODELS:-/nonexistent}
data=$(readlink -f "$data")
[ -d "$data/clinc150" ] || { echo "skip - clinc150 and banking77: BANTAM_TEST_DATA has no clinc150"; exit 0; }
[ -e "$models/minilm/model.safetensors" ] || { echo "skip - clinc150 and banking77: no minilm"; exit 0; }
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
export BANTAM_HOME=$temp/home BANTAM_FROM=$models
cd "$temp" || exit 1

at_least() { # what, value, wanted
    if [ "$(jq -n "$2 >= $3")" = true ]; then echo "ok - $1: $2 (>= $3)"; else echo "not ok - $1: $2 (>= $3)"; fi
}
measure() { # name -> $json
    if ! "$BANTAM_BIN" task init "$1" --from "$1.train.$2" >log 2>&1; then
        echo "not ok - task init $1"
        tail -n 5 log
        exit 1
    fi
    json=$("$BANTAM_BIN" task eval "$1" --file "$1.test.$2" --json 2>log) || {
        echo "not ok - task eval $1"
        tail -n 5 log
        exit 1
    }
    echo "# $1: $(jq -c '{n, accuracy, oos_auroc, ece, auto_rate, accuracy_answered, latency_us}' <<<"$json")"
}

"$BANTAM_BIN" pull minilm >log 2>&1 || { echo "not ok - pull minilm"; cat log; exit 1; }
for part in train test; do
    jq -c ".${part}[], .oos_${part}[] | {text: .[0], label: (if .[1] == \"oos\" then \"other\" else .[1] end)}" \
        "$data/clinc150/data_full.json" >clinc150.$part.jsonl
    sed '1s/.*/text,label/' "$data/banking77/$part.csv" >banking77.$part.csv
done
measure clinc150 jsonl
at_least "clinc150: accuracy in scope" "$(jq .accuracy <<<"$json")" 0.955
at_least "clinc150: out-of-scope AUROC" "$(jq .oos_auroc <<<"$json")" 0.97
at_least "clinc150: answered of all" "$(jq .auto_rate <<<"$json")" 0.70
at_least "clinc150: right of the answered" "$(jq .accuracy_answered <<<"$json")" 0.95
measure banking77 csv
at_least "banking77: accuracy" "$(jq .accuracy <<<"$json")" 0.935
exit 0
