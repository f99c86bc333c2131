#!/usr/bin/env bash
# The kernels built for Arm by a cross compiler, and their unit tests under qemu: the same bits as the
# portable reference. cmocka is replaced by arm/cmocka.h.
set -u
cd "$(dirname "$0")/../.." || exit 1
cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
    command -v $tool >/dev/null || {
        echo "skip - neon: $tool is not installed (Debian: gcc-aarch64-linux-gnu, qemu-user)"
        exit 0
    }
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
flags="-std=c11 -O2 -Isrc -Itests -Itests/slow/arm -D_GNU_SOURCE -Wall -Wextra -Wconversion -Werror"
objects=()
for source in src/kern/*.c src/base/{err,mem,rand,str,arena,buf,clock}.c src/tensor/{tensor,dequantise,dequantise_k,quantise,quantise_k,quantise_fit}.c; do
    object=$dir/$(basename "$source" .c).o
    arch=
    [[ $source == *neon.c ]] && arch="-O3 -march=armv8.2-a+dotprod"
    # shellcheck disable=SC2086
    $cc $flags $arch -c "$source" -o "$object" || { echo "not ok - neon: $source"; exit 0; }
    objects+=("$object")
done
for test in t_kern t_kern_product t_kern_attend t_kern_rows; do
    # shellcheck disable=SC2086
    if $cc $flags -Wno-unused-function tests/kern/$test.c "${objects[@]}" -static -o "$dir/$test" -lm -pthread &&
        qemu-aarch64 "$dir/$test" >"$dir/log" 2>&1; then
        echo "ok - neon: $test ($(grep -c '^ok' "$dir/log") parts) under $(qemu-aarch64 --version | head -n 1)"
    else
        echo "not ok - neon: $test"
        grep -B2 FAILED "$dir/log" | head -n 20
    fi
done
exit 0
