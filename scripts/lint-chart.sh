#!/usr/bin/env bash
# Lints the Helm chart and compares what it renders to, with each values file of
# deploy/helm/testdata, with the manifests there, which tests look into. With -update it writes
# them. The linter is Helm's own, pinned in tools/helm/go.mod; a first build takes about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=deploy/helm/testdata
mkdir -p bin/test
CGO_ENABLED=0 go -C tools/helm build -trimpath -ldflags '-s -w' -o ../../bin/test/helm . </dev/null
rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT

for values in "$folder"/*-values.yaml; do
  want=${values%-values.yaml}.yaml
  bin/test/helm deploy/helm/rollcall "$values" >"$rendered"
  if [ "${1:-}" = -update ]; then
    cp "$rendered" "$want"
  elif ! diff -u "$want" "$rendered"; then
    echo "the chart renders to something else than $want: if that is right, run scripts/lint-chart.sh -update"
    exit 1
  fi
done

# What cannot work must not render.
printf '%s\n' '{}' >"$rendered"
! bin/test/helm deploy/helm/rollcall "$rendered" >/dev/null 2>&1 || { echo "the chart renders without a database"; exit 1; }
