#!/usr/bin/env bash
# The page's login in headless Chromium against a server with two users and no task: see page_login_test.py.
. tests/e2e/lib.sh
need_program
for p in chromium chromedriver python3; do
    command -v $p >/dev/null || { skip "the page's login in Chromium: $p is not installed"; exit 0; }
done
mkdir -p "$tmp/empty" && cd "$tmp/empty" || exit 1
echo "correct horse" | "$bin" user add ann --role viewer --password-stdin >/dev/null
echo "correct horse" | "$bin" user add bob --role lead --password-stdin >/dev/null
serve_start || done_testing
PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/clients/page_login_test.py" "$url" ${SHOTS:+--shots "$SHOTS"} || bad=1
done_testing
