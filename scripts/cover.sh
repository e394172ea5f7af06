#!/usr/bin/env bash
# cover.sh PACKAGE PERCENT: fails unless the package's own tests cover PERCENT of its statements.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=$(mktemp)
trap 'rm -f "$profile"' EXIT
go test -timeout 5m -coverprofile "$profile" "$1" </dev/null
go tool cover -func "$profile" | awk -v package="$1" -v want="$2" '
  $1 == "total:" { have = $3 + 0; next }
  $3 + 0 < 100   { open[++n] = $1 " " $2 " " $3 }
  END {
    if (have >= want) { printf "%s: %.1f %% covered, %s %% wanted\n", package, have, want; exit }
    for (i = 1; i <= n; i++) print open[i]
    printf "%s: only %.1f %% covered, %s %% wanted; not fully covered is what stands above\n", package, have, want
    exit 1
  }'
