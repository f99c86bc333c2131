# lib.sh - read by the client tests: a server of our own with the small models, and where other
# people's packages come from. Each test has its own home and leaves neither files nor servers behind.
#   BANTAM_BIN            the program (build/bantam)
#   BANTAM_TEST_MODELS    a folder with the models' wheels or files
#   BANTAM_TEST_CLIENTS   where other people's packages are installed once (build/clients)
set -u
bin=${BANTAM_BIN:-$PWD/build/bantam}
clients=${BANTAM_TEST_CLIENTS:-$PWD/build/clients}
home=$(mktemp -d) || exit 1
server=
stop() {
    [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$home"
}
trap stop EXIT

skip() { echo "skip - $1"; exit 0; }
[ -x "$bin" ] || { echo "not ok - the program is not built: $bin"; exit 1; }

# python_with NAME IMPORT PACKAGES...: sets $python, one that can do IMPORT; installed once
python_with() {
    local name=$1 import=$2
    shift 2
    python=$clients/$name/bin/python
    "$python" -c "$import" >/dev/null 2>&1 && return
    mkdir -p "$clients"
    [ -x "$python" ] || python3 -m venv "$clients/$name" >"$home/venv.log" 2>&1 ||
        skip "$name: python3 -m venv fails (Debian: python3-venv)"
    nice "$python" -m pip install -q "$@" >"$home/pip.log" 2>&1 || skip "$name: pip cannot install $*: $(tail -n 1 "$home/pip.log")"
    "$python" -c "$import" 2>"$home/pip.log" || { echo "not ok - $name: $(tail -n 1 "$home/pip.log")"; exit 1; }
}

# start_server WHAT [ARGS...]: $url; the models that cannot be had skip the test
start_server() {
    local what=$1 port i
    shift
    export BANTAM_HOME=$home/bantam
    [ -d "${BANTAM_TEST_MODELS:-}" ] && export BANTAM_FROM=$BANTAM_TEST_MODELS
    for i in minilm smollm2; do
        "$bin" pull "$i" --accept-license >"$home/pull.log" 2>&1 ||
            skip "$what: $i cannot be had: $(tail -n 1 "$home/pull.log")"
    done
    mkdir "$home/tasks"
    for i in $(seq 20); do # another may take the port between our look and the server's
        port=$((20000 + RANDOM % 12000))
        (cd "$home" && exec "$bin" serve --port "$port" "$@") >"$home/serve.log" 2>&1 &
        server=$!
        url=http://127.0.0.1:$port
        while kill -0 "$server" 2>/dev/null; do
            curl -sf -m 2 "$url/health" >/dev/null 2>&1 && return
            sleep 0.1
        done
        server=
    done
    echo "not ok - the server starts: $(tail -n 3 "$home/serve.log")"
    exit 1
}

# run COMMAND...: the client; its exit status is the test's
run() {
    local rc
    PYTHONDONTWRITEBYTECODE=1 no_proxy=127.0.0.1,localhost "$@"
    rc=$?
    [ $rc -eq 0 ] || tail -n 20 "$home/serve.log"
    exit $rc
}
