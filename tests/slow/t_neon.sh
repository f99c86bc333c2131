#!/usr/bin/env bash
# The kernels built for Arm by a cross compiler, and their unit tests under qemu: the same bits as the
# portable reference. The products also on processors that lack i8mm, and dot products too, which must
# refuse what they cannot run. cmocka is replaced by arm/cmocka.h.
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
for source in src/kern/*.c src/base/{err,mem,rand,str,arena,buf,clock,log}.c src/tensor/{tensor,dequantise,dequantise_k,quantise,quantise_k,quantise_fit}.c; do
    object=$dir/$(basename "$source" .c).o
    arch=
    [[ $source == *neon.c ]] && arch="-O3 -march=armv8.2-a+dotprod"
    [[ $source == *i8mm.c ]] && arch="-O3 -march=armv8.2-a+dotprod+i8mm"
    # shellcheck disable=SC2086
    $cc $flags $arch -c "$source" -o "$object" || { echo "not ok - neon: $source"; exit 0; }
    objects+=("$object")
done
emulator=$(qemu-aarch64 --version | head -n 1)
for test in t_kern t_kern_product t_kern_attend t_kern_rows; do
    # shellcheck disable=SC2086
    if $cc $flags -Wno-unused-function tests/kern/$test.c "${objects[@]}" -static -o "$dir/$test" -lm -pthread &&
        qemu-aarch64 -cpu max "$dir/$test" >"$dir/log" 2>&1; then
        echo "ok - neon: $test ($(grep -c '^ok' "$dir/log") parts) under $emulator"
    else
        echo "not ok - neon: $test"
        grep -B2 FAILED "$dir/log" | head -n 20
    fi
    cp "$dir/log" "$dir/$test.max"
done

# processor, what must run there (the last is what is chosen unasked), what must be refused
while read -r cpu runs lacks; do
    log=$dir/$cpu bad=
    if [ "$cpu" = max ]; then cp "$dir/t_kern_product.max" "$log"; else
        qemu-aarch64 -cpu "$cpu" "$dir/t_kern_product" >"$log" 2>&1 || bad="a test failed"
    fi
    for name in ${runs//,/ }; do
        grep -A1 "^$name:" "$log" | grep -q '^ok' || bad="$bad; $name did not run"
    done
    grep -q "^fastest here: ${runs##*,}$" "$log" || bad="$bad; ${runs##*,} was not chosen"
    for name in ${lacks//,/ }; do
        grep -q "cannot run the \"$name\" kernels" "$log" || bad="$bad; $name was not refused"
    done
    if [ -z "$bad" ]; then echo "ok - neon: products on $cpu: $runs${lacks:+, not $lacks}"; else echo "not ok - neon: $cpu: $bad"; fi
done <<'END'
max ref,neon,i8mm
neoverse-n1 ref,neon i8mm
cortex-a72 ref neon,i8mm
END
exit 0
