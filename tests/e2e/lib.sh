# lib.sh - what the whole-program tests share; read by `. tests/e2e/lib.sh` from the repository root.
# Each script has its own folder $tmp and its own $BANTAM_HOME, and leaves neither files nor servers
# behind. The fit of the sample (seconds) is made once per binary and task file and copied.
set -u
root=$PWD
bin=${BANTAM_BIN:-$root/build/bantam}
models=${BANTAM_TEST_MODELS:-$root/build/models}
tmp=$(mktemp -d) || exit 1
export BANTAM_HOME=$tmp/home NO_COLOR=1 no_proxy=127.0.0.1,localhost
unset BANTAM_FROM BANTAM_DEBUG
bad=0
pids=()

ok() { echo "ok - $1"; }
not_ok() { # what, [detail...]
    echo "not ok - $1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | head -c 3000 | sed 's/^/    /'
    bad=1
}
skip() { echo "skip - $1"; }
done_testing() { exit $bad; }

cleanup() {
    local p
    for p in ${pids[@]+"${pids[@]}"}; do
        disown "$p" 2>/dev/null # the shell need not say that it was killed
        kill -9 "$p" 2>/dev/null
    done
    cd /
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# is WHAT GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    $2" "wanted: $3"; fi; }
# at_least WHAT NUMBER LIMIT, at_most WHAT NUMBER LIMIT (numbers may have decimals)
at_least() { if jq -en "$2 >= $3" >/dev/null; then ok "$1 ($2)"; else not_ok "$1" "$2 < $3"; fi; }
at_most() { if jq -en "$2 <= $3" >/dev/null; then ok "$1 ($2)"; else not_ok "$1" "$2 > $3"; fi; }
# holds WHAT JSON JQ-CONDITION
# (jq 1.6 -e says yes to no input at all)
holds() { if [ -n "$2" ] && jq -e "$3" >/dev/null 2>&1 <<<"$2"; then ok "$1"; else not_ok "$1" "false: $3" "$2"; fi; }
# has WHAT TEXT PART
has() { case $2 in *"$3"*) ok "$1" ;; *) not_ok "$1" "wanted: $3" "in: $2" ;; esac; }
# fails WHAT EXIT_CODE COMMAND...: exits so, says why on stderr, prints nothing on stdout
fails() {
    local what=$1 wanted=$2 rc
    shift 2
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    rc=$?
    if [ $rc -eq "$wanted" ] && [ -s "$tmp/err" ] && [ ! -s "$tmp/out" ]; then ok "$what"
    else not_ok "$what" "exit $rc, wanted $wanted" "stdout: $(head -c 300 "$tmp/out")" "stderr: $(head -c 300 "$tmp/err")"; fi
}
# one_object WHAT COMMAND...: exit 0 and exactly one JSON object on stdout; it stands in $json
one_object() {
    local what=$1 rc
    shift
    json=$("$@" 2>"$tmp/err" </dev/null)
    rc=$?
    if [ $rc -eq 0 ] && jq -es 'length == 1 and (.[0] | type) == "object"' >/dev/null 2>&1 <<<"$json"; then
        ok "$what"
    else not_ok "$what" "exit $rc" "$(head -c 300 <<<"$json")" "$(head -c 500 "$tmp/err")"; json='{}'; fi
}

# is every line of $want in the file $1, in order, its "..." parts too?
shows() {
    awk -v want="$want" '
        BEGIN { n = split(want, lines, "\n") ; at = 1 }
        { text = text $0 "\n" }
        END {
            for (i = 1; i <= n; i++) {
                m = split(lines[i], parts, /[.][.][.]/)
                for (k = 1; k <= m; k++) {
                    gsub(/^ +| +$/, "", parts[k])
                    if (parts[k] == "") continue
                    found = index(text, parts[k])
                    if (!found) { print "missing: " parts[k]; exit 1 }
                    text = substr(text, found + length(parts[k]))
                }
            }
        }' "$1"
}

# console_step COMMAND WANTED NAME, console_blocks PAGE: the console blocks of docs/PAGE are typed as they stand
console_step() {
    local why
    [ -n "$1" ] || return
    if ! bash -c "$1" >"$tmp/step" 2>"$tmp/step.err" </dev/null; then not_ok "$3: $1" "$(cat "$tmp/step" "$tmp/step.err")"
    elif why=$(want=$2 && shows "$tmp/step"); then ok "$3: $1"
    else not_ok "$3: $1" "$why" "$(cat "$tmp/step")"; fi
}
console_blocks() {
    local line command='' wanted='' inside=''
    while IFS= read -r line; do
        case $line in
        '```console') inside=1 ;;
        '```') console_step "$command" "$wanted" "$1"; command='' wanted='' inside='' ;;
        '$ '*) [ -z "$inside" ] || { console_step "$command" "$wanted" "$1"; command=${line#'$ '} wanted=''; } ;;
        *) [ -z "$inside" ] || wanted+=$line$'\n' ;;
        esac
    done <"$root/docs/$1"
}

need_program() { [ -x "$bin" ] || { not_ok "the program is built"; exit 1; }; }
need_verb() { # VERB WHY: ends the script when the program has no such verb
    "$bin" --help | grep -Eq "^  $1( |$)" || { skip "$2: this program has no \`$1\` yet"; exit 0; }
}
have_model() { [ -e "$models/$1" ]; }
need_model() { # NAME WHAT
    have_model "$1" || { skip "$2: no model $1 in $models (the registry does not answer?)"; exit 0; }
}
# Links the test's models into $BANTAM_HOME; they are used where they lie.
link_models() {
    local m
    for m in minilm smollm2; do
        have_model "$m" || continue
        local path=$models/$m
        [ "$m" = smollm2 ] && path=$(echo "$models/$m"/*.gguf)
        mkdir -p "$BANTAM_HOME/models/$m/local"
        jq -nc --arg name "$m" --arg path "$(readlink -f "$path")" \
            --arg kind "$([ "$m" = minilm ] && echo encoder || echo generator)" \
            '{name: $name, tag: "local", kind: $kind, source: $path, licence: "", purpose: "", entry: $path,
              link: true, files: []}' >"$BANTAM_HOME/models/$m/local/manifest"
    done
}
# A home in which the sample is fitted, and a folder $tmp/desk with tasks/ in which the script stands.
sample_desk() {
    local key cache
    key=$({ cat "$bin" tasks/support.yaml; ls -lL "$models"/* 2>/dev/null; } | sha256sum | cut -c1-16)
    cache=$(dirname "$bin")/e2e/$key
    mkdir -p "$(dirname "$bin")/e2e" "$tmp/desk"
    cp -r tasks "$tmp/desk/"
    cd "$tmp/desk" || exit 1
    (
        flock 9
        if [ ! -d "$cache" ]; then
            find "$(dirname "$cache")" -mindepth 1 -maxdepth 1 -type d -mmin +60 -exec rm -rf {} +
            link_models
            "$bin" task run support "how do I cancel my policy?" >/dev/null 2>"$tmp/err" || exit 1
            rm -rf "$cache.new"
            cp -r "$BANTAM_HOME" "$cache.new" && mv "$cache.new" "$cache"
            rm -rf "$BANTAM_HOME"
        fi
    ) 9>"$(dirname "$cache")/lock" || { not_ok "the sample is fitted" "$(cat "$tmp/err")"; exit 1; }
    cp -r "$cache" "$BANTAM_HOME"
}

# ---- a server ----
free_port() { # below the range of outgoing connections, which may hold a port that nobody listens on
    local p
    while :; do
        p=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo $p; return; }
    done
}
# serve_start [ARGS...]: starts `bantam serve` on $port, waits for /health; $pid is its process
serve_start() {
    port=${port:-$(free_port)}
    url=${scheme:-http}://127.0.0.1:$port
    "$bin" serve --port "$port" "$@" >"$tmp/serve.out" 2>"$tmp/serve.err" </dev/null &
    pid=$!
    pids+=("$pid")
    local i
    for i in $(seq 300); do
        curl -sfk -m 2 "$url/health" >/dev/null 2>&1 && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    not_ok "the server starts" "$(cat "$tmp/serve.out" "$tmp/serve.err")"
    return 1
}
# serve_stop [SIGNAL]: sets $serve_rc
serve_stop() {
    kill "-${1:-TERM}" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    serve_rc=$?
}
# post PATH JSON -> body
post() { curl -s -m 60 -H 'content-type: application/json' -d "$2" "$url$1"; }
get() { curl -s -m 60 "$url$1"; }
