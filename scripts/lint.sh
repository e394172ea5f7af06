#!/usr/bin/env bash
# Everything that can be said about the source without running it. The linter is pinned in
# tools/go.mod, so that its modules stay out of the program's own; go tool keeps the built
# linter in its cache.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== gofmt"
unformatted=$(gofmt -l bench cmd deploy internal tools)
[ -z "$unformatted" ] || { printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted"; exit 1; }

echo "== go vet"
go vet ./...

echo "== golangci-lint"
go tool -modfile=tools/go.mod golangci-lint run ./... </dev/null

echo "== modernc.org/libc"
# The engine is translated C; it works with exactly the libc that it names.
want=$(awk '$1 == "modernc.org/libc" { print $2 }' "$(go list -m -f '{{.GoMod}}' modernc.org/sqlite)")
have=$(go list -m -f '{{.Version}}' modernc.org/libc)
[ "$want" = "$have" ] || { echo "go.mod has modernc.org/libc $have, modernc.org/sqlite names $want"; exit 1; }

echo "== Helm chart"
scripts/lint-chart.sh

echo "== scripts"
for script in scripts/*.sh .ci/run; do
  bash -n "$script"
  [ -x "$script" ] || { echo "$script has no run bit"; exit 1; }
done
echo "lint: nothing found"
