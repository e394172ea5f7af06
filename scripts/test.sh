#!/usr/bin/env bash
# Runs go test with the arguments given, prints what it prints, and closes with a count of
# packages. Fails if go test does, and if no package had a test.
set -euo pipefail
cd "$(dirname "$0")/.."

go test "$@" 2>&1 </dev/null | awk '
  { print; fflush() }
  $1 == "ok"                              { ok++ }
  $1 == "FAIL" && NF > 1                  { failed++; names = names " " $2 }
  $1 == "?" || /\[no test files\]$/       { bare++ }
  END {
    printf "packages: %d ok, %d failed, %d without tests\n", ok, failed, bare
    if (failed) print "failed:" names
    if (ok + failed == 0) { print "no package was tested"; exit 1 }
  }'
