"""How ambiguous choices are resolved: by asking the user, by an option, or by the best guess."""

import sys
from collections.abc import Callable, Sequence

from finetune.core.errors import UserError

# From the name of a choice, its command line option and the candidates, best first, to one of them.
Choose = Callable[[str, str, Sequence[str]], str]


def chooser(yes: bool) -> Choose:
    """`take_best` if `yes`, else `ask` in a terminal, else `refuse`."""
    if yes:
        return take_best
    return ask if sys.stdin.isatty() and sys.stdout.isatty() else refuse


def take_best(what: str, option: str, candidates: Sequence[str]) -> str:
    """Choose the first candidate."""
    return candidates[0]


def refuse(what: str, option: str, candidates: Sequence[str]) -> str:
    """Choose nothing.

    Raises:
        UserError: always; it names the candidates and the option.
    """
    listed = ", ".join(map(repr, candidates))
    raise UserError(f"init: {what} may be {listed}; choose with {option} (or --yes: the first)")


def ask(what: str, option: str, candidates: Sequence[str]) -> str:
    """Ask on the terminal for a candidate's number or name; an empty line is the first.

    Raises:
        UserError: the terminal is closed.
    """
    print(f"{what[0].upper()}{what[1:]}?")
    for number, candidate in enumerate(candidates, start=1):
        print(f"  {number}  {candidate}")
    while True:
        try:
            answer = input(f"1–{len(candidates)} [1]: ").strip() or "1"
        except EOFError:
            return refuse(what, option, candidates)
        if answer in candidates:
            return answer
        if answer.isdecimal() and 1 <= int(answer) <= len(candidates):
            return candidates[int(answer) - 1]
