# Bantam. `make run` brings it up, `make test` proves it; `make help` lists the rest.
#
#   B=DIR      build folder (default build; sanitizer builds use their own)
#   CC=clang   any C11 compiler; gcc is the default
#   SAN=address,undefined | thread      sanitizer build

CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN     ?=
B       ?= build$(if $(SAN),/$(firstword $(subst $(comma), ,$(SAN))))$(if $(filter clang%,$(CC)),/clang)
comma   := ,
OPT     ?= -O2
WARN    := -Wall -Wextra -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wwrite-strings -Werror \
           $(if $(SAN),$(if $(filter gcc%,$(CC)),-Wno-format-truncation)) # gcc guesses wrongly there
# Debian packages by their pkg-config names; docs/DEPENDENCIES.md says why each
PKGS    := sqlite3 yaml-0.1 libedit libcurl libssl libcrypto libarchive libutf8proc libpcre2-8 libsodium
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

CPPFLAGS := -Iinclude -Isrc -I$(B)/gen -D_GNU_SOURCE $(if $(VERSION),-DBANTAM_VERSION='"$(VERSION)"')
CFLAGS   := -std=c11 $(OPT) -g -fPIC -fno-omit-frame-pointer $(WARN) -fvisibility=hidden -pthread \
            $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
LDLIBS   := $(PKG_LIBS) -lm -pthread
LDFLAGS  := -Wl,--as-needed $(if $(SAN),-fsanitize=$(SAN)) -pthread

SRC      := $(sort $(wildcard src/*/*.c))
APP_MAIN := src/app/main.c
LIB_OBJ  := $(patsubst src/%.c,$(B)/obj/%.o,$(filter-out $(APP_MAIN),$(SRC)))
LIB      := $(B)/libbantam-internal.a
BIN      := $(B)/bantam
TESTS    := $(patsubst tests/%.c,$(B)/tests/%,$(sort $(wildcard tests/*/t_*.c)))
# bench_json needs two libraries that nothing else does: make bench-json
BENCHES  := $(patsubst bench/%.c,$(B)/bench/%,$(filter-out bench/bench_json.c,$(sort $(wildcard bench/bench_*.c))))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(sort $(wildcard tests/fuzz/f_*.c)))

.PHONY: all help
all: $(if $(wildcard $(APP_MAIN)),$(BIN))

help:
	@sed -n 's/^## //p' Makefile

# Rooms add generated sources, flags of single files and extra objects here, one fragment a room.
-include $(sort $(wildcard src/*/room.mk))

# The instruction-set files get their own flags: the rest of the program runs on any x86-64.
# -O3 unrolls their tiles; a sanitizer's build of them so takes minutes and gigabytes.
# KERN_FLAGS: more for all kernels (a long run under a sanitizer leaves them out: tests/slow/t_mixed_load.sh)
KERN_OPT := $(if $(SAN),,-O3)
$(B)/obj/kern/%.o: CFLAGS += $(KERN_FLAGS)
$(B)/obj/kern/%_avx2.o: CFLAGS += $(KERN_OPT) -mavx2 -mfma -mf16c
$(B)/obj/kern/%_avx512.o: CFLAGS += $(KERN_OPT) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c
$(B)/obj/kern/%_amx.o: CFLAGS += $(KERN_OPT) -mamx-tile -mamx-int8 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c
ifneq (,$(findstring aarch64,$(shell $(CC) -dumpmachine)))
$(B)/obj/kern/%_neon.o: CFLAGS += $(KERN_OPT) -march=armv8.2-a+dotprod
$(B)/obj/kern/%_i8mm.o: CFLAGS += $(KERN_OPT) -march=armv8.2-a+dotprod+i8mm
endif

$(B)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC  $@"; $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) $(ROOM_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ) $(EXTRA_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BIN): $(B)/obj/app/main.o $(LIB)
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

$(B)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "  CC  $@"; $(CC) $(CPPFLAGS) -Itests $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDFLAGS) $(LIB) -lcmocka $(LDLIBS)

$(B)/bench/%: bench/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "  CC  $@"; $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDFLAGS) $(LIB) $(LDLIBS)

$(B)/fuzz/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "  CC  $@"; $(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(LDFLAGS) $(LIB) $(LDLIBS)

## make run           install what is missing, build, fetch the models, serve on localhost
##                    FROM=DIR: without network and root (see make bundle); PORT=N another port
## make bundle DIR=D  gather in D what `make run FROM=D` needs on a machine without network
.PHONY: run bundle
run:
	@FROM="$(FROM)" PORT="$(PORT)" MAKE="$(MAKE)" tools/run.sh
bundle: all
	@tools/bundle.sh "$(DIR)"

# ---- the library: include/bantam.h and what it needs of the archive, nothing else visible ----
LIB_A    := $(B)/libbantam.a
LIB_SO   := $(B)/libbantam.so
LIB_VERSION := $(or $(VERSION),$(shell sed -n 's/^\#define BANTAM_VERSION "\(.*\)"/\1/p' src/lib/lib_model.c))
LIB_ROOT := $(B)/obj/lib/lib_model.o $(B)/obj/lib/lib_session.o
# what the numeric half and its text formats need of Debian's packages
LIB_PKGS := libutf8proc libpcre2-8
PREFIX   ?= /usr/local
LIBDIR   ?= $(PREFIX)/lib

$(B)/libbantam.o: $(LIB_ROOT) $(LIB)
	@ld -r -o $@ $(LIB_ROOT) $(LIB) && objcopy --localize-hidden $@
$(LIB_A): $(B)/libbantam.o
	@rm -f $@ && ar rcs $@ $<
$(LIB_SO): $(B)/libbantam.o
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -shared -Wl,-z,defs -Wl,-soname,libbantam.so.0 -o $@ $< $(shell pkg-config --libs $(LIB_PKGS)) -lm -pthread
$(B)/bantam.pc: force
	@printf 'prefix=%s\nlibdir=%s\nincludedir=$${prefix}/include\n\nName: bantam\nDescription: small language models on ordinary CPUs\nVersion: %s\nRequires.private: %s\nLibs: -L$${libdir} -lbantam\nLibs.private: -lm -pthread\nCflags: -I$${includedir}\n' \
	    '$(PREFIX)' '$(LIBDIR)' '$(LIB_VERSION)' '$(LIB_PKGS)' >$@

## make library       libbantam.a, libbantam.so and bantam.pc in build/
## make install       program, library, header, pkg-config file under PREFIX (/usr/local); DESTDIR for packages
.PHONY: library install force
force:
library: $(LIB_A) $(LIB_SO) $(B)/bantam.pc
install: all library
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/bantam
	install -D -m 644 include/bantam.h $(DESTDIR)$(PREFIX)/include/bantam.h
	install -D -m 644 $(LIB_A) $(DESTDIR)$(LIBDIR)/libbantam.a
	install -D -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)/libbantam.so.0
	ln -sf libbantam.so.0 $(DESTDIR)$(LIBDIR)/libbantam.so
	install -D -m 644 $(B)/bantam.pc $(DESTDIR)$(LIBDIR)/pkgconfig/bantam.pc

.PHONY: build-tests test-unit test test-all test-slow fuzzers fuzz sanitize format clean
## make               build the program in build/bantam
## make test          packages, build, models (fetched once), quick tests; last line: N passed, N failed, N skipped
## make test-all      those, and clang, sanitizers, fuzzing, public data, other people's clients (half an hour)
## make test-unit     only the unit tests of what is built (JOBS=2 at a time, ONLY=pattern)
build-tests: all $(TESTS)
test-unit: build-tests
	@tools/run_tests.sh unit $(B)
test:
	@MAKE="$(MAKE)" tools/test.sh quick
test-all:
	@MAKE="$(MAKE)" tools/test.sh all
## make test-slow     only the slow scripts of test-all (ONLY=pattern chooses)
test-slow: build-tests
	@tools/run_tests.sh slow $(B)

## make sanitize      the unit tests with the address and undefined behaviour sanitizers
sanitize:
	@$(MAKE) --no-print-directory SAN=address,undefined OPT=-O1 build-tests
	@ASAN_OPTIONS=detect_leaks=1 tools/run_tests.sh unit build/address

## make fuzzers       build the fuzz targets (clang)
## make fuzz          run each for FUZZ_SECONDS (20) over its corpus
fuzzers:
	@$(MAKE) --no-print-directory CC=clang SAN=address,undefined,fuzzer-no-link B=build/fuzz-build $(patsubst tests/fuzz/%.c,build/fuzz-build/fuzz/%,$(sort $(wildcard tests/fuzz/f_*.c)))
fuzz: fuzzers
	@tools/fuzz.sh build/fuzz-build/fuzz

## make benches       build the benchmarks in build/bench/
.PHONY: benches
benches: $(BENCHES)

## make bench-serve   race llama-server over HTTP by turns: LLAMA_CPP=DIR MODELS="a.gguf b.gguf" [ROUNDS=5]
.PHONY: bench-serve
bench-serve: all $(B)/bench/bench_serve
	@for m in $(MODELS); do python3 bench/bench_serve.py $$m --rounds $(or $(ROUNDS),5) --out $(B)/bench_serve-$$(basename $$m).json || exit 1; done

## make bench-mask    masks of structured output beside llguidance and xgrammar (pip install llguidance xgrammar): MODELS="a.gguf b.gguf" [SUITE=DIR] [ROUNDS=5]
.PHONY: bench-mask
bench-mask: $(B)/bench/bench_mask
	@python3 bench/bench_mask.py $(MODELS) --rounds $(or $(ROUNDS),5) $(if $(SUITE),--suite $(SUITE))

## make bench-json    our JSON beside yyjson and jansson (libjansson-dev): YYJSON=DIR [ROUNDS=5] [FILES="a.json"]
.PHONY: bench-json
bench-json: $(LIB)
	@test -e "$(YYJSON)/src/yyjson.c" || { echo "YYJSON=DIR: a copy of github.com/ibireme/yyjson" >&2; exit 2; }
	@mkdir -p $(B)/bench
	@$(CC) -O3 -w -c -o $(B)/bench/yyjson.o $(YYJSON)/src/yyjson.c
	@$(CC) $(CPPFLAGS) -I$(YYJSON)/src $(CFLAGS) -o $(B)/bench/bench_json bench/bench_json.c bench/peer_jansson.c $(B)/bench/yyjson.o $(LDFLAGS) $(LIB) -ljansson $(LDLIBS)
	@$(B)/bench/bench_json $(or $(ROUNDS),5) $(FILES)

## make bench-peers   race llama.cpp and ik_llama.cpp by turns: LLAMA_CPP=DIR IK_LLAMA=DIR MODELS="a.gguf b.gguf"
.PHONY: bench-peers
bench-peers: all
	@bench/peers.sh $(MODELS)

## make format        lay out the sources with clang-format
format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

## make clean         remove build/
clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(B)/obj/app/main.d $(addsuffix .d,$(TESTS)) $(addsuffix .d,$(BENCHES)) $(addsuffix .d,$(FUZZERS))
