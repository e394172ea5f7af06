#!/usr/bin/env bash
# Makes sure that what the tests need is there: Go, and with the argument "race" a C compiler,
# which the race detector links with. Installs what apt-get can install, if it may; otherwise
# says precisely what to install and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf '%s\n' "$@" >&2; exit 1; }

want=$(awk '$1 == "go" { print $2 }' go.mod)
command -v go >/dev/null 2>&1 ||
  fail "The tests need Go $want or newer, and there is no go in the PATH." "Install it from https://go.dev/dl/"
have=$(go env GOVERSION)
have=${have#go}
oldest=$(printf '%s\n%s\n' "$want" "${have%%-*}" | sort -V | head -n 1)
[ "$oldest" = "$want" ] ||
  fail "The tests need Go $want or newer; this is Go $have." "Install it from https://go.dev/dl/"

[ "${1:-}" = race ] || exit 0
compiler=$(go env CC)
command -v "${compiler%% *}" >/dev/null 2>&1 && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing a C compiler for the race detector: apt-get install gcc libc6-dev"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null
  apt-get install -y -qq --no-install-recommends gcc libc6-dev </dev/null
  exit 0
fi
fail "The race detector needs a C compiler, and there is no $compiler in the PATH." \
  "Install one, on Debian as root: apt-get install gcc libc6-dev"
