"""Runs llama.cpp's converter, as a script of its own: its `gguf` package is not ours.

    python gguf_script.py LLAMA_CPP MODEL_DIR OUT.gguf TYPE PRE_TOKENIZER [--vocab-only]

The converter knows a tokenizer by a hash of what it makes of a text, and refuses others.
PRE_TOKENIZER, unless it is `auto`, is what it is then told instead; whether that was right shows
when the same texts are tokenized by both. Imports nothing of this project.
"""

import runpy
import sys


def main(llama_cpp: str, model: str, out: str, gguf_type: str, pre: str, *more: str) -> None:
    """Convert a model folder to a GGUF file."""
    sys.path[:1] = [llama_cpp, f"{llama_cpp}/gguf-py"]
    if pre != "auto":
        from conversion import base

        base.TextModel.get_vocab_base_pre = lambda *_: pre
    script = f"{llama_cpp}/convert_hf_to_gguf.py"
    sys.argv = [script, model, "--outfile", out, "--outtype", gguf_type, *more]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
