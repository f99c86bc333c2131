#!/usr/bin/env bash
# The settings of `bantam serve`: where they may stand and which wins, what is wrong with a file and where,
# docs/config.md (its table and its console blocks).
. tests/e2e/lib.sh
need_program
need_verb "config show" "the settings"
mkdir -p "$tmp/work/path" "$BANTAM_HOME" && cd "$tmp/work" || exit 1
ln -s "$bin" path/bantam
export PATH=$PWD/path:$PATH

# ---- docs/config.md ----
sed -n '/^```yaml$/,/^```$/p' "$root/docs/config.md" | grep -v '^```' >bantam.yaml
console_blocks config.md
is "the table of docs/config.md is that of the program" \
    "$(grep '^| ' "$root/docs/config.md")" "$(bantam config keys | grep '^| ')"

# ---- precedence ----
set_of() { bantam config show --json "$@" | jq -c ".settings[] | select(.name == \"$name\") | [.value, .source]"; }
name=port
is "without anything the default holds" "$(set_of)" '[8088,"default"]'
echo 'port: 9001' >"$BANTAM_HOME/bantam.yaml"
is "the file of the home folder is read" "$(set_of)" '[9001,"file"]'
echo 'port: 9002' >other.yaml
is "another by --config" "$(set_of --config other.yaml)" '[9002,"file"]'
is "or by its variable" "$(BANTAM_SERVE_CONFIG=other.yaml set_of)" '[9002,"file"]'
is "the environment wins over the file" "$(BANTAM_SERVE_PORT=9003 set_of)" '[9003,"environment"]'
is "the command line over both" "$(BANTAM_SERVE_PORT=9003 set_of --port 9004)" '[9004,"command line"]'
has "--origin says the line" "$(bantam config show --origin)" "$BANTAM_HOME/bantam.yaml:1"
name=require-auth
echo 'require-auth: true' >other.yaml
is "a flag is taken back by =false" "$(set_of --config other.yaml --require-auth=false)" '[false,"command line"]'
name=alias
printf 'alias:\n  small: smollm2\n  b: c\n' >other.yaml
is "pairs may be a map" "$(set_of --config other.yaml)" '[["small=smollm2","b=c"],"file"]'
is "a list replaces a list" "$(BANTAM_SERVE_ALIAS='x=y, z=w' set_of --config other.yaml)" '[["x=y","z=w"],"environment"]'
printf 'key: very-secret\n' >other.yaml && chmod 600 other.yaml
shown=$(bantam config show --config other.yaml --origin; bantam config show --config other.yaml --json
    BANTAM_KEY=very-secret bantam config show)
case $shown in *very-secret*) not_ok "a key is never shown" "$shown" ;; *) ok "a key is never shown" ;; esac
has "but that there is one" "$shown" '********'
chmod 644 other.yaml
fails "a file with a key that all may read is refused" 3 bantam config check other.yaml
fails "a key is no option" 2 bantam serve --key x

# ---- what is wrong, and where ----
wrong() { # WHAT TEXT PART...
    local what=$1
    printf '%b' "$2" >wrong.yaml
    fails "$what" 2 bantam config check wrong.yaml
    shift 2
    for part in "$@"; do has "  and says: $part" "$(cat "$tmp/err")" "$part"; done
}
wrong "an unknown key" 'port: 1\nallow-hots: x\n' 'line 2, column 1: unknown key "allow-hots"' 'did you mean "allow-host"?'
wrong "a text for a number" 'port: eighty\n' 'line 1, column 7: key "port" must be a whole number from 1 to 65535, not "eighty"'
wrong "a number out of range" 'queue: 0\n' 'line 1, column 8' 'from 1 to 4096'
wrong "a list for one value" 'host:\n  - 127.0.0.1\n' 'line 2, column 3' 'not a list'
wrong "a flag that is neither" 'behind-proxy: yes\n' 'must be true or false, not "yes"'
wrong "an origin with a path" 'cors-origin: ["https://a.example/x"]\n' 'line 1, column 15' 'without a path'
wrong "no YAML at all" 'port: [1\n' 'line 2'
wrong "twice the same key" 'port: 1\nport: 2\n' 'line 2, column 1' 'second time'
wrong "what contradicts" 'require-auth: true\ninsecure-no-auth: true\n' 'contradict'
fails "a wrong variable names itself" 2 env BANTAM_SERVE_DRAIN=soon bantam config show
has "  with what it wants" "$(cat "$tmp/err")" 'BANTAM_SERVE_DRAIN must be a whole number from 0 to 3600, not "soon"'
fails "a named file that is absent" 4 bantam serve --config nosuch.yaml
fails "a server does not start with a wrong file" 2 bantam serve --config wrong.yaml
printf '# port: 1\n\n' >other.yaml
is "a file of comments says nothing" "$(bantam config check other.yaml)" "other.yaml is right and sets 0 of $(($(bantam config keys | grep -c '^| `') - 1)) settings"

# ---- a server takes them ----
port=$(free_port)
printf 'port: %s\nallow-host: [bantam.example]\ncors-origin: https://app.example\n' "$port" >"$BANTAM_HOME/bantam.yaml"
url=http://127.0.0.1:$port
BANTAM_SERVE_CORS_ORIGIN=https://env.example bantam serve >"$tmp/serve.out" 2>"$tmp/serve.err" </dev/null &
pid=$!
pids+=("$pid")
for _ in $(seq 100); do curl -sf -m 2 "$url/health" >/dev/null && break; sleep 0.1; done
status() { curl -s -m 20 -o /dev/null -w '%{http_code}' "$@"; }
is "the port of the file" "$(status "$url/health")" 200
is "the Host of the file" "$(status -H 'Host: bantam.example' "$url/health")" 200
is "an Origin of the environment" "$(status -H 'Origin: https://env.example' "$url/v1/models")" 200
is "which replaced that of the file" "$(status -H 'Origin: https://app.example' "$url/v1/models")" 403

# ---- SIGHUP ----
hup() { # says what it logged since
    local before
    before=$(wc -l <"$tmp/serve.err")
    kill -HUP "$pid"
    for _ in $(seq 100); do
        logged=$(tail -n "+$((before + 1))" "$tmp/serve.err")
        case $logged in *"read again"* | *"stay as they were"*) return ;; esac
        sleep 0.1
    done
}
models() { curl -s -m 20 "$@" "$url/v1/models" | jq -c '[.data[] | select(.bantam.alias_of) | .id]'; }
link_models
rest="allow-host: [other.example]\nlog-level: debug\nkeep-alive: 5m\nbody-max: 2KiB\nidle-timeout: 5"
printf 'port: %s\n%b\nkey: sesame\nmemory: 2GiB\nqueue: 9\nalias: {tiny: smollm2}\n' "$port" "$rest" >"$BANTAM_HOME/bantam.yaml"
chmod 600 "$BANTAM_HOME/bantam.yaml"
curl -s -o /dev/null -w '%{http_code}\n' --retry 0 "$url/v1/models?n=[1-1500]" >"$tmp/codes" &
load=$!
hup
has "what is taken is named" "$logged" "memory: 2GiB, before (three quarters of all)"
has "what needs a restart too" "$logged" "queue: 9 needs a restart; until then (64) holds"
case $logged in *sesame*) not_ok "but not the key" "$logged" ;; *) ok "but not the key" ;; esac
is "a Host is answered from now on" "$(status -H 'Host: other.example' "$url/health")" 200
is "one is not any more" "$(status -H 'Host: bantam.example' "$url/health")" 403
head -c 3000 /dev/zero | tr '\0' ' ' >big
is "a smaller limit holds" "$(status -H 'content-type: application/json' --data-binary @big "$url/v1/chat/completions")" 413
have_model smollm2 && is "an alias is there" "$(models)" '["tiny"]'
sed -i 's/tiny/wee/; s/^key:.*/key: [a, b]/' "$BANTAM_HOME/bantam.yaml"
hup
has "a broken file changes nothing, and the log says where" "$logged" "the settings stay as they were: \"$BANTAM_HOME/bantam.yaml\" line"
have_model smollm2 && is "the alias stays" "$(models)" '["tiny"]'
sed -i 's/^key:.*/key: sesame2/' "$BANTAM_HOME/bantam.yaml"
hup
have_model smollm2 && is "mended, the other alias is there" "$(models)" '["wee"]'
# the file is gone, is being written, was renamed into its place
whole=$(cat "$BANTAM_HOME/bantam.yaml")
stays() { # WHAT, part of the log
    hup
    has "$1: nothing changes" "$logged" "the settings stay as they were: \"$BANTAM_HOME/bantam.yaml\"$2"
    is "$1: the Host is answered still" "$(status -H 'Host: other.example' "$url/health")" 200
}
rm "$BANTAM_HOME/bantam.yaml"
stays "a file that is gone" ", which was read before, is not there"
ln -s "$tmp/nowhere" "$BANTAM_HOME/bantam.yaml"
stays "a link to nothing" ", which was read before, is not there"
rm "$BANTAM_HOME/bantam.yaml"
mkdir "$BANTAM_HOME/bantam.yaml"
stays "a folder" " is a folder"
rmdir "$BANTAM_HOME/bantam.yaml"
: >"$BANTAM_HOME/bantam.yaml"
stays "a file that was cut to nothing" ", which held settings before, holds none"
printf 'port: %s\nallow-h' "$port" >"$BANTAM_HOME/bantam.yaml"
stays "half a key" " line"
printf 'port: %s\nallow-host: [other.exam' "$port" >"$BANTAM_HOME/bantam.yaml"
stays "half a list" " line"
printf '%s\nlog-level: de' "$(grep -v log-level <<<"$whole")" >"$BANTAM_HOME/bantam.yaml"
stays "half a word" " line"
printf '%s\nkey: "sesa' "$(grep -v ^key <<<"$whole")" >"$BANTAM_HOME/bantam.yaml"
stays "half a quoted text" " line"
printf '%s\n' "${whole/other.example/third.example}" >"$BANTAM_HOME/next.yaml"
chmod 600 "$BANTAM_HOME/next.yaml"
mv "$BANTAM_HOME/next.yaml" "$BANTAM_HOME/bantam.yaml"
hup
is "a file that was renamed into its place is read" "$(status -H 'Host: third.example' "$url/health")" 200
if [ "$(id -u)" != 0 ]; then
    chmod 000 "$BANTAM_HOME/bantam.yaml"
    hup
    has "one that may not be read: nothing changes" "$logged" "the settings stay as they were"
    chmod 600 "$BANTAM_HOME/bantam.yaml"
else skip "a file that may not be read: root reads all"; fi
for _ in $(seq 10); do hup; done
wait $load
is "no request of 1,500 was lost while it was read again 22 times" "$(sort "$tmp/codes" | uniq -c | tr -s ' ')" " 1500 200"
serve_stop TERM
is "it ends cleanly" "$serve_rc" 0

# ---- a full disk: the log goes nowhere, the settings are read all the same ----
if [ -e /dev/full ]; then
    printf 'port: %s\nallow-host: [one.example]\n' "$port" >"$BANTAM_HOME/bantam.yaml"
    bantam serve >/dev/null 2>/dev/full </dev/null &
    pid=$!
    pids+=("$pid")
    for _ in $(seq 100); do curl -sf -m 2 "$url/health" >/dev/null && break; sleep 0.1; done
    printf 'port: %s\nallow-host: [two.example]\n' "$port" >"$BANTAM_HOME/bantam.yaml"
    kill -HUP "$pid"
    for _ in $(seq 100); do [ "$(status -H 'Host: two.example' "$url/health")" = 200 ] && break; sleep 0.1; done
    is "with no room for the log the new Host is answered" "$(status -H 'Host: two.example' "$url/health")" 200
    kill -TERM "$pid"
    wait "$pid"
    is "and the server ends cleanly" $? 0
else skip "a full disk at SIGHUP: no /dev/full here"; fi

# ---- a key that is asked for changes ----
printf 'key: sesame\nrequire-auth: true\n' >"$BANTAM_HOME/bantam.yaml"
serve_start || done_testing
is "the key of the file opens" "$(status -H 'Authorization: Bearer sesame' "$url/v1/models")" 200
sed -i s/sesame/other/ "$BANTAM_HOME/bantam.yaml"
hup
is "after SIGHUP it does not" "$(status -H 'Authorization: Bearer sesame' "$url/v1/models")" 401
is "and the new one does" "$(status -H 'Authorization: Bearer other' "$url/v1/models")" 200
serve_stop TERM

# ---- all or nothing: a certificate that is none takes the rest back ----
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.crt -days 2 -subj /CN=localhost >/dev/null 2>&1
    cp tls.crt good.crt
    head="tls-cert: $PWD/tls.crt\ntls-key: $PWD/tls.key\nrequire-auth: true\n"
    printf '%bkey: sesame\nalias: {tiny: smollm2}\n' "$head" >"$BANTAM_HOME/bantam.yaml"
    scheme=https
    serve_start || done_testing
    open=(-k -H 'Authorization: Bearer sesame')
    have_model smollm2 && is "over TLS" "$(models "${open[@]}")" '["tiny"]'
    echo nonsense >tls.crt
    printf '%bkey: other\nalias: {wee: smollm2}\n' "$head" >"$BANTAM_HOME/bantam.yaml"
    hup
    has "a certificate that is none is named" "$logged" "the settings stay as they were"
    is "the key is the one before" "$(status "${open[@]}" "$url/v1/models")" 200
    have_model smollm2 && is "and so is the alias" "$(models "${open[@]}")" '["tiny"]'
    cp good.crt tls.crt
    hup
    is "mended, the new key opens" "$(status -k -H 'Authorization: Bearer other' "$url/v1/models")" 200
    serve_stop TERM
    scheme=
    rm "$BANTAM_HOME/bantam.yaml"
else skip "a bad certificate at SIGHUP: no openssl here"; fi

# ---- a service manager is told ----
python=${BANTAM_TEST_PYTHON:-python3}
if command -v "$python" >/dev/null; then
    cat >listener.py <<'P'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)
P
    "$python" listener.py "bantam-$$" >"$tmp/notified" &
    pids+=($!)
    told() { # PATTERN: waits until the listener has it
        for _ in $(seq 100); do grep -q "$1" "$tmp/notified" && return 0; sleep 0.1; done
        return 1
    }
    told bound
    rm -f "$BANTAM_HOME/bantam.yaml"
    NOTIFY_SOCKET=@bantam-$$ WATCHDOG_USEC=300000 serve_start || done_testing
    told '^READY=1 STATUS=serving http' && ok "READY=1 when it serves" || not_ok "READY=1" "$(cat "$tmp/notified")"
    told '^WATCHDOG=1' && ok "WATCHDOG=1 while its loop turns" || not_ok "WATCHDOG=1" "$(cat "$tmp/notified")"
    hup
    told '^RELOADING=1 MONOTONIC_USEC=[0-9]' && ok "RELOADING=1 with the time" || not_ok "RELOADING=1" "$(cat "$tmp/notified")"
    is "and READY=1 after it" "$(grep -c '^READY=1' "$tmp/notified")" 2
    serve_stop TERM
    told '^STOPPING=1' && ok "STOPPING=1 at the end" || not_ok "STOPPING=1" "$(cat "$tmp/notified")"
else skip "no python: nobody listens for what a service manager is told"; fi

# ---- UNIX sockets ----
await() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done; return 1; }
rm -f "$BANTAM_HOME/bantam.yaml"
sock=$tmp/bantam.sock
over() { curl -s -m 10 --unix-socket "$sock" "http://localhost$1" "${@:2}"; }
start_plain() { bantam serve "$@" >"$tmp/serve.out" 2>"$tmp/serve.err" </dev/null & pid=$!; pids+=("$pid"); }
start_plain --listen "unix:$sock"
await over /health -f && ok "it answers at a UNIX socket" || not_ok "it answers at a UNIX socket" "$(cat "$tmp/serve.err")"
is "which its owner alone may use" "$(stat -c %a "$sock")" 600
holds "the models are there" "$(over /v1/models)" '.object == "list"'
is "a foreign Host is refused there, too" "$(over /health -o /dev/null -w '%{http_code}' -H 'Host: evil.example')" 403
is "and no port is open" "$(ss -ltnp 2>/dev/null | grep -c "pid=$pid,")" 0
has "the banner says how" "$(cat "$tmp/serve.out")" "--unix-socket $sock"
fails "ps says that it cannot ask there" 6 bantam ps
fails "a socket that somebody answers at is not taken" 5 env BANTAM_HOME="$tmp/home3" "$bin" serve --listen "unix:$sock"
serve_stop KILL
[ -S "$sock" ] && ok "a killed server leaves its socket" || not_ok "a killed server leaves its socket"
port=$(free_port)
start_plain --listen "unix:$sock" --port "$port"
await over /health -f && ok "the next one replaces it" || not_ok "the next one replaces it" "$(cat "$tmp/serve.err")"
is "beside TCP where a port is said" "$(status "http://127.0.0.1:$port/health")" 200
serve_stop TERM
[ ! -e "$sock" ] && ok "and removes it at its end" || not_ok "and removes it at its end"
echo kept >"$sock"
fails "a file that is no socket is left alone" 5 bantam serve --listen "unix:$sock"
is "  as it was" "$(cat "$sock")" kept
fails "a path that is too long is named" 2 bantam serve --listen "unix:/$(printf 'x%.0s' $(seq 120))"

# ---- sockets that a service manager opened ----
if command -v systemd-socket-activate >/dev/null; then
    port=$(free_port) && rm -f "$sock"
    url=http://127.0.0.1:$port
    systemd-socket-activate -l "127.0.0.1:$port" -l "$sock" --fdname=web:local -E "BANTAM_HOME=$BANTAM_HOME" \
        "$bin" serve --port 1 >"$tmp/serve.out" 2>"$tmp/serve.err" </dev/null &
    pid=$!
    pids+=("$pid")
    await test -S "$sock"
    is "a request before the server is there waits and is answered" "$(status "$url/health")" 200
    is "the UNIX socket as well" "$(over /health -o /dev/null -w '%{http_code}')" 200
    has "their names are in the log" "$(cat "$tmp/serve.err")" 'socket "web" of the service manager'
    has "and that a setting is not used" "$(cat "$tmp/serve.err")" 'host, port and listen are not used'
    serve_stop TERM
    is "it ends cleanly" "$serve_rc" 0
    systemd-socket-activate -l "0.0.0.0:$port" -E "BANTAM_HOME=$BANTAM_HOME" "$bin" serve >"$tmp/serve.out" 2>"$tmp/serve.err" </dev/null &
    pid=$!
    pids+=("$pid")
    await curl -s -m 1 "$url/health"
    wait "$pid"
    is "one that others can reach wants keys, as --host does" $? 3
else skip "no systemd-socket-activate"; fi
done_testing
