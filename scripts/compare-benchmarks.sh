#!/usr/bin/env bash
# Runs the Go benchmarks of this tree and of an earlier commit in turns, so that what else the
# machine does troubles both alike, and compares them with benchstat: time, bytes and allocations.
#
#   scripts/compare-benchmarks.sh [-r ROUNDS] [-t TIME] [-b REGEXP] [COMMIT]
#
# COMMIT is the previous one if not given: HEAD while there are changes that are not committed.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=6 time=0.3s only=.
while getopts r:t:b: option; do
  case $option in
    r) rounds=$OPTARG ;;
    t) time=$OPTARG ;;
    b) only=$OPTARG ;;
    *) sed -n '5p' "$0" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
commit=${1:-HEAD$(git diff --quiet HEAD && echo '~1' || true)}

work=$(mktemp -d)
trap 'git worktree remove --force "$work/old" 2>/dev/null; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/old" "$commit"
echo "comparing with $(git log -1 --format='%h %s' "$commit")" >&2

# build TREE NAME builds the test program of every package that has a benchmark.
build() {
  local dir
  mkdir -p "$work/$2"
  git -C "$1" grep -lE '^func Benchmark' -- '*_test.go' | xargs -n 1 dirname | sort -u | while read -r dir; do
    (cd "$1" && CGO_ENABLED=0 go test -c -o "$work/$2/$(tr / . <<<"$dir")" "./$dir" </dev/null)
  done
}
build "$work/old" was
build . is

# run TREE NAME runs them once, from their own folders.
run() {
  local program
  for program in "$work/$2"/*; do
    (cd "$1/$(basename "$program" | tr . /)" &&
      "$program" -test.run '^$' -test.bench "$only" -test.benchmem -test.benchtime "$time" </dev/null) >>"$work/$2.txt"
  done
}
for round in $(seq "$rounds"); do
  echo "round $round of $rounds" >&2
  run "$work/old" was
  run "$PWD" is
done
go tool -modfile=tools/benchstat/go.mod benchstat before="$work/was.txt" after="$work/is.txt"
