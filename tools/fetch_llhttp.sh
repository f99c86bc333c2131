#!/usr/bin/env bash
# Unpacks llhttp's C sources out of Debian's package node-llhttp: fetch_llhttp.sh DIR [DEB] [FROM_DIR]
# The package comes from DEB, else from FROM_DIR, else from apt's mirror; nothing is installed.
set -u
dir=$1 deb=${2:-} from=${3:-}
mkdir -p "$dir" || exit 1
temp=$(mktemp -d "$dir/unpack.XXXXXX") || exit 1
trap 'rm -rf "$temp"' EXIT

if [ -z "$deb" ] && [ -n "$from" ]; then
    deb=$(find "$from" -maxdepth 2 -name 'node-llhttp_*.deb' | sort | tail -n 1)
fi
if [ -z "$deb" ]; then
    echo "  GET node-llhttp (C sources of the HTTP parser, 150 kB)"
    (cd "$temp" && { apt-get -q download node-llhttp || { apt-get -q update && apt-get -q download node-llhttp; }; }) \
        >"$temp/log" 2>&1
    deb=$(find "$temp" -name 'node-llhttp_*.deb' | head -n 1)
fi
if [ ! -f "${deb:-/nonexistent}" ]; then
    [ -f "$temp/log" ] && sed 's/^/    /' "$temp/log" >&2
    cat >&2 <<TEXT
The C sources of llhttp could not be had from Debian's package "node-llhttp".
  with network:     apt-get update, then make again
  without network:  on another machine run "apt-get download node-llhttp", copy the .deb here, then
                    make LLHTTP_DEB=/path/to/node-llhttp_..._all.deb   (or make run FROM=its folder)
TEXT
    exit 1
fi
dpkg-deb -x "$deb" "$temp/x" || exit 1
[ -f "$temp/x/usr/share/include/llhttp/llhttp.h" ] && [ -f "$temp/x/usr/share/llhttp/llhttp.c" ] ||
    { echo "\"$deb\" holds no llhttp sources; a package of Debian 12 or later is needed" >&2; exit 1; }
cp -r "$temp/x/usr" "$dir/" && touch "$dir/usr/share/include/llhttp/llhttp.h"
cp -f "$deb" "$dir/" 2>/dev/null || true # for make bundle
