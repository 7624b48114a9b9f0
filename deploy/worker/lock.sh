#!/usr/bin/env bash
# Makes requirements.txt (and vocabulary.txt) anew: the newest files that fit, for Python 3.12 on x86-64 Linux, each
# with its hash. Downloads nothing but descriptions. Usage: deploy/worker/lock.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${PYTHON:-python3.12}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"

# lock INPUT OUTPUT PIP-ARGUMENT…
lock() {
  local input=$1 output=$2
  shift 2
  "$scratch/venv/bin/pip" install --quiet --disable-pip-version-check --dry-run --ignore-installed \
    --only-binary :all: --report "$scratch/report.json" "$@" --requirement "$input"
  "$scratch/venv/bin/python" - "$scratch/report.json" "$input" >"$output" <<'PYTHON'
import json
import sys

report, source = sys.argv[1:]
print(f"# Made by lock.sh of {source}. Python 3.12, x86-64 Linux.")
packages = []
for item in json.load(open(report))["install"]:
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    packages.append((name.lower(), version, item["download_info"]["archive_info"]["hashes"]["sha256"]))
for name, version, sha256 in sorted(packages):
    print(f"{name}=={version} --hash=sha256:{sha256}")
PYTHON
}

lock requirements.in requirements.txt
lock vocabulary.in vocabulary.txt --no-deps
