#!/usr/bin/env bash
# A disk that is full (a small tmpfs; needs root) while files, responses, batches and chats are stored: each is
# acknowledged and kept or refused by name, nothing acknowledged is lost, and it goes on when there is room again.
. tests/e2e/lib.sh
need_program
need_verb serve "a full disk"
need_model smollm2 "a full disk"
mkdir -p "$tmp/disk" "$tmp/cache"
mount -t tmpfs -o size=24m,mode=700 bantam-full "$tmp/disk" 2>/dev/null || { skip "a full disk: only root may mount a small one"; exit 0; }
trap 'umount -l "$tmp/disk" 2>/dev/null; cleanup' EXIT
export BANTAM_HOME=$tmp/disk/home
mkdir -p "$BANTAM_HOME"
ln -s "$tmp/cache" "$BANTAM_HOME/cache" # packed weights are not what is looked at
link_models
${BANTAM_TEST_PYTHON:-python3} tests/slow/cut_model.py "$models"/smollm2/*.gguf "$tmp/cut.gguf" 2 || { not_ok "the model is cut"; exit 1; }
manifest=$BANTAM_HOME/models/smollm2/local/manifest
jq -c --arg p "$tmp/cut.gguf" '.source = $p | .entry = $p' "$manifest" >"$tmp/manifest" && cp "$tmp/manifest" "$manifest"
cd "$tmp" || exit 1
serve_start || done_testing

# each acknowledged thing goes into $tmp/acked: what, ID, and its bytes' hash or its words
respond() { # prints the status
    local status
    status=$(curl -s -m 60 -o "$tmp/body" -w '%{http_code}' -H 'content-type: application/json' "$url/v1/responses" \
        -d "{\"model\": \"smollm2\", \"input\": \"Say $1\", \"max_output_tokens\": 4}")
    [ "$status" != 200 ] || jq -rc '"response " + .id + " " + (.output | tojson | @base64)' "$tmp/body" >>"$tmp/acked"
    echo "$status"
}
upload() { # KIB
    local status
    head -c "$(($1 * 1024))" /dev/urandom >"$tmp/up"
    status=$(curl -s -m 60 -o "$tmp/body" -w '%{http_code}' -F purpose=user_data -F "file=@$tmp/up" "$url/v1/files")
    [ "$status" != 200 ] || echo "file $(jq -r .id "$tmp/body") $(sha256sum <"$tmp/up" | cut -d' ' -f1)" >>"$tmp/acked"
    echo "$status"
}
lost() { # how many acknowledged things are not as they were
    local what id is n=0 got
    while read -r what id is; do
        case $what in
        response) got=$(get "/v1/responses/$id" | jq -r '.output | tojson | @base64') ;;
        file) got=$(get "/v1/files/$id/content" | sha256sum | cut -d' ' -f1) ;;
        batch) got=$(get "/v1/batches/$id" | jq -r .object) ;;
        esac
        [ "$got" = "$is" ] || n=$((n + 1))
    done <"$tmp/acked"
    echo $n
}
: >"$tmp/acked"
is "with room a response is kept" "$(respond one)" 200
is "and a file" "$(upload 100)" 200
echo '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "smollm2", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}}' >"$tmp/in.jsonl"
input=$(curl -s -m 60 -F purpose=batch -F "file=@$tmp/in.jsonl" "$url/v1/files" | jq -r .id)

head -c 6M /dev/zero >"$tmp/disk/reserve" # to be given back
head -c 1M /dev/zero >"$tmp/disk/ballast"

# ---- filled by what is stored: files first, then small things ----
status=200
for _ in $(seq 100); do
    status=$(upload 1500)
    [ "$status" = 200 ] || break
done
is "a file that does not fit is 507" "$status" 507
holds "by its name, with a remedy" "$(cat "$tmp/body")" '.error.code == "no_space" and (.error.message | test("space"))'
at_least "files that fitted" "$(grep -c ^file "$tmp/acked")" 2
fill() { dd if=/dev/zero of="$tmp/disk/$1" bs=4k oflag=append conv=notrunc 2>/dev/null; } # the rest, to the last page
fill more
refused=0 odd=
for i in $(seq 40); do
    case $((i % 3)) in
    0) status=$(respond "$i") ;;
    1) status=$(upload 40) ;;
    2)
        status=$(curl -s -m 60 -o "$tmp/body" -w '%{http_code}' -H 'content-type: application/json' "$url/v1/batches" \
            -d "{\"input_file_id\": \"$input\", \"endpoint\": \"/v1/chat/completions\", \"completion_window\": \"24h\"}")
        [ "$status" != 200 ] || echo "batch $(jq -r .id "$tmp/body") batch" >>"$tmp/acked"
        ;;
    esac
    case $status in
    200) ;;
    503 | 507) refused=$((refused + 1)) ;;
    *) odd="$odd $status: $(head -c 300 "$tmp/body")" ;;
    esac
done
is "on a disk without a page left all is kept or refused by name" "$odd" ""
at_least "of forty, refused" $refused 13
holds "a refusal says what is wrong" "$(cat "$tmp/body")" '.error.code == "no_space" or (.error.message | length > 20)'
is "and nothing that was acknowledged is lost" "$(lost)" 0
is "the process lives" "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/healthz/live")" 200

# ---- a chat on a terminal ----
if command -v script >/dev/null; then
    rm -f "$tmp/disk/ballast"
    truncate -s 3M "$tmp/disk/reserve" # the server takes what it had no room for
    prompts() { # until so many stand on the screen
        for _ in $(seq 600); do
            [ "$(grep -aoF '>>> ' "$tmp/screen" 2>/dev/null | wc -l)" -ge "$1" ] && break
            sleep 0.1
        done
        sleep 0.3
    }
    chat() { # LINE...: each at its prompt
        : >"$tmp/screen"
        (n=0; for line in "$@"; do prompts $((n += 1)); printf '%s\r' "$line"; done; prompts $((n + 1)); printf '\004'; sleep 0.3) |
            SHELL=/bin/sh TERM=dumb script -qefc "exec '$bin' run smollm2 -n 3 --temperature 0" /dev/null >"$tmp/screen"
        sed 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\r//g' "$tmp/screen"
    }
    chat "Hello there." "/save mine" >"$tmp/first"
    kept=$(sha256sum <"$BANTAM_HOME/chats/mine.json") history=$(cat "$BANTAM_HOME/history")
    fill ballast
    yes 'a long line that fills the rest of the last page' | dd of="$BANTAM_HOME/history" bs=1 seek="$(stat -c %s "$BANTAM_HOME/history")" count=$((4096 - $(stat -c %s "$BANTAM_HOME/history") % 4096)) conv=notrunc 2>/dev/null
    shown=$(chat 'Another word.' '/save mine' '/save other')
    has "a chat that cannot be saved says so" "$shown" "space"
    is "and the one saved before is whole" "$(sha256sum <"$BANTAM_HOME/chats/mine.json")" "$kept"
    is "nothing half stands beside it" "$(ls "$BANTAM_HOME/chats")" mine.json
    has "the history begins as it did" "$(cat "$BANTAM_HOME/history")" "$history"
fi

# ---- killed while it is full, then with room again ----
disown "$pid"
serve_stop KILL
while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
rm -f "$tmp/disk/reserve"
serve_start || done_testing
is "after kill -9 on the full disk nothing acknowledged is lost" "$(lost)" 0
is "with room again a response is kept" "$(respond again)" 200
is "and a file" "$(upload 10)" 200
holds "and it is well" "$(get /health)" '.status == "ok"'
is "all of it is found" "$(lost)" 0
fill ballast
for i in 1 2 3 4 5 6; do respond "full $i" >/dev/null; upload 40 >/dev/null; done
rm -f "$tmp/disk/ballast"
for _ in $(seq 100); do # the journal is tried again now and then
    [ "$(respond later)" = 200 ] && break
    sleep 0.2
done
is "also without a start between: a response is kept" "$(respond afterwards)" 200
is "and nothing was lost" "$(lost)" 0
serve_stop TERM
is "it stops cleanly" "$serve_rc" 0
done_testing
