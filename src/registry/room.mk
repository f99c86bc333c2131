# The catalog travels inside the binary: each line of models.catalog becomes a C string.
$(B)/gen/registry_catalog.inc: models.catalog
	@mkdir -p $(@D)
	@sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $< >$@
$(B)/obj/registry/catalog.o: $(B)/gen/registry_catalog.inc
