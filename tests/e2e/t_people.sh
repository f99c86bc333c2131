#!/usr/bin/env bash
# Who may do what, through the whole program: the words that serve wants beyond loopback, keys and users
# made beside a running server, logins, other origins, the chain of events.
. tests/e2e/lib.sh
need_program
mkdir -p "$tmp/empty" && cd "$tmp/empty" || exit 1
status() { curl -s -m 20 -o "$tmp/body" -w '%{http_code}' "$@"; }
models_with() { status -H "Authorization: Bearer $1" "$url/v1/models"; }
secret_of() { jq -r .key <<<"$json"; }

# ---- where it may listen ----
port=$(free_port)
fails "beyond loopback it wants keys or users" 3 "$bin" serve --host 0.0.0.0 --port "$port" --insecure-no-tls
has "and says how" "$(cat "$tmp/err")" "bantam key add"
one_object "a key is made" "$bin" key add site --scope chat,record --expires 90d --rpm 600 --tenant acme --json
site=$(secret_of)
has "it begins as keys do" "$site" "bt-"
fails "beyond loopback it wants TLS" 3 "$bin" serve --host 0.0.0.0 --port "$port"
has "and says how" "$(cat "$tmp/err")" "--insecure-no-tls"
fails "an origin with a path is none" 2 "$bin" serve --port "$port" --cors-origin https://a.example/x
fails "nor is *" 2 "$bin" serve --port "$port" --cors-origin '*'
fails "words that contradict are refused" 2 "$bin" serve --port "$port" --require-auth --insecure-no-auth

# ---- keys beside a running server ----
serve_start --host 0.0.0.0 --insecure-no-tls --cors-origin https://app.example || done_testing
is "without a key it refuses" "$(status "$url/v1/models")" 401
is "with it, it answers" "$(models_with "$site")" 200
is "x-api-key is read, too" "$(status -H "x-api-key: $site" "$url/v1/models")" 200
is "its scopes hold" "$(status -H "api-key: $site" "$url/v1/reviews")" 403
is "what it has is answered" "$(status -H "api-key: $site" "$url/v1/requests")" 200
is "limits are told" "$(curl -si -H "api-key: $site" "$url/v1/models" | tr -d '\r' | sed -n 's/^x-ratelimit-limit-requests: //Ip')" 600
one_object "rotated" "$bin" key rotate site --overlap 1h --json
new=$(secret_of)
is "the new secret opens" "$(models_with "$new")" 200
is "the old one does for an hour" "$(models_with "$site")" 200
one_object "rotated again" "$bin" key rotate site --json
is "without an overlap the last one ends" "$(models_with "$new")" 401
site=$(secret_of)
"$bin" key add other >"$tmp/other" 2>"$tmp/err"
has "it is said that it is shown once" "$(cat "$tmp/err")" "shown once"
is "a key made now holds now" "$(models_with "$(cat "$tmp/other")")" 200
"$bin" key revoke other >/dev/null
is "revoked, it does not" "$(models_with "$(cat "$tmp/other")")" 401
one_object "keys are listed" "$bin" key list --json
holds "with their state, without their secrets" "$json" \
    '([.keys[] | select(.state == "in use") | .name] == ["site"]) and (.keys[0].used_ms > 0) and (.keys | length == 2)'
case $json in *"${site:8}"*) not_ok "no secret is listed" ;; *) ok "no secret is listed" ;; esac
if grep -aqF "${site:8:20}" "$BANTAM_HOME"/bantam.db*; then not_ok "no secret is in the database"
else ok "no secret is in the database"; fi
fails "a scope that is none" 2 "$bin" key add x --scope chat,root
fails "a name twice" 5 "$bin" key add site
fails "a key that is not there" 4 "$bin" key revoke nosuch

# ---- people ----
echo "correct horse" | "$bin" user add Ann --role reviewer --password-stdin >/dev/null
is "a user is added" $? 0
fails "a short password is refused" 2 "$bin" user add bob --password-stdin <<<short
if command -v script >/dev/null; then
    { sleep 1; echo "battery staple"; sleep 1; echo "battery staple"; sleep 1; } |
        SHELL=/bin/sh script -qec "exec '$bin' user add bob --role lead" /dev/null >"$tmp/typed" 2>&1
    has "a password is asked for" "$(cat "$tmp/typed")" "Password: "
    case $(cat "$tmp/typed") in *"bob may log in"*) ok "and taken" ;; *) not_ok "and taken" "$(cat "$tmp/typed")" ;; esac
    "$bin" user remove bob >/dev/null 2>&1
else skip "a password is asked for: no script(1) here"; fi
login() { # NAME PASSWORD -> status; cookies in $tmp/jar, body in $tmp/body
    status -c "$tmp/jar" -b "$tmp/jar" -H 'content-type: application/json' \
        -d "$(jq -nc --arg n "$1" --arg p "$2" '{name: $n, password: $p}')" "$url/v1/login"
}
is "a wrong password is refused" "$(login ann "correct horses")" 401
wrong=$(jq -r .error.message "$tmp/body")
is "an unknown name as well" "$(login carol "correct horse")" 401
is "in the same words" "$(jq -r .error.message "$tmp/body")" "$wrong"
is "the right one logs in" "$(login ann "correct horse")" 200
csrf=$(jq -r .csrf "$tmp/body")
has "the cookie is for HTTP alone" "$(cat "$tmp/jar")" "#HttpOnly_127.0.0.1"
is "the session reads" "$(status -b "$tmp/jar" "$url/v1/reviews")" 200
change() { status -b "$tmp/jar" -H 'content-type: application/json' -d "$2" "${@:3}" "$url$1"; }
is "without its token it changes nothing" "$(change /v1/reviews/nosuch/claim '{}')" 403
is "with it, it may what its role may" "$(change /v1/reviews/nosuch/claim '{}' -H "X-CSRF-Token: $csrf")" 404
is "and no more" "$(change /v1/reviews/nosuch/correct '{}' -H "X-CSRF-Token: $csrf")" 403
holds "me" "$(curl -s -b "$tmp/jar" "$url/v1/me")" '.name == "ann" and .role == "reviewer" and .auth == true'
"$bin" user role ann lead >/dev/null
is "a new role ends the session" "$(status -b "$tmp/jar" "$url/v1/reviews")" 401
is "logged in anew" "$(login ann "correct horse")" 200
csrf=$(jq -r .csrf "$tmp/body")
is "the new role holds" "$(change /v1/reviews/nosuch/correct '{"text":"x"}' -H "X-CSRF-Token: $csrf")" 404
echo "another horse" | "$bin" user password ann --password-stdin >/dev/null
is "a new password ends the session" "$(status -b "$tmp/jar" "$url/v1/reviews")" 401
is "and the old one" "$(login ann "correct horse")" 401
is "the new one logs in" "$(login ann "another horse")" 200
csrf=$(jq -r .csrf "$tmp/body")
is "logged out" "$(change /v1/logout '{}' -H "X-CSRF-Token: $csrf")" 200
is "the session is over" "$(status -b "$tmp/jar" "$url/v1/reviews")" 401

# ---- other websites ----
is "a listed origin's preflight" "$(status -X OPTIONS -H 'Origin: https://app.example' -H 'Access-Control-Request-Method: POST' "$url/v1/models")" 204
is "another's" "$(status -X OPTIONS -H 'Origin: https://evil.example' -H 'Access-Control-Request-Method: POST' "$url/v1/models")" 403

# ---- the chain of events ----
has "the events' chain is whole" "$("$bin" user events --verify)" "chain is whole"
one_object "events are listed" "$bin" user events --json --limit 100
holds "logins and changes are among them" "$json" '[.events[].what] as $w | ["key added", "key rotated", "key revoked",
    "user added", "role changed", "password changed", "login", "login failed", "logout"] - $w == []'
serve_stop
if command -v sqlite3 >/dev/null; then
    sqlite3 "$BANTAM_HOME/bantam.db" "UPDATE who_event SET by_whom='mallory' WHERE what='role changed'"
    fails "an altered event is noticed" 7 "$bin" user events --verify
else skip "an altered event is noticed: no sqlite3(1) here"; fi

# ---- loopback ----
serve_start || done_testing
is "loopback asks, too, since there is a user" "$(status "$url/v1/reviews")" 401
"$bin" user remove ann >/dev/null
is "and not any more when there is none" "$(status "$url/v1/reviews")" 200
is "any key is accepted there" "$(models_with sk-anything)" 200
serve_stop
serve_start --require-auth || done_testing
is "unless it is told to ask" "$(status "$url/v1/reviews")" 401
serve_stop
serve_start --behind-proxy || done_testing
is "behind a proxy as well" "$(status "$url/v1/reviews")" 401
serve_stop
export BANTAM_KEY=sesame-open
serve_start --require-auth || done_testing
is "BANTAM_KEY still opens all" "$(models_with sesame-open)" 200
is "and a near one nothing" "$(models_with sesame-opem)" 401
done_testing
