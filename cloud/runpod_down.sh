#!/usr/bin/env bash
# SHUTDOWN='bash cloud/runpod_down.sh': removes the pod that this runs in, disk and all. Not tried.
set -euo pipefail
# Its id, and a key for itself, are in the pod's first process alone, not in a session by SSH.
while IFS= read -r -d '' variable; do
  case $variable in RUNPOD_*) export "${variable?}" ;; esac
done </proc/1/environ
# The newer command first; images have the one or the other.
runpodctl pod delete "$RUNPOD_POD_ID" || runpodctl remove pod "$RUNPOD_POD_ID"
