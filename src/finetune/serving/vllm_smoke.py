"""See that a running vLLM reads our prompts as we do:  python smoke.py http://localhost:8000

It asks for the ids of each prompt of smoke.json, which must be ours, and for the answers, greedily,
of which it says how many are ours: those may differ by rounding. Exit code 1 where ids differ or a
request fails. Python's own library is enough; the key comes from VLLM_API_KEY.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SECONDS = 120


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """The JSON that comes back."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("VLLM_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        parsed: dict[str, Any] = json.load(answer)
    return parsed


def main(server: str, file: Path) -> int:
    """Ask for all rows, and print what differs."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    differing = same = answered = 0
    for number, row in enumerate(rows, start=1):
        asked = {"model": row["model"], "messages": row["messages"]}
        try:
            ids = post(f"{server}/tokenize", {**asked, "add_generation_prompt": True})["tokens"]
            body = {**asked, "temperature": 0, "max_tokens": row["max_tokens"]}
            choice = post(f"{server}/v1/chat/completions", body)["choices"][0]
        except (urllib.error.URLError, OSError, KeyError, ValueError) as error:
            print(f"row {number} ({row['model']}): {error}", file=sys.stderr)
            return 1
        if ids != row["ids"]:
            differing += 1
            place = next(
                (at for at, pair in enumerate(zip(ids, row["ids"], strict=False))
                 if pair[0] != pair[1]),
                min(len(ids), len(row["ids"])),
            )  # fmt: skip
            print(f"row {number} ({row['model']}): ids differ from token {place} on")
        if row["answer"] is not None:
            answered += 1
            same += choice["message"]["content"].strip() == row["answer"]
    print(f"{len(rows) - differing} of {len(rows)} prompts have our ids")
    print(f"{same} of {answered} texts are those of our own inference")
    return int(differing > 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python smoke.py http://localhost:8000")
    sys.exit(main(sys.argv[1].rstrip("/"), Path(__file__).with_name("smoke.json")))
