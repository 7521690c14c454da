"""The network of the paper has the sizes of its Table 1."""

from crystalgfn.proxies.hyperparameters import RECIPES
from crystalgfn.proxies.networks.registry import build


def test_table1_has_the_papers_sizes():
    network = build(RECIPES["table1"].network)
    sizes = {name: tuple(p.shape[1:]) for name, p in network.named_parameters()}
    assert sizes["element.weight"] == (119, 128)
    assert sizes["period.weight"][1] == 256
    assert sizes["group.weight"][1] == 16
    assert sizes["space_group.weight"] == (231, 128)
    assert sizes["projection.weight"][1] == 64
    assert sizes["lattice_in.0.weight"] == (6, 284)
    assert [sizes[f"layers.{i}.weight"] for i in range(5)] == [(876, 576), *[(576, 576)] * 4]
    assert (RECIPES["table1"].batch_size, RECIPES["table1"].learning_rate) == (448, 1.7e-3)
