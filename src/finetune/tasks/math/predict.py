"""How a model is asked for solutions: it writes one, or several of which the majority decides.

Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models". The
samples themselves are the prediction: which answer most of them give is read from them when they
are scored, so that another rule of reading decodes nothing again.
"""

from finetune.inference import texts, written
from finetune.inference.predict import Prediction, Request
from finetune.inference.written import Decoding, TextRequest
from finetune.tasks.math.options import MathEval
from finetune.tasks.math.rows import Row


def answers(request: Request[Row, MathEval]) -> list[Prediction]:
    """Solutions, and how likely the model finds the references.

    With self-consistency `samples` are the texts of all, `samples_hit_length_cap` says for each
    whether it was still going on at the length cap, and `prediction` is the first one's.
    """
    context, completions = texts.generation_context(request), texts.encoded_completions(request)
    prompts = [prompt.ids for prompt in request.prompts]
    targets = [completion.ids for completion in completions]
    options, engine = request.eval, request.engine
    if options.strategy == "greedy":
        candidates = [[answer] for answer in engine.greedy(context, prompts, targets)]
    else:
        candidates = engine.sample(
            context, prompts, options.samples, options.temperature, options.seed, targets
        )
    predictions = texts.predictions(request.rows, [first for first, *_ in candidates], completions)
    if options.strategy == "self_consistency":
        for prediction, samples in zip(predictions, candidates, strict=True):
            prediction["samples"] = [each.text for each in samples]
            prediction["samples_hit_length_cap"] = [each.hit_length_cap for each in samples]
    references: list[Prediction] = [{"reference": row.answer} for row in request.rows]
    return texts.with_references(predictions, references)


def from_texts(request: TextRequest[Row, MathEval]) -> list[Prediction]:
    """The same of a model that gives no likelihoods."""
    options = request.eval
    if options.strategy == "greedy":
        drawn = request.ask(Decoding(seed=options.seed))
    else:
        drawn = request.ask(Decoding(options.temperature, options.samples, options.seed))
    predictions = written.predictions(request.rows, [first for first, *_ in drawn])
    if options.strategy == "self_consistency":
        for prediction, samples in zip(predictions, drawn, strict=True):
            prediction["samples"] = [each.text for each in samples]
            prediction["samples_hit_length_cap"] = [each.hit_length_cap for each in samples]
    references: list[Prediction] = [{"reference": row.answer} for row in request.rows]
    return texts.with_references(predictions, references)
