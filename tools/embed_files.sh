#!/bin/sh
# embed_files.sh PREFIX FILE...: each file as a C array, on stdout. console/app.js becomes
# PREFIX_app_js and PREFIX_app_js_bytes.
set -eu
prefix=$1
shift
for file in "$@"; do
    name="${prefix}_$(basename "$file" | tr -c 'A-Za-z0-9\n' '_')"
    echo "static const unsigned char ${name}[] = {"
    od -An -v -tu1 "$file" | sed 's/^ *//; s/  */,/g; s/$/,/'
    echo "0};"
    echo "static const size_t ${name}_bytes = sizeof ${name} - 1;"
done
