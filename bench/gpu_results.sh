#!/usr/bin/env bash
# All of SAMSum on one GPU, shelved: qlora and lora, r 8 and 64 with alpha = 2r, three seeds. Not run.
#   bash bench/gpu_results.sh DIR [MINUTES]
# DIR holds samsum/ (docs/data.md). The base is SmolLM2-135M, for a machine without a hub account;
# EXPERIMENT=NAME takes another preset. No run is started after MINUTES (25); one was not timed yet.
# Given again, the command goes on: what is in results/ is not run again. A seed's four runs come
# before the next seed's, so that whenever it ends there are pairs to compare.
set -euo pipefail
data=${1:?which folder holds samsum/? bash bench/gpu_results.sh DIR [MINUTES]}
minutes=${2:-25}
experiment=${EXPERIMENT:-smollm2}
overrides=(-S "experiment=$experiment" -S data=files -S "data.root=$data"
  -S lora.alpha_ratio=2 -S eval.draws=1 -S train.max_steps=null)
if [ "$experiment" = smollm2 ]; then
  make smollm2
  overrides+=(-S '~tasks.price') # the presets of SAMSum have it alone
fi
finetune preflight "${overrides[@]}"
for seed in 1 2 3; do
  for r in 8 64; do
    for method in qlora lora; do
      name="samsum-$experiment-$method-r$r-seed$seed"
      if [ -e "results/$name" ]; then continue; fi
      if [ "$SECONDS" -ge "$((60 * minutes))" ]; then
        echo "$minutes minutes are over before $name; the same command goes on from there"
        exit 0
      fi
      # One that ran and was not shelved comes from the run cache.
      dvc exp remove "$name" >/dev/null 2>&1 || true
      dvc exp run --name "$name" "${overrides[@]}" \
        -S "method=$method" -S "lora.r=$r" -S "train.seed=$seed"
      finetune shelve "$name" --rev "$name"
    done
  done
done
