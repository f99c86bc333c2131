# Passes over the whole vocabulary are plain loops that want vector instructions; nobody looks at the
# floating-point flags that -ftrapping-math keeps, and results are the same without.
$(B)/obj/engine/engine_select.o: CFLAGS += -O3 -fno-trapping-math
