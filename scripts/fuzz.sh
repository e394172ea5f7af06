#!/usr/bin/env bash
# fuzz.sh TIME: runs every fuzz target of the repository for TIME, one after the other. A crash
# leaves its input in the package's testdata/fuzz; commit it together with the mend.
set -euo pipefail
cd "$(dirname "$0")/.."

count=0
while IFS=: read -r file target; do
  count=$((count + 1))
  echo "== $target ($(dirname "$file"))"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "./$(dirname "$file")" </dev/null
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd internal | sed 's/:func /:/' | sort)
[ "$count" -gt 0 ] || { echo "there is no fuzz target"; exit 1; }
echo "$count fuzz targets, $1 each: no crash"
