# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The first run
#
# Ten cells, some minutes on two cores: tune a small model on summaries and on prices, see how much
# better it became, change one thing, and compare. The data are generated and the model is in the
# repository, so nothing is downloaded but packages, and no GPU is needed.
#
# - **Colab:** write the repository's address into the first cell, and choose the runtime now
#   (*Runtime*, *Change runtime type*): another one is a new machine. *CPU* will do; a *T4* is for
#   what comes after cell 8.
# - **Jupyter** or an editor: open this file in the repository, with the kernel of its `.venv`
#   (`make setup`), or with any other: the first cell then makes that environment.
#
# The figures are those of a toy after four steps of training. They show how the pieces fit, and no
# result.

# %% [markdown]
# ## 1. Set up
#
# Clones the repository where it is not there, and installs its packages into an environment of
# their own, `.venv`. The versions are pinned, so that a run can be repeated; those of Colab stay as
# they are, and the kernel needs none of ours: what follows are commands of `.venv`, in cells that
# begin with `%%bash`. Installing takes minutes and some gigabytes, once.

# %%
import html
import json
import os
import subprocess
import sys
from pathlib import Path

from IPython.display import HTML

REPOSITORY = "https://github.com/OWNER/NAME"  # read only where there is no clone yet

here = Path.cwd()
clone = here / "finetune"  # where a kernel that was restarted left it
root = next((p for p in (clone, here, *here.parents) if (p / "dvc.yaml").is_file()), None)
if root is None:
    if "OWNER/NAME" in REPOSITORY:
        raise SystemExit("REPOSITORY: write the address of your copy of the repository there")
    root = clone
    subprocess.run(["git", "clone", REPOSITORY, root], check=True)
    # Experiments are commits, and Git wants to know whose.
    for key, value in (("user.name", "First run"), ("user.email", "first-run@example.com")):
        subprocess.run(["git", "-C", root, "config", key, value], check=True)
os.chdir(root)

programs = Path(sys.executable).parent
if not (programs / "finetune").exists():  # this kernel is not of the repository's environment
    environment = root / ".venv"
    programs = environment / "bin"
    if not (environment / ".installed").exists():
        # Colab and Debian have no ensurepip, so the kernel's pip installs into the new environment.
        python = programs / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        subprocess.run([*pip, "pip", "-r", "requirements.txt"], check=True)
        (environment / ".installed").touch()  # so that make knows, too
os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
print(f"{root}, commands of {programs}")

# %% [markdown]
# ## 2. What is here already
#
# Metrics are in Git: these are the scores of `main`, of a run with 600 rows and two epochs. Each
# model and each baseline on the same test rows, with 95 % intervals. A *baseline* is what can be
# had without a language model, such as the three longest lines of a dialogue. A model that gives no
# answer has no score: asked for a price, this untuned model writes something else.

# %% language="bash"
# finetune show

# %% [markdown]
# ## 3. Run it
#
# Data, baselines, the untuned model, training, the tuned model, scores, report: the stages of
# `dvc.yaml`, for both tasks, as an experiment called `first`. `experiment=quick` is a preset, a
# file in `conf/experiment/`: 64 rows and 4 steps of training a task. What was run before is not run
# again: give the cell a second time and see.

# %% language="bash"
# dvc exp remove first 2> /dev/null # an earlier one of that name
# dvc exp run -S experiment=quick -n first

# %% [markdown]
# ## 4. How good is it?
#
# The same table, of this run: other rows, and so few of them that the intervals are wide. Four
# steps teach a model little; compare *base model* with *tuned*.

# %% language="bash"
# finetune show

# %% [markdown]
# ## 5. What does it write?
#
# Three test rows, answered by both models. The scores above are the means over such rows.

# %%
STYLE = "text-align: left; vertical-align: top; white-space: pre-wrap"


def rows(file: str) -> list[dict]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


def side_by_side(task: str, read: str, count: int = 3) -> str:
    """The first test rows of a task: what is read, the reference, what the two models answer."""
    files = (f"data/prepared/{task}/test", f"predictions/{task}/base", f"predictions/{task}/tuned")
    lines = ["<th>read<th>reference<th>untuned<th>tuned"]
    for row, base, tuned in zip(*(rows(f"{file}.jsonl")[:count] for file in files), strict=True):
        answers = ("no answer" if a.get("unparsable") else a["prediction"] for a in (base, tuned))
        cells = (row[read], base["reference"], *answers)
        lines.append("".join(f'<td style="{STYLE}">{html.escape(str(c))}' for c in cells))
    return f"<h4>{task}</h4><table><tr>{'<tr>'.join(lines)}</table>"


HTML(side_by_side("samsum", "dialogue") + side_by_side("price", "text"))

# %% [markdown]
# ## 6. The report
#
# One page without anything from the network: `reports/index.html`, which opens in any browser. Here
# it is inside.

# %%
page = Path("reports/index.html").read_text(encoding="utf-8")
HTML(f'<div><iframe srcdoc="{html.escape(page)}" width="100%" height="700"></iframe></div>')

# %% [markdown]
# ## 7. Change one thing
#
# A LoRA adapter of rank 4 in place of 16, of summaries alone: `~tasks.price` leaves the other task
# out. Data, baselines and the untuned model do not depend on the rank, and are skipped.

# %% language="bash"
# dvc exp remove r4 2> /dev/null
# dvc exp run -S experiment=quick -S lora.r=4 -S '~tasks.price' -n r4

# %% [markdown]
# ## 8. Is it better?
#
# The two answered the same rows, so they are compared row by row: the difference, its interval, a
# verdict. On *validation* rows, by which one chooses; test rows stay for the end, since whoever
# looks at them often finds something. After four steps on so few rows, each with one seed, do not
# expect that they can be told apart.

# %% language="bash"
# finetune compare first r4 --validation

# %% [markdown]
# ## 9. On a GPU, with a real model
#
# The same command with other choices: `method=qlora` (the default), `lora`, `full`, `prefix`;
# `model=` a file of `conf/model/`; or a preset that has both. The plan needs neither the GPU nor
# the model, and says what fits:

# %% language="bash"
# finetune plan -S experiment=t4 -S '~tasks.price' --gpu t4

# %% [markdown]
# On a machine that has it:
#
# ```sh
# finetune preflight -S experiment=t4
# dvc exp run -S experiment=t4
# dvc exp run -S experiment=t4 -S model=smollm2-360m -S method=lora
# ```
#
# `preflight` says first whether driver, memory, disk and hub will do. A T4 has no bfloat16, and
# computes in float16; nobody has run it on one yet. For gated models, such as Llama, put `HF_TOKEN`
# into the environment, and never into a cell that you share. [docs/gpu.md](../docs/gpu.md) has the
# rest, [docs/methods.md](../docs/methods.md) which method when. For a rented box
# `finetune remote t4 --gpu t4` prints plan, cost and commands: [docs/cloud.md](../docs/cloud.md).

# %% [markdown]
# ## 10. With your own file
#
# `finetune init` guesses the kind of task and the columns, checks every row, writes a config, and
# ends with the command that runs it. Here with a file of forty made-up lamps; give it the path of
# yours instead. (Nothing reads `conf/task/lamps.yaml` unless it is asked to: remove it when you
# have seen it.)

# %% language="bash"
# mkdir -p /tmp/first_run
# {
#   echo sku,description,price
#   for i in $(seq 40); do
#     echo "$i,A lamp number $i with $((i % 3 + 1)) bulbs,$((9 + 7 * i % 90)).50"
#   done
# } > /tmp/first_run/lamps.csv
# finetune init /tmp/first_run/lamps.csv --yes --force

# %% [markdown]
# ## And then
#
# - `git checkout params.yaml`, then `dvc repro`, trains the default in full: what the table of cell
#   2 is of.
# - What came out on real data, and what cannot be told from it:
#   [docs/results.md](../docs/results.md).
# - Seeds, sweeps, choosing, shipping: [docs/experiments.md](../docs/experiments.md).
# - From a course? [docs/courses](../docs/courses/README.md) says what to run here for each of its
#   units.
