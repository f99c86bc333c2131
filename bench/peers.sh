#!/usr/bin/env bash
# Races bantam against llama.cpp and ik_llama.cpp on the same files, by turns, and prints the ratios.
#
#   LLAMA_CPP=DIR  folder with llama-bench and llama-batched-bench (a native build, see docs/SPEED.md)
#   IK_LLAMA=DIR   the same of ik_llama.cpp (llama-bench); left out where it is not set
#   bench/peers.sh MODEL.gguf...
#   ROUNDS=5 THREADS="1 2" PROMPT=512 GENERATE=128 BATCH=16 BATCH_GENERATE=64 DEPTH=0 (tokens before the generated)
#
# One round runs every program once on every model, so that a machine whose speed drifts treats all alike.
# Each cell: the median (lowest-highest) of the rounds. Ours: `bantam bench` of build/. The peers' flags:
# flash attention on and off are both run, the faster median of each cell counts; ik_llama.cpp with and
# without run-time repacking.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=${BANTAM_BIN:-build/bantam} rounds=${ROUNDS:-5} prompt=${PROMPT:-512} generate=${GENERATE:-128}
batch=${BATCH:-16} batch_generate=${BATCH_GENERATE:-64} threads=${THREADS:-1 2} depth=${DEPTH:-0}
[ $# -gt 0 ] && [ -x "$bin" ] && [ -x "${LLAMA_CPP:-}/llama-bench" ] || {
    sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
models=("$@")
trap 'print_table; exit 130' INT TERM # of the rounds there are

behind= # ik_llama.cpp knows no such option
[ "$depth" = 0 ] || behind="-d $depth"
put() { echo "$2" >>"$work/$1"; } # cell, value

ours() { # model, threads
    local json
    json=$("$bin" bench "$1" -p "$prompt" -n "$generate" --depth "$depth" -b 1 -t "$2" -r 1 --json 2>/dev/null) || return
    put "$3.bantam.prefill" "$(jq .prefill.tok_s <<<"$json")"
    put "$3.bantam.decode" "$(jq '.decode[0].tok_s' <<<"$json")"
    put "$3.bantam.peak" "$(jq .prefill.percent_peak <<<"$json")"
    put "$3.bantam.bandwidth" "$(jq '.decode[0].percent_bandwidth' <<<"$json")"
    put "$3.bantam.rss" "$(jq .rss_bytes <<<"$json")"
}
peer() { # name, program, model, threads, cell, flags...
    local name=$1 program=$2 model=$3 t=$4 cell=$5 json
    shift 5
    json=$("$program" -m "$model" -p "$prompt" -n "$generate" -r 1 -t "$t" -o json "$@" $behind 2>/dev/null |
        sed -n '/^\[/,$p')
    put "$cell.$name.prefill" "$(jq '.[] | select(.n_gen == 0) | .avg_ts' <<<"$json")"
    put "$cell.$name.decode" "$(jq '.[] | select(.n_prompt == 0) | .avg_ts' <<<"$json")"
}
together() { # model, threads, cell
    put "$3.bantam.together" "$("$bin" bench "$1" -p 0 -n "$batch_generate" -b "$batch" -t "$2" -r 1 --json 2>/dev/null |
        jq '.decode[0].tok_s')"
    put "$3.llama.together" "$("$LLAMA_CPP/llama-batched-bench" -m "$1" -t "$2" -c 8192 -npp 128 -ntg "$batch_generate" \
        -npl "$batch" --output-format jsonl 2>/dev/null | sed -n '/^{/p' | jq -s '.[0].speed_tg')"
}

numbers() { grep -E '^[0-9.]+(e[+-]?[0-9]+)?$' "$work/$1" 2>/dev/null | sort -g; }
median() { numbers "$1" | awk '{v[NR] = $1} END {if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
cell() { # name: "median (lowest-highest)"
    local m
    m=$(median "$1")
    [ -n "$m" ] || { echo "-"; return; }
    printf '%.4g (%.4g-%.4g)' "$m" "$(numbers "$1" | head -n 1)" "$(numbers "$1" | tail -n 1)"
}
better() { # the one of two cells with the higher median
    awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN {exit !(b + 0 > a + 0)}' && echo "$2" || echo "$1"
}
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN {if (a > 0 && b > 0) printf "%.2f", a / b; else printf "-"}'; }

print_table() {
    echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(date -u +%F), $rounds rounds"
    echo
    echo "| model | threads | what | bantam | llama.cpp | ik_llama.cpp | to llama.cpp | to ik | percent of limit |"
    echo "|---|---|---|---|---|---|---|---|---|"
    local number=0 model t what at llama ik limit
    for model in "${models[@]}"; do
        number=$((number + 1))
        for t in $threads; do
            for what in prefill decode; do
                at=$number.$t
                llama=$(better "$at.llama.$what" "$at.llama-plain.$what")
                ik=$(better "$at.ik.$what" "$at.ik-repack.$what")
                limit=$([ $what = prefill ] && median "$at.bantam.peak" || median "$at.bantam.bandwidth")
                printf '| %s | %s | %s | %s | %s | %s | %s | %s | %.0f |\n' "$(basename "$model" .gguf)" "$t" "$what" \
                    "$(cell "$at.bantam.$what")" "$(cell "$llama")" "$(cell "$ik")" \
                    "$(ratio "$at.bantam.$what" "$llama")" "$(ratio "$at.bantam.$what" "$ik")" "${limit:-nan}"
            done
        done
        [ "$batch" = 0 ] || printf '| %s | %s | %s together | %s | %s | - | %s | - | - |\n' "$(basename "$model" .gguf)" \
            "${threads##* }" "$batch" "$(cell "$number.bantam.together")" "$(cell "$number.llama.together")" \
            "$(ratio "$number.bantam.together" "$number.llama.together")"
    done
}

for ((round = 1; round <= rounds; round++)); do
    number=0
    for model in "${models[@]}"; do
        number=$((number + 1))
        for t in $threads; do
            cell=$number.$t
            echo "round $round of $rounds, $(basename "$model"), $t threads" >&2
            ours "$model" "$t" "$cell"
            peer llama "$LLAMA_CPP/llama-bench" "$model" "$t" "$cell" -fa on
            peer llama-plain "$LLAMA_CPP/llama-bench" "$model" "$t" "$cell" -fa off
            [ -z "${IK_LLAMA:-}" ] || peer ik "$IK_LLAMA/llama-bench" "$model" "$t" "$cell"
            [ -z "${IK_LLAMA:-}" ] || peer ik-repack "$IK_LLAMA/llama-bench" "$model" "$t" "$cell" -rtr 1
        done
        [ "$batch" = 0 ] || together "$model" "${threads##* }" "$number"
    done
done
print_table
