# llhttp's generated C lies in Debian's node-llhttp; it is fetched and unpacked (never installed), so no
# root is needed. FROM=DIR: a folder that holds node-llhttp_*_all.deb; LLHTTP_DEB=FILE: the very file.
LLHTTP_DIR := build/llhttp
LLHTTP_SRC := $(LLHTTP_DIR)/usr/share/llhttp
LLHTTP_INC := $(LLHTTP_DIR)/usr/share/include/llhttp
LLHTTP_OBJ := $(addprefix $(B)/obj/llhttp/,llhttp.o api.o http.o)
EXTRA_OBJ  += $(LLHTTP_OBJ)
PKG_CFLAGS += -isystem $(LLHTTP_INC)

$(LLHTTP_INC)/llhttp.h:
	@tools/fetch_llhttp.sh $(LLHTTP_DIR) "$(LLHTTP_DEB)" "$(FROM)"
$(LLHTTP_SRC)/llhttp.c $(LLHTTP_SRC)/api.c $(LLHTTP_SRC)/http.c: $(LLHTTP_INC)/llhttp.h ;

# Third-party code: its warnings are not ours, so none are asked for; strict mode refuses what it can.
$(LLHTTP_OBJ): $(B)/obj/llhttp/%.o: $(LLHTTP_INC)/llhttp.h
	@mkdir -p $(@D)
	@echo "  CC  $@"; $(CC) -std=c11 $(OPT) -g -w -fvisibility=hidden -DLLHTTP_STRICT_MODE=1 \
	  $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) -I$(LLHTTP_INC) -c -o $@ $(LLHTTP_SRC)/$*.c
$(filter $(B)/obj/net/%,$(LIB_OBJ)): | $(LLHTTP_INC)/llhttp.h
