#!/usr/bin/env bash
# Builds the S3 server that tests run, bin/test/versitygw. It is pinned in tools/s3/go.mod, so
# that its modules stay out of the program's own, and built anew only if its version has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

module=github.com/versity/versitygw
binary=bin/test/versitygw

want=$(go list -m -modfile=tools/s3/go.mod -f '{{.Version}}' "$module")
have=$(go version -m "$binary" 2>/dev/null | awk -v module="$module" '$1 == "mod" && $2 == module { print $3 }' || true)
[ "$have" != "$want" ] || exit 0

echo "building the S3 server for tests: $module $want (about a minute, once)"
mkdir -p "$(dirname "$binary")"
# The name is given at the end, so that a build that is cut off is not taken for a server.
CGO_ENABLED=0 go build -modfile=tools/s3/go.mod -trimpath -ldflags '-s -w' -o "$binary.new" "$module/cmd/versitygw" </dev/null
mv "$binary.new" "$binary"
