import pytest
import torch

from synthetic.pretraining.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 16, 40), (3, 40, 16), (1, 16, 16)])
def test_every_singular_value_moves_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.svdvals(orthogonal(matrices))
    # The published coefficients trade exactness for speed: near one, not at one.
    assert found.min() > 0.5
    assert found.max() < 1.3


def test_a_matrix_keeps_its_directions():
    matrix = torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix[0], full_matrices=False)
    inside = left.T @ orthogonal(matrix)[0] @ right.T
    assert torch.allclose(inside, inside.diagonal().diag(), atol=1e-4)


def test_matrices_of_one_shape_do_not_mix():
    both = torch.randn(2, 8, 12, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(orthogonal(both)[1], orthogonal(both[1:])[0], atol=1e-5)


def test_it_finds_the_least_squares_solution():
    generator = torch.Generator().manual_seed(3)
    inputs, truth = torch.randn(64, 8, generator=generator), torch.randn(8, 4, generator=generator)
    weight = torch.nn.Parameter(torch.zeros(8, 4))
    optimizer = Muon([weight], lr=0.1, weight_decay=0.0)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.5 * (1 - step / 200)
        optimizer.zero_grad()
        (inputs @ weight - inputs @ truth).square().mean().backward()
        optimizer.step()
    assert (weight - truth).abs().max() < 0.05
