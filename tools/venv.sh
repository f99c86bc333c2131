# venv.sh - read by tests that compare with Python programs: venv_python PACKAGES IMPORTS prints a Python
# that can do IMPORTS, made in build/venv once if need be; fails with the reason where pip cannot.
venv_python() {
    local packages=$1 imports=$2 python=${BANTAM_TEST_PYTHON:-$PWD/build/venv/bin/python}
    "$python" -c "$imports" >/dev/null 2>&1 && { echo "$python"; return 0; }
    [ -z "${BANTAM_TEST_PYTHON:-}" ] || { echo "BANTAM_TEST_PYTHON lacks them"; return 1; }
    mkdir -p build
    [ -x build/venv/bin/python ] || python3 -m venv build/venv >build/venv.log 2>&1 ||
        { echo "python3 -m venv fails (Debian: python3-venv)"; return 1; }
    # shellcheck disable=SC2086  # a list of names
    build/venv/bin/python -m pip install -q $packages >>build/venv.log 2>&1 ||
        { echo "pip cannot install them: $(tail -n 1 build/venv.log)"; return 1; }
    "$python" -c "$imports" >/dev/null 2>>build/venv.log || { echo "they cannot be imported"; return 1; }
    echo "$python"
}
