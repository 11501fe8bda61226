"""The experiments that one command line asks for: one, or those of a sweep.

    python -m finetune.cloud.sweeps -S 'lora.r=8,16'

prints the overrides of the first, a line each, for `cloud/run.sh` to look at in advance.
"""

import argparse
from collections.abc import Sequence

from finetune.commands import common
from finetune.core.errors import ParamsError, one_line, squeezed


def of(name: str, overrides: Sequence[str]) -> dict[str, list[str]]:
    """The overrides of each experiment by its name: NAME, or NAME-1, NAME-2, … as DVC numbers them.

    Raises:
        ParamsError: an override is none.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import HydraException

    try:
        combinations = [
            each["params.yaml"] for each in get_hydra_sweeps({"params.yaml": overrides})
        ]
    except (DvcException, HydraException) as error:
        raise ParamsError(f"-S: {squeezed(error)}") from None
    if len(combinations) == 1:
        return {name: list(overrides)}
    return {f"{name}-{number}": list(each) for number, each in enumerate(combinations, 1)}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_overrides(parser)
    with one_line("finetune"):
        first, *_ = of("", parser.parse_args().overrides).values()
        print("\n".join(first))


if __name__ == "__main__":
    main()
