#!/usr/bin/env bash
# One run on a rented box: from an empty disk to experiments that have arrived at both remotes.
#   REPO=URL REV=COMMIT bash run.sh NAME -S experiment=samsum-llama-1b
#   REPO=URL REV=COMMIT bash run.sh NAME --queue -S 'lora.r=8,16'    (NAME-1, NAME-2; one worker a GPU)
# `finetune remote` prints the commands that start it; docs/cloud.md tells the story. Given again, here
# or on another box, the same command resumes: nothing that was saved or pushed is computed twice.
#
# REPO          where to clone from, without a token in it
# REV           a commit or a branch of it (default: its HEAD)
# WORK          where the clone goes (default: ~/finetune-NAME)
# VENV          an environment that has the packages already, as in the image
# PUSH_MINUTES  for how long a failed push is tried again (default: 10)
# SHUTDOWN      a command that ends the box; run only after everything has arrived
# Secrets, by these names and nowhere but in the environment: GIT_TOKEN for an https REPO, HF_TOKEN,
# and what the DVC remote's storage wants, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
set -euo pipefail

die() {
  echo "run.sh: $*" >&2
  exit 1
}

# The token is asked for by its name: it stands in no URL, no file and no command line. No other host
# gets it, such as one that data is imported from.
use_token() {
  local host
  host=$(sed -nE 's#^(https://[^/]+).*#\1#p' <<<"$REPO")
  if [ -z "${GIT_TOKEN:-}" ] || [ -z "$host" ]; then return; fi
  # shellcheck disable=SC2016 # expanded by Git, when it asks
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="credential.$host.helper" \
    GIT_CONFIG_VALUE_0='!f() { echo username=token; echo "password=$GIT_TOKEN"; }; f'
}

clone() {
  if [ ! -d "$WORK/.git" ]; then
    git clone --quiet "$REPO" "$WORK" || die "$REPO cannot be cloned: is GIT_TOKEN set, and REPO right?"
  fi
  cd "$WORK"
  git fetch --quiet origin || die "$REPO cannot be read"
  check_out
  # Experiments are commits.
  git config user.name >/dev/null || git config user.name "cloud box"
  git config user.email >/dev/null || git config user.email "box@localhost"
}

# The tree as it is at $REV, also where a killed run left another one: what was saved lies elsewhere.
check_out() {
  local commit
  commit=$(git rev-parse --quiet --verify "origin/${REV:-HEAD}^{commit}" ||
    git rev-parse --quiet --verify "${REV:-HEAD}^{commit}") ||
    die "${REV:-its HEAD} is not at $REPO: push it first (git push origin HEAD)"
  git checkout --quiet --force --detach "$commit"
}

# A Python that the project takes: one of this box, or one that uv brings, as SkyPilot's machines have it.
find_python() {
  local name uv
  for name in python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  uv=$(command -v uv || command -v "$HOME/.local/bin/uv") || return 1
  "$uv" python install --quiet 3.11 && "$uv" python find 3.11
}

set_up() {
  local python
  python=$(find_python) || die "Python 3.11 or newer with venv is not here: install it, or uv"
  make setup PYTHON="$python" VENV="${VENV:-.venv}" || die "make setup failed (above)"
  export PATH="${VENV:-$WORK/.venv}/bin:$PATH"
  # Storage of another kind than a folder needs DVC's package for it.
  local kind
  kind=$(dvc remote list | awk '{print $2}' | sed -nE 's#^(s3|gs|azure|ssh)://.*#\1#p' | sort -u)
  for kind in $kind; do
    python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c requirements-cloud.txt \
      "dvc-$kind" || die "dvc-$kind cannot be installed"
  done
}

# Where DVC has an experiment of this name that began at HEAD.
ref_of() {
  local head
  head=$(git rev-parse HEAD)
  echo "refs/exps/${head:0:2}/${head:2}/$1"
}

push() {
  local said left wait=10 last=$((SECONDS + 60 * ${PUSH_MINUTES:-10}))
  until said=$(finetune push "$@" 2>&1); do
    said=${said##*$'\n'}
    left=$((last - SECONDS))
    if ((left <= 0)); then
      die "$said; this box stays on, and its work is in $WORK: then give the same command again"
    fi
    wait=$((wait < left ? wait : left))
    echo "run.sh: $said; tried again in $wait s" >&2
    sleep "$wait"
    wait=$((wait < 160 ? 2 * wait : 300))
  done
  echo "$said"
}

# Of a sweep the first run is looked at.
look_ahead() {
  local overrides override first=()
  overrides=$(python -m finetune.cloud.sweeps "$@") || return 1
  while IFS= read -r override; do first+=(-S "$override"); done <<<"$overrides"
  finetune preflight "${first[@]}"
}

# What is to be known, and to be here, before anything is computed.
prepare() {
  local said
  said=$(finetune push --probe 2>&1) || die "nothing was run, as it could not be pushed: ${said##*$'\n'}"
  look_ahead "$@" || die "nothing was run: preflight says what to mend (above)"
  dvc pull --quiet --force --run-cache --allow-missing || die "DVC's remote cannot be read (above)"
}

run_one() {
  local ref arrived
  ref=$(ref_of "$NAME")
  arrived=$(git ls-remote origin "$ref") || die "$REPO cannot be read"
  # `finetune push` puts it there last: so both remotes have it.
  if [ -n "$arrived" ]; then
    echo "$NAME has arrived already: nothing to run"
    return
  fi
  if ! git rev-parse --quiet --verify "$ref" >/dev/null; then
    prepare "$@"
    dvc exp run --name "$NAME" "$@" ||
      die "the run failed (above); this box stays on: the same command resumes, here or elsewhere"
  fi
  push "$NAME"
}

run_queue() {
  local failed=0 name
  prepare "$@"
  # One line for each that has run, as soon as it has. Where one cannot be pushed, the others go on.
  while read -r name <&3; do
    (push "$name") || failed=1
  done 3< <(python -m finetune.cloud.queue "$NAME" "$@")
  wait $! || failed=1
  [ "$failed" = 0 ] || die "not all experiments of $NAME have run and arrived (above); the same command resumes"
}

main() {
  NAME=${1:?which name? bash run.sh NAME [options of dvc exp run]}
  shift
  local is_queue=
  if [ "${1:-}" = --queue ]; then
    is_queue=1
    shift
  fi
  : "${REPO:?from where? REPO=URL bash run.sh NAME}"
  # It would be written to the clone's configuration, and be in messages of Git.
  if [[ $REPO =~ ^(https?://[^/]*@|[a-z]+://[^/@]*:[^/@]*@) ]]; then
    die "REPO holds a password or a token: leave it out, and set GIT_TOKEN"
  fi
  WORK=${WORK:-$HOME/finetune-$NAME}
  # DVC's own push would put an experiment at the Git remote before its files.
  export GIT_TERMINAL_PROMPT=0 DVC_EXP_AUTO_PUSH=false
  use_token
  clone
  set_up
  if [ -d .runstate ]; then # after a kill on this box
    finetune doctor --fix || true
    check_out
  fi
  set -- "$@" -S run.push_state=until_pushed
  if [ -n "$is_queue" ]; then run_queue "$@"; else run_one "$@"; fi
  if [ -n "${SHUTDOWN:-}" ]; then bash -c "$SHUTDOWN"; fi
}

# On one line, so that nothing is read once it has started: cloud/box.sh may replace this file.
main "$@"; exit
