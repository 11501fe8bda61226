"""Answers prompts with vLLM; run by the Python of vLLM's own environment, see `vllm_engine`.

    python -I vllm_script.py REQUEST.json ANSWERS.json

Imports nothing of this project. Not run with a real vLLM.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main(request: dict[str, Any]) -> list[dict[str, Any]]:
    """For each prompt the ids of its greedy answer, and whether an end token stopped it."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    options: dict[str, Any] = {
        "model": request["model"],
        "revision": request["revision"],
        "dtype": request["dtype"],
        "max_model_len": request["max_model_len"],
        "skip_tokenizer_init": True,
    }
    if request["memory_fraction"] is not None:
        options["gpu_memory_utilization"] = request["memory_fraction"]
    adapter = None
    if request["adapter"]:
        options |= {"enable_lora": True, "max_lora_rank": request["max_lora_rank"]}
        adapter = LoRARequest("tuned", 1, request["adapter"])
    sampling = SamplingParams(
        temperature=0.0,
        max_tokens=request["max_new_tokens"],
        stop_token_ids=request["end_tokens"],
        ignore_eos=True,  # it is among these, where the model has one
        detokenize=False,
    )
    prompts = [{"prompt_token_ids": ids} for ids in request["prompts"]]
    answers = LLM(**options).generate(prompts, sampling, lora_request=adapter)
    return [
        {"ids": list(best.token_ids), "stopped": best.finish_reason == "stop"}
        for best in (answer.outputs[0] for answer in answers)
    ]


if __name__ == "__main__":
    given, written = map(Path, sys.argv[1:])
    answers = main(json.loads(given.read_text(encoding="utf-8")))
    written.write_text(json.dumps({"answers": answers}), encoding="utf-8")
