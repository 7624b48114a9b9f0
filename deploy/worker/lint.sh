#!/usr/bin/env bash
# Checks of the worker's image that build nothing: `make lint` and `make test` call it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

shellcheck ./*.sh
hadolint Dockerfile
"${PYTHON:-python3}" lint.py
