# The searches of quantise_*.c are loops over lanes that -O3 turns into vectors.
$(B)/obj/tensor/quantise.o $(B)/obj/tensor/quantise_fit.o $(B)/obj/tensor/quantise_k.o: CFLAGS += -O3
