#!/usr/bin/env bash
# make test and make test-all: test.sh quick|all. From a clone to the total in the last line.
#   packages    tools/install_deps.sh --test: as root (or in CI, by sudo) they are installed and named
#               first; else they are unpacked under build/deps, and nothing on the machine changes
#   program     built, with all tests
#   models      the two small ones, fetched once into build/home unless the user has them
set -u
cd "$(dirname "$0")/.." || exit 1
kind=${1:-quick} make=${MAKE:-make}
tools/install_deps.sh --test || exit 1
[ -f build/deps/env ] && . build/deps/env
build() { "$make" --no-print-directory -j"${JOBS:-$(nproc)}" "$@"; }
build build-tests || { echo "The build failed; the first error stands above."; exit 1; }
if [ -z "${BANTAM_TEST_MODELS:-}" ]; then
    export BANTAM_TEST_MODELS=$PWD/build/models
    tools/test_models.sh build/bantam "$BANTAM_TEST_MODELS" || exit 1
fi
if [ "$kind" = all ]; then
    export BANTAM_TEST_NETWORK=${BANTAM_TEST_NETWORK:-1}
    # one Python for all that compare with Python programs; clients bring their own (tests/clients/lib.sh)
    . tools/venv.sh
    python=$(venv_python "torch transformers tokenizers jinja2 gguf safetensors" \
        "import torch, transformers, tokenizers, jinja2, gguf, safetensors") || python=
    [ -z "$python" ] || export BANTAM_TEST_PYTHON=$python
fi
exec tools/run_tests.sh "$kind" build
