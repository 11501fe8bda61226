"""Load base models; attach, save, load and check adapters; encode prompts."""

import logging
import os

import torch

# On a CPU with AVX-512 BF16 it warns of a missing kernel of the hub's, which is not used here.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

# bitsandbytes marks functions, none of them called here, for torch.compile, and importing the
# compiler for them takes longer than loading a small model. To be set before bitsandbytes is
# imported. On a GPU the compiler stays available.
if not torch.cuda.is_available():
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
