#!/usr/bin/env bash
# Makes sure that what the tests need is there: Go, PostgreSQL with its contributed extensions,
# PgBouncer, chromium, an S3 server, and with the argument "race" a C compiler, which the race detector
# links with. Installs what apt-get can install, if it may; otherwise says precisely what to
# install and fails. The tests start what they need: no service of the system is started.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf '%s\n' "$@" >&2; exit 1; }

# install WHY PACKAGE... installs with apt-get. Debian's packages start no service meanwhile and
# make no database server of the system's own: what tells them so goes when this is done.
install() (
  why=$1 policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d ours=''
  shift
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    fail "$why" "Install what is missing, on Debian as root: apt-get install --no-install-recommends $*"
  fi
  echo "$why Installing with apt-get: $*"
  trap 'rm -f $ours "$clusters/rollcall-tests.conf"; rmdir -p "$clusters" 2>/dev/null || :' EXIT
  mkdir -p "$clusters"
  echo 'create_main_cluster = false' >"$clusters/rollcall-tests.conf"
  if [ ! -e "$policy" ]; then
    ours=$policy
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null
  apt-get install -y -qq --no-install-recommends "$@" </dev/null
)

want=$(awk '$1 == "go" { print $2 }' go.mod)
command -v go >/dev/null 2>&1 ||
  fail "The tests need Go $want or newer, and there is no go in the PATH." "Install it from https://go.dev/dl/"
have=$(go env GOVERSION)
have=${have#go}
oldest=$(printf '%s\n%s\n' "$want" "${have%%-*}" | sort -V | head -n 1)
[ "$oldest" = "$want" ] ||
  fail "The tests need Go $want or newer; this is Go $have." "Install it from https://go.dev/dl/"

# The oldest PostgreSQL that the tests run on; internal/store/pgtest looks in the same places.
oldest_postgres=15

# postgres_bin answers the folder of the newest PostgreSQL's programs, or fails.
postgres_bin() {
  local newest=0 bin='' dir version
  for dir in /usr/lib/postgresql/*/bin; do
    version=$(basename "$(dirname "$dir")")
    [[ $version =~ ^[0-9]+$ && -x $dir/postgres && -x $dir/initdb && -x $dir/pg_basebackup ]] || continue
    [ "$version" -le "$newest" ] || { newest=$version bin=$dir; }
  done
  if [ "$newest" -eq 0 ] && command -v postgres >/dev/null 2>&1; then
    bin=$(dirname "$(readlink -f "$(command -v postgres)")")
    newest=$("$bin/postgres" --version | grep -oE '[0-9]+' | head -n 1)
  fi
  [ "$newest" -ge "$oldest_postgres" ] && echo "$bin"
}

# postgres_needs lists the packages that are missing, one a line.
postgres_needs() {
  local bin share=''
  if bin=$(postgres_bin); then
    share=$("$bin/pg_config" --sharedir 2>/dev/null || :)
    [ -e "$share/extension/pg_trgm.control" ] || echo postgresql-contrib
  else
    printf '%s\n' postgresql postgresql-contrib
  fi
  PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer >/dev/null 2>&1 || echo pgbouncer
}

missing=$(postgres_needs)
if [ -n "$missing" ]; then
  why="The tests need PostgreSQL $oldest_postgres or newer with its contributed extensions, and PgBouncer; something is missing."
  # shellcheck disable=SC2086 # one package a word
  install "$why" $missing
  missing=$(postgres_needs)
  [ -z "$missing" ] || fail "$why" "What apt-get installs here is too old or not enough; there is still no" "$missing" \
    "Packages of newer releases: https://wiki.postgresql.org/wiki/Apt"
fi

# internal/web looks for the same names.
browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if ! browser >/dev/null 2>&1; then
  install "The tests walk through the pages in chromium; there is none." chromium fonts-dejavu-core
fi

scripts/build-s3-server.sh

[ "${1:-}" = race ] || exit 0
compiler=$(go env CC)
command -v "${compiler%% *}" >/dev/null 2>&1 ||
  install "The race detector needs a C compiler, and there is no $compiler in the PATH." gcc libc6-dev
