"""Load a base model, attach, save and check adapters, encode prompts."""

import logging
import os

import torch

# On a CPU with AVX-512 BF16 it warns that a kernel of the hub's is missing, which nothing uses.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

# bitsandbytes marks functions that nothing here calls for torch.compile, and importing the compiler
# for them takes longer than loading a small model. Read before bitsandbytes is imported. On a GPU
# the compiler is left to be used.
if not torch.cuda.is_available():
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
