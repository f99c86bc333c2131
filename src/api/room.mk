# The page's files and the API's description become constants of the program. od is in every coreutils; xxd is not.
API_PAGE := console/index.html console/app.css console/app.js src/api/openapi.json

$(B)/gen/api_files.h: $(API_PAGE) tools/embed_files.sh
	@mkdir -p $(@D)
	@echo "  GEN $@"; tools/embed_files.sh api_file $(API_PAGE) >$@.part && mv $@.part $@

$(B)/obj/api/api_page.o: $(B)/gen/api_files.h
