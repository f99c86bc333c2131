#!/usr/bin/env bash
# bantam backup and restore: of a running server under writes, elsewhere, damaged, refused, killed half-way.
. tests/e2e/lib.sh
need_program
mkdir -p "$tmp/empty" && cd "$tmp/empty" || exit 1

# ---- something to keep ----
mkdir -p "$BANTAM_HOME/tasks/notes"
echo "kept: yes" >"$BANTAM_HOME/tasks/notes/a.txt"
mkdir -p "$BANTAM_HOME/models/big" && head -c 100000 /dev/urandom >"$BANTAM_HOME/models/big/weights"
"$bin" key add first >/dev/null 2>&1
echo "correct horse" | "$bin" user add ann --role lead --password-stdin >/dev/null

# ---- of a running server, while others write ----
serve_start || done_testing
for i in $(seq 40); do "$bin" key add "busy$i" >/dev/null 2>&1; done &
writer=$!
one_object "a running store is backed up into a file" "$bin" backup "$tmp/one.tar.zst" --json
holds "with a count and a hash" "$json" '.files >= 2 and (.manifest_sha256 | length) == 64'
one_object "and into a folder" "$bin" backup "$tmp/two" --json
wait $writer
is "what holds questions is for its owner alone" "$(stat -c %a "$tmp/one.tar.zst")" 600
is "models are left out" "$(find "$tmp/two" -name weights | wc -l)" 0
is "the manifest lists each file with its hash" \
    "$(cd "$tmp/two" && jq -r '.files[] | .sha256 + "  " + .path' manifest.json | sha256sum -c --quiet 2>&1 | wc -l)" 0
is "and nothing else is there" "$(cd "$tmp/two" && find . -type f | wc -l)" "$(($(jq '.files | length' "$tmp/two/manifest.json") + 1))"
fails "a backup replaces nothing" 5 "$bin" backup "$tmp/one.tar.zst"
fails "a restore under a running server is refused" 11 "$bin" restore "$tmp/two"
serve_stop

# ---- elsewhere ----
names() { BANTAM_HOME=$1 "$bin" key list --json | jq -c '[.keys[].name] | sort'; }
for from in one.tar.zst two; do
    there=$tmp/there-$from
    mkdir -p "$there/models/own" && echo mine >"$there/models/own/weights"
    BANTAM_HOME=$there one_object "$from is restored elsewhere" "$bin" restore "$tmp/$from" --json
    has "its keys are there" "$(names "$there")" '"first"'
    holds "its users" "$(BANTAM_HOME=$there "$bin" user list --json)" '.users[0] | .name == "ann" and .role == "lead"'
    is "its files" "$(cat "$there/tasks/notes/a.txt")" "kept: yes"
    is "models there are left alone" "$(cat "$there/models/own/weights")" mine
    has "the chain of events is whole" "$(BANTAM_HOME=$there "$bin" user events --verify)" "chain is whole"
    is "what was there before is kept" "$(find "$there" -maxdepth 1 -name 'before-restore-*' | wc -l)" 1
done

# ---- damage is noticed before anything is replaced ----
before=$(names "$BANTAM_HOME")
unchanged() { is "$1: nothing was changed" "$(names "$BANTAM_HOME")" "$before"; }
copy() { rm -rf "$tmp/bad" && cp -r "$tmp/two" "$tmp/bad"; }
copy && printf x | dd of="$tmp/bad/bantam.db" bs=1 seek=5000 conv=notrunc 2>/dev/null
fails "an altered database" 7 "$bin" restore "$tmp/bad"
copy && echo more >>"$tmp/bad/tasks/notes/a.txt"
fails "an altered file" 7 "$bin" restore "$tmp/bad"
copy && rm "$tmp/bad/tasks/notes/a.txt"
fails "a missing file" 7 "$bin" restore "$tmp/bad"
copy && echo new >"$tmp/bad/tasks/new.txt"
fails "a file that is too many" 7 "$bin" restore "$tmp/bad"
copy && rm "$tmp/bad/manifest.json"
fails "no manifest" 7 "$bin" restore "$tmp/bad"
head -c $(($(stat -c %s "$tmp/one.tar.zst") / 2)) "$tmp/one.tar.zst" >"$tmp/half.tar.zst"
fails "half a file" 7 "$bin" restore "$tmp/half.tar.zst"
tar -C "$tmp/two" -cPf "$tmp/escape.tar" --transform 's,^tasks,../escaped,' tasks/notes/a.txt manifest.json
fails "names that leave the folder" 7 "$bin" restore "$tmp/escape.tar"
has "and named" "$(cat "$tmp/err")" "../escaped/notes/a.txt"
is "nothing escaped" "$(find "$tmp" -name escaped | wc -l)" 0
fails "a backup that is not there" 4 "$bin" restore "$tmp/nosuch"
unchanged "after all of these"
one_object "a check replaces nothing" "$bin" restore "$tmp/two" --check --json
unchanged "a check"
is "nothing is left lying" "$(find "$BANTAM_HOME" -maxdepth 1 -name .restore | wc -l)" 0

# ---- killed half-way: all old or all new ----
if command -v sqlite3 >/dev/null; then
    sqlite3 "$BANTAM_HOME/bantam.db" "CREATE TABLE ballast(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
        SELECT i+1 FROM n WHERE i<4000) INSERT INTO ballast SELECT randomblob(4000) FROM n"
fi
for i in $(seq 30); do echo "$i" >"$BANTAM_HOME/tasks/notes/n$i.txt"; done
"$bin" backup "$tmp/big.tar.zst" >/dev/null || not_ok "a larger backup"
"$bin" key add later >/dev/null 2>&1
old=$(names "$BANTAM_HOME") mixed=0 news=0 olds=0
new=$(jq -c '. - ["later"]' <<<"$old")
for i in $(seq 12); do
    "$bin" restore "$tmp/big.tar.zst" >/dev/null 2>&1 &
    victim=$!
    sleep "0.$(printf %03d $((i * 25)))"
    kill -9 $victim 2>/dev/null
    wait $victim 2>/dev/null
    case $(names "$BANTAM_HOME") in
    "$old") olds=$((olds + 1)) ;;
    "$new") # took: put the old back for the next round
        news=$((news + 1))
        rm -rf "$BANTAM_HOME"/before-restore-*
        "$bin" key add later >/dev/null 2>&1
        ;;
    *) mixed=$((mixed + 1)) ;;
    esac
    [ "$(ls "$BANTAM_HOME/tasks/notes" | wc -l)" = 31 ] || mixed=$((mixed + 1))
done
is "killed at 12 moments: never a mixture ($olds old, $news new)" $mixed 0
for i in 1 2 3 4; do
    "$bin" backup "$tmp/killed.tar.zst" >/dev/null 2>&1 &
    victim=$!
    sleep "0.0$((i * 2))"
    kill -9 $victim 2>/dev/null
    wait $victim 2>/dev/null
    [ ! -e "$tmp/killed.tar.zst" ] || { "$bin" restore "$tmp/killed.tar.zst" --check >/dev/null || not_ok "a killed backup is half there"; rm "$tmp/killed.tar.zst"; }
done
one_object "after killed ones, a backup works" "$bin" backup "$tmp/killed.tar.zst" --json
is "and nothing partial is left" "$(find "$tmp" -maxdepth 1 -name '*.partial*' | wc -l)" 0
done_testing
