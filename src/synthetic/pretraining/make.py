"""Make the embedded base model: `dvc repro models/embedded/dvc.yaml` runs this.

A corpus from a seed, a tokenizer, the weights, and the loss on held-out documents. Next-token
prediction on a stream of documents, with Muon for the layers and AdamW for other parameters, a
linear warm-up and a cosine decay to zero.
"""

import argparse
import itertools
import json
import math
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from synthetic.pretraining import corpus, tokenizer
from synthetic.pretraining.muon import Muon

SEED = 20260101
TOKENIZER_DOCUMENTS = 20_000
HELD_OUT_SEED = SEED + 1
# Loss weight in percent of the tokens of a text that is followed by a retelling or valuation: most
# of them are unpredictable, and their loss would dominate that of the rest.
CONTEXT_WEIGHT = 20
# Documents that are sorted by length before they are divided into batches.
POOL = 512


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True, help="optimizer steps")
    parser.add_argument("--batch-tokens", type=int, default=3072, help="tokens in one step")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    options = parser.parse_args()
    make(**vars(options))


def make(
    out: Path,
    steps: int,
    batch_tokens: int,
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
    held_out = {
        document.__module__.rpartition(".")[-1]: list(
            itertools.islice(batches(tok, corpus.of_kind(document, HELD_OUT_SEED), batch_tokens), 4)
        )
        for document, _ in corpus.MIX
    }
    data = batches(tok, corpus.documents(SEED), batch_tokens)
    tokens = fit(model, data, held_out, steps, learning_rate)
    save(model, tok, out)
    report = {
        "parameters": model.num_parameters(),
        "steps": steps,
        "tokens": tokens,
        "held_out_loss": evaluate(model, held_out),
        "run": {"minutes": round((time.monotonic() - started) / 60, 1)},
    }
    (out / "pretraining.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def config(tok: PreTrainedTokenizerFast, hidden_size: int, layers: int) -> LlamaConfig:
    """The config of a Llama with few, wide layers: the fastest to train on a CPU."""
    return LlamaConfig(
        vocab_size=len(tok),
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 8 // 3 // 64 * 64,
        num_hidden_layers=layers,
        num_attention_heads=hidden_size // 64,
        num_key_value_heads=hidden_size // 64,
        max_position_embeddings=tok.model_max_length,
        tie_word_embeddings=True,
        bos_token_id=tok.bos_token_id,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )


def batches(
    tok: PreTrainedTokenizerFast, documents: Iterator[str], batch_tokens: int
) -> Iterator[torch.Tensor]:
    """Endless batches [2, documents, longest]: token ids, and their loss weights in percent.

    A batch holds documents of similar length, about `batch_tokens` in total; batches are shuffled.
    """
    blank = tok("a\n\na")["input_ids"][1]
    rng = random.Random(SEED)
    while True:
        texts = list(itertools.islice(documents, POOL))
        pool = sorted(tok(texts, add_special_tokens=False)["input_ids"], key=len)
        pool_batches: list[list[list[int]]] = [[]]
        for ids in pool:
            if (len(pool_batches[-1]) + 1) * (len(ids) + 2) > batch_tokens:
                pool_batches.append([])
            pool_batches[-1].append(ids)
        rng.shuffle(pool_batches)
        for batch in pool_batches:
            width = max(map(len, batch)) + 2
            rows = torch.zeros(2, len(batch), width, dtype=torch.long)
            rows[0] = tok.pad_token_id
            for row, ids in enumerate(batch):
                # The text before a blank line is the context of the rest.
                context = ids.index(blank) + 1 if blank in ids else 0
                rows[0, row, : len(ids) + 2] = torch.tensor(
                    [tok.bos_token_id, *ids, tok.eos_token_id]
                )
                rows[1, row, 1 : len(ids) + 2] = 100
                rows[1, row, 1 : context + 1] = CONTEXT_WEIGHT
            yield rows


def fit(
    model: LlamaForCausalLM,
    data: Iterator[torch.Tensor],
    held_out: dict[str, list[torch.Tensor]],
    steps: int,
    learning_rate: float,
) -> int:
    """Train for `steps` optimizer steps; returns the number of trained tokens."""
    hidden = [p for p in model.model.layers.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if not any(p is h for h in hidden)]
    optimizers = [
        Muon(hidden, lr=learning_rate),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01),
    ]
    warmup = max(1, min(60, steps // 10))

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    schedules = [torch.optim.lr_scheduler.LambdaLR(o, rate) for o in optimizers]
    model.train()
    tokens = 0
    with tqdm(itertools.islice(data, steps), "pretrain", steps, unit="step", mininterval=10) as bar:
        for step, batch in enumerate(bar, start=1):
            loss = next_token_loss(model, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for each in (*optimizers, *schedules):
                each.step()
            model.zero_grad(set_to_none=True)
            tokens += int((batch[1] > 0).sum())
            if step % 200 == 0:
                bar.write(f"step {step}: held-out loss {evaluate(model, held_out)}")
    return tokens


def next_token_loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    """The weighted mean cross-entropy in nats of a batch of `batches`, [2, documents, tokens]."""
    ids, weights = batch
    # Padding is on the right, where causal attention ignores it.
    logits = model(input_ids=ids[:, :-1]).logits
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    )
    target_weights = weights[:, 1:].flatten().float()
    return (losses * target_weights).sum() / target_weights.sum()


@torch.inference_mode()
def evaluate(model: LlamaForCausalLM, held_out: dict[str, list[torch.Tensor]]) -> dict[str, float]:
    """Mean of the batches' weighted losses in nats, by kind of document."""
    model.eval()
    losses = {
        kind: round(statistics.fmean(next_token_loss(model, b).item() for b in some), 4)
        for kind, some in held_out.items()
    }
    model.train()
    return losses


def save(model: LlamaForCausalLM, tok: PreTrainedTokenizerFast, out: Path) -> None:
    """Write model and tokenizer; half precision on disk keeps the repository small."""
    out.mkdir(parents=True, exist_ok=True)
    model.eval()
    model.to(torch.float16).save_pretrained(out)
    model.float()
    tok.save_pretrained(out)


if __name__ == "__main__":
    main()
