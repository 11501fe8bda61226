#!/usr/bin/env bash
# A run on any box with SSH, Git, make and Python 3.11 or newer, as a machine on a desk or a pod.
#   GIT_TOKEN=TOKEN REPO=URL REV=COMMIT bash cloud/box.sh USER@HOST NAME -S experiment=samsum-llama-1b
# It copies cloud/run.sh there, starts it so that it outlives this connection, and follows its log.
# Given again, it resumes, or follows the one that still runs. `finetune remote` prints it filled in.
#
# SSH           the command (default: ssh), such as 'ssh -p 2222 -i KEY'
# SECRETS       names of variables of this shell that the box gets (default: GIT_TOKEN HF_TOKEN); their
#               values go through the connection's standard input: into no file and no command line
# REPO, REV, WORK, PUSH_MINUTES, SHUTDOWN: as for cloud/run.sh
set -euo pipefail

host=${1:?which box? bash cloud/box.sh USER@HOST NAME [options of dvc exp run]}
name=${2:?which name? bash cloud/box.sh USER@HOST NAME [options of dvc exp run]}
: "${REPO:?from where? REPO=URL bash cloud/box.sh USER@HOST NAME}"
read -ra ssh <<<"${SSH:-ssh}"
log="finetune-$name.log"

"${ssh[@]}" "$host" 'cat > finetune-run.sh' <"$(dirname "$0")/run.sh"

{
  for variable in REPO REV WORK PUSH_MINUTES SHUTDOWN ${SECRETS:-GIT_TOKEN HF_TOKEN}; do
    if [ -n "${!variable:-}" ]; then printf 'export %s=%q\n' "$variable" "${!variable}"; fi
  done
  printf 'words=('
  printf '%q ' "${@:2}"
  printf ')\nlog=%q\n' "$log"
  cat <<'END'
command -v flock >/dev/null || { echo "there is no flock on this box: install util-linux" >&2; exit 1; }
# One at a time: two of them would write into the same clone.
if ! flock --nonblock "$log.lock" true; then
  echo "it still runs here"
  exit
fi
nohup setsid flock "$log.lock" bash finetune-run.sh "${words[@]}" >"$log" 2>&1 </dev/null &
END
} | "${ssh[@]}" "$host" bash -s

echo "it keeps running there without this connection; to follow it: ${ssh[*]} $host tail -F $log"
if [ -t 1 ]; then exec "${ssh[@]}" "$host" tail -F "$log"; fi
