#!/usr/bin/env bash
# nginx in front of two replicas, as deploy/nginx.conf sets it up with other ports: affinity, one
# replica killed, readiness while draining; and the unit and the manifests are read by their tools.
. tests/e2e/lib.sh

if command -v systemd-analyze >/dev/null; then
    sed 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' deploy/bantam.service >"$tmp/bantam.service"
    said=$(systemd-analyze verify "$tmp/bantam.service" 2>&1 | grep -F bantam.service)
    is "systemd finds nothing wrong in the unit" "$said" ""
    exposure=$(systemd-analyze security --offline=yes "$tmp/bantam.service" 2>/dev/null | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
    at_most "its exposure as systemd counts it" "${exposure:-10}" 1.5
else skip "systemd-analyze is not installed"; fi

python=${BANTAM_TEST_PYTHON:-python3}
if $python -c 'import yaml' 2>/dev/null; then
    is "the manifests are YAML with the kinds they should have" "$($python - deploy/kubernetes/*.yaml <<'P'
import sys, yaml
print(" ".join(sorted(d["kind"] for p in sys.argv[1:] for d in yaml.safe_load_all(open(p)))))
P
)" "Deployment PodDisruptionBudget Service"
else skip "Python's yaml is not there: the manifests were not read"; fi

command -v nginx >/dev/null || { skip "nginx is not installed"; done_testing; }

free_port() { $python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
edge=$(free_port) one=$(free_port) two=$(free_port)

replica() { # number, port
    mkdir -p "$tmp/home$1" "$tmp/tasks"
    (cd "$tmp/tasks" && BANTAM_HOME=$tmp/home$1 exec "$bin" serve --port "$2" --drain-notice 3 \
        --allow-host "127.0.0.1:$edge") >"$tmp/log$1" 2>&1 </dev/null &
    pids+=($!)
    replica_pid=$!
}
until_says() { # url, status: waits up to 30 s
    local i
    for i in $(seq 300); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' "$1")" = "$2" ] && return 0
        sleep 0.1
    done
    return 1
}
# how many model lists the replica at this port has answered
answered() {
    curl -s "http://127.0.0.1:$1/metrics" |
        awk '/^bantam_requests_total.*route="\/v1\/models",code="200"/ { n = $NF } END { print n + 0 }'
}
ask() { # affinity -> status
    curl -s -o /dev/null -w '%{http_code}' -H "X-Bantam-Affinity: $1" "http://127.0.0.1:$edge/v1/models"
}

replica 1 "$one"; first=$replica_pid
replica 2 "$two"; second=$replica_pid
until_says "http://127.0.0.1:$one/ready" 200 && until_says "http://127.0.0.1:$two/ready" 200 &&
    ok "two replicas are ready" || not_ok "two replicas are ready" "$(cat "$tmp"/log*)"

sed "s/8100/$edge/; s/8101/$one/; s/8102/$two/; s,/tmp/bantam-nginx.pid,$tmp/nginx.pid," deploy/nginx.conf >"$tmp/nginx.conf"
nginx -e stderr -c "$tmp/nginx.conf" -g 'daemon off;' >"$tmp/nginx.log" 2>&1 &
edge_pid=$!
pids+=($edge_pid)
until_says "http://127.0.0.1:$edge/v1/models" 200 && ok "the edge answers" || not_ok "the edge answers" "$(cat "$tmp/nginx.log")"

before1=$(answered "$one") before2=$(answered "$two")
for _ in $(seq 20); do ask talk-1 >/dev/null; done
sleep 0.2
got1=$(($(answered "$one") - before1)) got2=$(($(answered "$two") - before2))
case "$got1 $got2" in
"20 0" | "0 20") ok "one conversation stays at one replica ($got1, $got2)" ;;
*) not_ok "one conversation stays at one replica" "$got1 and $got2" ;;
esac

before1=$(answered "$one") before2=$(answered "$two")
for i in $(seq 100); do ask "talk-$i" >/dev/null; done
sleep 0.2
at_least "a hundred conversations are spread: the first replica's" $(($(answered "$one") - before1)) 20
at_least "and the second's" $(($(answered "$two") - before2)) 20

disown "$first" # the shell need not say that it was killed
kill -9 "$first"
failed=0
for i in $(seq 100); do [ "$(ask "talk-$i")" = 200 ] || failed=$((failed + 1)); done
is "with one replica killed every request is answered" "$failed" 0
is "the edge does not hand out numbers" "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$edge/metrics")" 404

kill -TERM "$second"
until_says "http://127.0.0.1:$two/ready" 503 && ok "a replica that drains says so" || not_ok "a replica that drains says so"
is "and still answers" "$(ask talk-1)" 200
wait "$second"
is "then it ends cleanly" $? 0
kill -QUIT "$edge_pid" 2>/dev/null
done_testing
