#!/usr/bin/env bash
# OpenAI's, Anthropic's and Ollama's JavaScript clients and the Vercel AI SDK, unchanged, against
# SmolLM2 and MiniLM on loopback: see node_test.mjs. They want Node 22; where the system's is older
# it comes from npm's package node.
cd "$(dirname "$0")/../.." || exit 1
. tests/clients/lib.sh
modules=$clients/node
what="JavaScript clients"
command -v npm >/dev/null || skip "$what: there is no npm (Debian: npm)"

node_major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }
get() { # packages that are not there yet
    npm install --prefix "$modules" --no-audit --no-fund --silent "$@" >"$home/npm.log" 2>&1 ||
        skip "$what: npm cannot install $*: $(tail -n 1 "$home/npm.log")"
}
mkdir -p "$modules"
[ -f "$modules/package.json" ] || echo '{"private": true}' >"$modules/package.json"
if [ "$(node_major)" -lt 22 ]; then
    [ -x "$modules/node_modules/node/bin/node" ] || get node@22
    PATH=$modules/node_modules/node/bin:$PATH # npm chooses versions by the Node that runs it
    [ "$(node_major)" -ge 22 ] || skip "$what: npm's node@22 does not run here"
fi
# one by one: a package that is missing is installed with those that are there
for p in openai @anthropic-ai/sdk ollama ai @ai-sdk/openai-compatible zod; do
    [ -d "$modules/node_modules/$p" ] || missing="${missing:-} $p"
done
# shellcheck disable=SC2086  # a list of names
[ -z "${missing:-}" ] || get $missing
start_server "$what"
cp tests/clients/node_test.mjs "$modules/" # modules are looked for beside the file
run node "$modules/node_test.mjs" "$url"
