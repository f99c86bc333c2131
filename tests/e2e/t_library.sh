#!/usr/bin/env bash
# The library as a stranger gets it: installed under a prefix, found by pkg-config, examples/ compiled
# against it as C11 and as C++ where there is a compiler, statically and shared, and run.
. tests/e2e/lib.sh

prefix=$tmp/prefix
if ! ${MAKE:-make} --no-print-directory install PREFIX="$prefix" >"$tmp/install.log" 2>&1; then
    not_ok "make install" "$(tail -n 5 "$tmp/install.log")"
    done_testing
fi
ok "make install"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export LD_LIBRARY_PATH=$prefix/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
is "only bantam_ symbols in the shared library" \
    "$(nm -D --defined-only "$prefix/lib/libbantam.so" | grep -v ' bantam_')" ""
is "only bantam_ symbols in the static library" \
    "$(nm -g --defined-only "$prefix/lib/libbantam.a" 2>/dev/null | grep ' [A-Z] ' | grep -v ' bantam_')" ""
is "each function of the header is there" \
    "$(grep -o 'bantam_[a-z_]*(' include/bantam.h | tr -d '(' | sort -u | grep -vxF bantam_put |
        while read -r f; do nm -D "$prefix/lib/libbantam.so" | grep -q " T $f\$" || echo "$f"; done)" ""
# shellcheck disable=SC2046  # flags are words
for example in generate chat similar; do
    gcc -std=c11 -Wall -Wextra -Wpedantic -Werror "examples/$example.c" $(pkg-config --cflags --libs bantam) \
        -o "$tmp/$example" 2>"$tmp/err" && ok "$example compiles" || not_ok "$example compiles" "$(cat "$tmp/err")"
done
# shellcheck disable=SC2046
gcc examples/generate.c $(pkg-config --cflags bantam) "$prefix/lib/libbantam.a" \
    $(pkg-config --static --libs-only-l bantam | sed 's/-lbantam//') -o "$tmp/static" 2>"$tmp/err" &&
    ok "generate links statically" || not_ok "generate links statically" "$(cat "$tmp/err")"
if command -v g++ >/dev/null; then
    echo '#include <bantam.h>' >"$tmp/header.cc"
    g++ -Wall -Wextra -Werror -c "$tmp/header.cc" $(pkg-config --cflags bantam) -o "$tmp/header.o" 2>"$tmp/err" &&
        ok "the header is C++ too" || not_ok "the header is C++ too" "$(cat "$tmp/err")"
fi
fails "a missing model is an error" 1 "$tmp/generate" "$tmp/nosuch.gguf" hello
model=$(ls "$models"/smollm2/*.gguf 2>/dev/null)
if [ -z "$model" ]; then
    skip "smollm2 is not here: the examples are not run"
else
    text=$("$tmp/generate" "$model" "The capital of France is" 2>&1)
    has "generate goes on" "$text" "Paris"
    has "and counts" "$text" "24 tokens"
    is "statically the same" "$("$tmp/static" "$model" "The capital of France is" 2>&1 | head -n -1)" "$(head -n -1 <<<"$text")"
    has "chat shows the prompt" "$("$tmp/chat" "$model" 'Say "hi"' 2>&1)" 'Say "hi"<|im_end|>'
fi
if [ -e "$models/minilm/config.json" ]; then
    has "similar compares" "$("$tmp/similar" "$models/minilm" "a cat" "a kitten" 2>&1)" "a kitten"
else
    skip "minilm is not here: similar is not run"
fi
done_testing
