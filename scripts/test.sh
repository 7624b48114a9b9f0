#!/usr/bin/env bash
# Everything that must hold before a change lands, cheap checks first, with a closing summary.
# It stops at the first stage that fails. `make test` sets the machine up and calls it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly STARTED=$SECONDS
stages=()
current=

stage() {
  current=$1
  local from=$SECONDS
  printf '\n=== %s: %s\n' "$1" "${*:2}"
  "${@:2}"
  stages+=("$(printf '%6d s  %s' "$((SECONDS - from))" "$1")")
  current=
}

# Rust tests that lack what they compare with pass, and say so: `skipped: …` in their output, once each.
readonly JUNIT=${CARGO_TARGET_DIR:-target}/nextest/default/junit.xml
skipped=
count_skipped() {
  local n
  skipped=$(grep --extended-regexp --only-matching '(^|>)skipped: [^<]*' "$JUNIT" | tr --delete '>' || true)
  [ -n "$skipped" ] || return 0
  n=$(wc --lines <<<"$skipped")
  skipped=$(printf '%d Rust tests were skipped:\n%s' "$n" "$(sort <<<"$skipped" | uniq --count)")
}

summary() {
  local status=$?
  printf '\n=== summary\n'
  [ "${#stages[@]}" -eq 0 ] || printf '%s\n' "${stages[@]}"
  [ -z "$skipped" ] || printf '%s\n' "$skipped"
  if [ "$status" -eq 0 ]; then
    printf 'all %d stages passed in %d s\n' "${#stages[@]}" "$((SECONDS - STARTED))"
  else
    printf 'FAILED: %s (exit status %d)\n' "${current:-set-up}" "$status"
  fi
}
trap summary EXIT

dashboard() { npm --prefix dashboard run --silent "$@"; }

stage "scripts" shellcheck scripts/*.sh .ci/run
stage "worker image" env PYTHON="$PWD/.tools/python/bin/python" deploy/worker/lint.sh
stage "format" cargo fmt --all --check
stage "tidy" cargo xtask tidy
stage "dashboard packages" scripts/dashboard-packages.sh
stage "dashboard lint and types" dashboard check
stage "dashboard build" dashboard build
stage "clippy" cargo clippy --workspace --all-targets --quiet -- --deny warnings
stage "rust tests" cargo xtask services -- cargo nextest run --workspace
count_skipped
stage "on PostgreSQL, Redis and S3" env MORPHEUS_TEST_SERVICES=1 cargo xtask services -- \
  cargo nextest run --workspace -E '(package(server) & kind(test))
    | (package(orchestrator) & test(/^(agents|bases|captioning|crashes|generations|jobs|judgements|notices|objects|pool|replicas|storage)::/))
    | (package(morpheus) & test(/^(jobs::|backup::|bases::|generate::|pool::|rented::a|storage::)/))'
stage "rust doc tests" cargo test --workspace --doc --quiet
stage "dashboard tests" dashboard test
stage "binaries" cargo build --workspace --bins
MORPHEUS_BIN=$(realpath "${CARGO_TARGET_DIR:-target}/debug/morpheus")
export MORPHEUS_BIN
stage "browser tests" dashboard e2e
stage "acceptance tests on PostgreSQL, Redis and S3" env MORPHEUS_TEST_SERVICES=1 cargo xtask services -- \
  npm --prefix dashboard run --silent e2e -- acceptance.spec.ts
