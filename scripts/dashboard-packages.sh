#!/usr/bin/env bash
# Installs the dashboard's npm packages in the versions of its lock file, unless they are installed already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../dashboard"
exec >&2

readonly INSTALLED=node_modules/.installed
if [ "$INSTALLED" -nt package-lock.json ] && [ "$INSTALLED" -nt package.json ]; then
  exit 0
fi
echo "setup: installing the dashboard's packages with npm"
# `npm ci` refuses a lock file made where a registry lacks the builds for other systems (Biome and Tailwind list
# theirs as optional), so this is `npm install`, told to change neither package.json nor the lock file.
# Playwright drives Debian's Chromium; its own browser is never downloaded.
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --no-save --no-audit --no-fund --loglevel=error
touch "$INSTALLED"
