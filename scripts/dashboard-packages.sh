#!/usr/bin/env bash
# Installs the dashboard's npm packages exactly as its lock file says, unless they are installed already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../dashboard"
exec >&2

# npm writes this copy of the lock file last, so it is missing or older after an install that was cut off.
if [ node_modules/.package-lock.json -nt package-lock.json ] &&
  [ node_modules/.package-lock.json -nt package.json ]; then
  exit 0
fi
echo "setup: installing the dashboard's packages with npm"
# Playwright drives Debian's Chromium; its own browser is never downloaded.
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
