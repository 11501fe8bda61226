"""Who decides where a file alone does not: a person, an option, or the best guess."""

import sys
from collections.abc import Callable, Sequence

from finetune.core.errors import UserError

# What is chosen, the option that chooses it, and what there is to choose from, the best first.
Choose = Callable[[str, str, Sequence[str]], str]


def chooser(yes: bool) -> Choose:
    """How to choose in this process: with `yes` the best guess, else by asking where it can."""
    if yes:
        return take_best
    return ask if sys.stdin.isatty() and sys.stdout.isatty() else refuse


def take_best(what: str, option: str, candidates: Sequence[str]) -> str:
    """The best guess."""
    return candidates[0]


def refuse(what: str, option: str, candidates: Sequence[str]) -> str:
    """Nothing is chosen.

    Raises:
        UserError: always; it names the candidates and the option.
    """
    told = ", ".join(map(repr, candidates))
    raise UserError(f"init: {what} may be {told}; say which with {option} (or --yes for the first)")


def ask(what: str, option: str, candidates: Sequence[str]) -> str:
    """What a person types: a candidate's number or name, or nothing for the first.

    Raises:
        UserError: the terminal is closed.
    """
    print(f"{what[0].upper()}{what[1:]}?")
    for number, candidate in enumerate(candidates, start=1):
        print(f"  {number}  {candidate}")
    while True:
        try:
            said = input(f"1–{len(candidates)} [1]: ").strip() or "1"
        except EOFError:
            return refuse(what, option, candidates)
        if said in candidates:
            return said
        if said.isdecimal() and 1 <= int(said) <= len(candidates):
            return candidates[int(said) - 1]
