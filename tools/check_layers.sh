#!/usr/bin/env bash
# Checks the house against src/LAYERS: an include goes only to base, to the own room or to a room named
# in that table's right-hand column; system libraries stay in the rooms that own them; file names are
# unique; every room has a README.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
complain() { echo "not ok - $1"; bad=1; }

while IFS=: read -r file _ line; do
    room=${file#src/} room=${room%%/*}
    target=${line#*\"} target=${target%%/*}
    [ "$target" = base ] || [ "$target" = "$room" ] && continue
    allowed=$(awk -v r="$room" '$2 == r && $1 !~ /^#/ {$1 = $2 = ""; print}' src/LAYERS)
    case " $allowed " in
    *" * "* | *" $target "*) ;;
    *) complain "$file includes $target/, which src/LAYERS does not allow for $room" ;;
    esac
done < <(grep -nE '^#include "[a-z]+/' src/*/*.c src/*/*.h)

# library or call -> the only room that may have it
only() { # pattern, room, what
    local hits
    hits=$(grep -lE "$1" src/*/*.c src/*/*.h | grep -vE "^src/$2(/|\.)" || true)
    [ -z "$hits" ] || complain "$3 belongs in $2/ alone: $hits"
}
only '#include <(sqlite3|libpq-fe)\.h>' store 'SQL'
only '#include <(sys/socket|sys/epoll|curl/curl|netinet/.*|llhttp)\.h>' net 'sockets'
only '#include <(immintrin|arm_neon)\.h>' '(kern|base/team)' 'intrinsics'
only '(^|[^a-z_])(malloc|calloc|realloc|free)\(' base 'malloc'
only '(^|[^a-z_])pthread_[a-z_]+\(' base 'pthread'
only '(^|[^a-z_])(getenv|exit)\(' app 'getenv and exit'

dup=$(find src tests -name '*.[ch]' -printf '%f\n' | sort | uniq -d)
[ -z "$dup" ] || complain "file names that are not unique: $dup"
for dir in src/*/; do
    ls "$dir"*.c >/dev/null 2>&1 || continue # agreed headers alone are not a room yet
    [ -e "$dir/README.md" ] || complain "$dir has no README.md"
    grep -qE "^[0-9]+ $(basename "$dir")( |\$)" src/LAYERS || complain "$dir is not in src/LAYERS"
done
[ $bad -eq 0 ] && echo "ok - includes follow src/LAYERS"
exit $bad
