#!/usr/bin/env bash
# Makes sure that what the build needs is there: install_deps.sh [--test] [FROM_DIR]
# --test adds what the tests need (cmocka, jq, curl); then sudo is used only where CI=true.
#
#   all there            nothing is done, nothing is asked
#   root, or sudo        the missing Debian packages are installed, named first
#   neither              their .deb files (from FROM_DIR, else by apt-get download) are unpacked into
#                        build/deps, from where tools/run.sh and `make` with build/deps/env use them
# Prints on stderr; ends with 0 when a build can begin.
set -u
cd "$(dirname "$0")/.." || exit 1
for_tests=
[ "${1:-}" = --test ] && for_tests=1 && shift
from=${1:-}
deps=build/deps

say() { echo "$*" >&2; }

# pkg-config module (or command) -> Debian package that brings it
needs="sqlite3:libsqlite3-dev yaml-0.1:libyaml-dev libedit:libedit-dev libcurl:libcurl4-openssl-dev libssl:libssl-dev libcrypto:libssl-dev
       libarchive:libarchive-dev libutf8proc:libutf8proc-dev libpcre2-8:libpcre2-dev
       libsodium:libsodium-dev"
commands="gcc:gcc make:make pkg-config:pkg-config"
test_needs="cmocka:libcmocka-dev"
test_commands="jq:jq curl:curl"

# What pkg-config finds is there, wherever it came from.
has_module() { pkg-config --exists "$1" 2>/dev/null; }

missing_tools() {
    for row in $commands; do command -v "${row%%:*}" >/dev/null || echo "${row##*:}"; done
    ls /usr/include/stdio.h >/dev/null 2>&1 || echo libc6-dev
}
missing_libraries() { # and all else that may also be unpacked
    for row in $needs ${for_tests:+$test_needs}; do has_module "${row%%:*}" || echo "${row##*:}"; done
    for row in ${for_tests:+$test_commands}; do command -v "${row%%:*}" >/dev/null || echo "${row##*:}"; done
}

install_with() { # command prefix (sudo or nothing), packages...
    local prefix=$1
    shift
    say "  Installing Debian packages: $*"
    if ! $prefix apt-get install -y -q --no-install-recommends "$@" >build/deps.log 2>&1; then
        $prefix apt-get update -q >>build/deps.log 2>&1
        $prefix apt-get install -y -q --no-install-recommends "$@" >>build/deps.log 2>&1
    fi
}

may_sudo() {
    command -v sudo >/dev/null || return 1
    [ -z "$for_tests" ] || [ "${CI:-}" = true ] || return 1
    sudo -n true 2>/dev/null && return 0
    [ -t 0 ] && [ -t 2 ] && say "  sudo may ask for your password to install: $*" && sudo -v
}

# Packages that these need and that are not installed, so that they also run when unpacked.
closure() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances "$@" 2>/dev/null | grep -E '^[a-z0-9][a-z0-9.+-]*$' | sort -u |
        while read -r p; do
            dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || echo "$p"
        done
}

unpack_debs() { # packages...
    mkdir -p "$deps/debs"
    if [ -n "$from" ]; then
        find "$from" -maxdepth 2 -name '*.deb' ! -name 'node-llhttp_*' -exec cp -n {} "$deps/debs/" \;
    fi
    for p in $(closure "$@") "$@"; do
        ls "$deps/debs/${p}"_*.deb >/dev/null 2>&1 || (cd "$deps/debs" && apt-get -q download "$p") \
            >>build/deps.log 2>&1
    done
    for deb in "$deps"/debs/*.deb; do [ -f "$deb" ] && dpkg-deb -x "$deb" "$deps/root"; done
    # a -dev package's libX.so points at a file that may lie in the system instead
    find "$deps/root" -name '*.so' -xtype l | while read -r link; do
        target=$(basename "$(readlink "$link")")
        for dir in /usr/lib/*-linux-gnu /lib/*-linux-gnu /usr/lib; do
            [ -e "$dir/$target" ] && ln -sf "$dir/$target" "$link" && break
        done
    done
}

write_env() {
    local root lib
    root=$(readlink -f "$deps/root")
    lib=$(cd "$root/usr/lib" 2>/dev/null && ls -d ./*-linux-gnu 2>/dev/null | head -n 1)
    lib=$root/usr/lib/${lib#./}
    cat >"$deps/env" <<ENV
export CPATH="$root/usr/include:$root/usr/include/$(basename "$lib")\${CPATH:+:\$CPATH}"
export LIBRARY_PATH="$lib\${LIBRARY_PATH:+:\$LIBRARY_PATH}"
export LD_LIBRARY_PATH="$lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export LD_RUN_PATH="$lib"
export PATH="$root/usr/bin:\$PATH"
export PKG_CONFIG_PATH="$lib/pkgconfig:$root/usr/share/pkgconfig\${PKG_CONFIG_PATH:+:\$PKG_CONFIG_PATH}"
ENV
}

mkdir -p build || exit 1
[ -f "$deps/env" ] && . "$deps/env"
tools=$(missing_tools) libraries=$(missing_libraries)
[ -z "$tools$libraries" ] && exit 0

# shellcheck disable=SC2086  # lists of words
if [ "$(id -u)" = 0 ]; then
    install_with "" $tools $libraries
elif may_sudo $tools $libraries; then
    install_with sudo $tools $libraries
elif [ -z "$tools" ]; then
    say "  Not root: unpacking into $deps instead of installing:" $libraries
    unpack_debs $libraries
    write_env
    . "$deps/env"
fi

tools=$(missing_tools) libraries=$(missing_libraries)
[ -z "$tools$libraries" ] && exit 0
say "These Debian packages are missing and could not be had:" $tools $libraries
[ -s build/deps.log ] && say "  (what apt said: build/deps.log)"
say "  as root:            apt-get install" $tools $libraries
say "  without network:    put their .deb files into a folder, then make run FROM=that folder"
[ -n "$tools" ] && say "  without root:       a compiler cannot be unpacked; ask whoever runs this machine for:" $tools
exit 1
