"""A workspace with a finished run of one task."""

import pytest
from rated_workspace import ROOT, Workspace, one_task


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """Sixty rows, of which ten are answered alike."""
    (tmp_path / "params.yaml").write_text(one_task((ROOT / "params.yaml").read_text()))
    made = Workspace(tmp_path)
    same = [f"The same {n}." for n in range(10)]
    made.write(
        [*same, *(f"Base of {n}{'.' * (n % 5)}" for n in range(50))],
        [*same, *(f"Tuned of {n}{'!' * (n % 7)}" for n in range(50))],
    )
    return made
