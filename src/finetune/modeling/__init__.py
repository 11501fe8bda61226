"""Load a base model, attach, save and check adapters, encode prompts."""

import os

# bitsandbytes marks functions that nothing here calls for torch.compile, and importing the compiler
# for them takes longer than loading a small model. Read before bitsandbytes is imported.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
