"""Make the embedded base model: `dvc repro models/embedded/dvc.yaml` runs this.

Text from a seed, a tokenizer from the text, weights from both; then what the model scores on text
that it has not seen. Plain pretraining: next-token loss on a stream of whole documents, AdamW,
a linear warm-up and a cosine to zero.
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.pretraining import corpus, tokenizer

SEED = 20260101
TOKENIZER_DOCUMENTS = 20_000
HELD_OUT_SEED = SEED + 1
HELD_OUT_BLOCKS = 64


def main() -> None:
    """Command line: where to write, and how long to train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True, help="optimizer steps")
    parser.add_argument("--blocks", type=int, default=12, help="blocks in one step")
    parser.add_argument("--block-size", type=int, default=384, help="tokens in one block")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    options = parser.parse_args()
    make(**vars(options))


def make(
    out: Path,
    steps: int,
    blocks: int,
    block_size: int,
    learning_rate: float,
    vocab_size: int,
    hidden_size: int,
    layers: int,
) -> None:
    """Train tokenizer and model, and write both to `out` in Hugging Face format."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    started = time.monotonic()

    texts = itertools.islice(corpus.documents(SEED), TOKENIZER_DOCUMENTS)
    tok = tokenizer.train(texts, vocab_size, context=1024)
    model = LlamaForCausalLM(config(tok, hidden_size, layers))
    held_out = list(itertools.islice(stream(tok, HELD_OUT_SEED, block_size), HELD_OUT_BLOCKS))

    losses = fit(model, stream(tok, SEED, block_size), steps, blocks, learning_rate)
    save(model, tok, out)
    report = {
        "parameters": model.num_parameters(),
        "steps": steps,
        "tokens": steps * blocks * block_size,
        "train_loss": round(float(np.mean(losses[-50:])), 4),
        "held_out_loss": round(evaluate(model, held_out, blocks), 4),
        "run": {"minutes": round((time.monotonic() - started) / 60, 1)},
    }
    (out / "pretraining.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def config(tok: PreTrainedTokenizerFast, hidden_size: int, layers: int) -> LlamaConfig:
    """A Llama of few, wide layers: on a CPU many thin ones cost more than they learn."""
    return LlamaConfig(
        vocab_size=len(tok),
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 8 // 3 // 64 * 64,
        num_hidden_layers=layers,
        num_attention_heads=hidden_size // 32,
        num_key_value_heads=hidden_size // 32,
        max_position_embeddings=tok.model_max_length,
        tie_word_embeddings=True,
        bos_token_id=tok.bos_token_id,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )


def stream(tok: PreTrainedTokenizerFast, seed: int, block_size: int) -> Iterator[torch.Tensor]:
    """Endless blocks of `block_size` + 1 ids (input and its shift).

    Every block opens with the start of a document, as every prompt will, and its last document is
    cut where the block is full: text is free here, and a retelling without its dialogue teaches
    to invent.
    """
    documents = corpus.documents(seed)
    block: list[int] = []
    while True:
        batch = list(itertools.islice(documents, 64))
        for ids in tok(batch, add_special_tokens=False)["input_ids"]:
            block += [tok.bos_token_id, *ids, tok.eos_token_id]
            if len(block) > block_size:
                yield torch.tensor(block[: block_size + 1])
                block = []


def fit(
    model: LlamaForCausalLM,
    data: Iterator[torch.Tensor],
    steps: int,
    blocks: int,
    learning_rate: float,
) -> list[float]:
    """Train for `steps` optimizer steps of `blocks` blocks; the training loss of each step."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    warmup = max(1, min(200, steps // 10))

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    losses: list[float] = []
    with tqdm(range(steps), desc="pretrain", unit="step", mininterval=10) as progress:
        for _ in progress:
            loss = next_token_loss(model, torch.stack(list(itertools.islice(data, blocks))))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            progress.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
    return losses


def next_token_loss(model: LlamaForCausalLM, block: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats; `block` is (blocks, block_size + 1) ids."""
    logits = model(input_ids=block[:, :-1]).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), block[:, 1:].flatten())


@torch.inference_mode()
def evaluate(model: LlamaForCausalLM, blocks: list[torch.Tensor], batch: int) -> float:
    """Mean next-token loss in nats on held-out blocks."""
    model.eval()
    batches = [torch.stack(blocks[i : i + batch]) for i in range(0, len(blocks), batch)]
    total = sum(next_token_loss(model, block).item() * len(block) for block in batches)
    return total / len(blocks)


def save(model: LlamaForCausalLM, tok: PreTrainedTokenizerFast, out: Path) -> None:
    """Write model and tokenizer; half precision on disk keeps the repository small."""
    out.mkdir(parents=True, exist_ok=True)
    model.generation_config.max_length = None
    model.to(torch.float16).save_pretrained(out)
    model.float()
    tok.save_pretrained(out)


if __name__ == "__main__":
    main()
