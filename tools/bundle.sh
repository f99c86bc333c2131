#!/usr/bin/env bash
# make bundle DIR=FOLDER: gathers what `make run FROM=FOLDER` needs on a machine with no network and no
# root: the models as they lie here, and Debian's packages with the libraries and llhttp's sources.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=${1:-}
[ -n "$dir" ] || { echo "usage: make bundle DIR=FOLDER" >&2; exit 2; }
mkdir -p "$dir/debs" "$dir/models" && dir=$(readlink -f "$dir") || exit 1
home=${BANTAM_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/bantam}
for model in minilm smollm2; do
    build/bantam pull "$model" || exit 1
    cp -r "$home/models/$model" "$dir/models/" || exit 1
done
packages="node-llhttp libsqlite3-dev libyaml-dev libedit-dev libcurl4-openssl-dev libssl-dev libarchive-dev libutf8proc-dev libpcre2-dev libsodium-dev
          libsqlite3-0 libyaml-0-2 libedit2 libcurl4 libssl3 libarchive13 libutf8proc2 libpcre2-8-0 libpcre2-16-0 libpcre2-32-0 libpcre2-posix3 libsodium23"
for p in $packages; do
    (cd "$dir/debs" && apt-get -q download "$p" >/dev/null 2>&1) || echo "  not had: $p" >&2
done
cp -n build/llhttp/*.deb "$dir/debs/" 2>/dev/null
chmod -R a+rX "$dir"
echo "$dir: $(du -sh "$dir" | cut -f1). Copy it, then there: make run FROM=that folder"
