# The scan over all examples is a plain loop that wants vector instructions.
$(B)/obj/fit/fit_near.o: CFLAGS += -O3
