#!/usr/bin/env bash
# Healthy: on a rented machine the supervisor has a worker, and everywhere the driver shows a GPU.
# RunPod does not ask; Docker and others do.
set -euo pipefail

has_worker() {
  local child
  for child in $(<"/proc/1/task/1/children"); do
    # Once the worker has ended, what is left below the supervisor, if anything, is not one.
    if [[ "$(tr '\0' ' ' <"/proc/$child/cmdline")" == *' --supervised '* ]]; then return 0; fi
  done
  return 1
}

if [ -n "${MORPHEUS_PROVIDER-}" ] && ! has_worker; then
  echo "the supervisor has no worker: it waits for the end of this machine"
  exit 1
fi
nvidia-smi --list-gpus
