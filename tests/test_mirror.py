"""A reader finds the proof of ``src/crystalgfn/a/b.py`` in ``tests/a/test_b.py``, or is told here where it is.

The proof of a package ``a`` as a whole may be ``tests/a/test_a.py``. Tests of ``scripts/`` lie in ``tests/scripts/``.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE, TESTS, SCRIPTS = ROOT / "src" / "crystalgfn", ROOT / "tests", ROOT / "scripts"

LONG = 100
"""Lines of a source file from which on it has tests of its own, or stands in :data:`ELSEWHERE`."""

SPANNING = {
    "test_architecture.py": "every file: its imports, and the page that draws them",
    "test_benchmarks_smoke.py": "benchmarks/",
    "test_columns_page.py": "docs/columns.md",
    "test_docs.py": "README and documentation",
    "test_examples.py": "examples/*.py",
    "test_fuzz.py": "every file that is read",
    "test_exploits.py": "every file that reads, writes or prints what others made",
    "test_mirror.py": "every file: its place",
    "test_notebooks.py": "examples/notebooks/*.ipynb",
    "test_pinned.py": "whole presets: what they sample, score and learn",
    "test_recipes.py": "examples/recipes/*.yaml",
    "cli/test_one_process.py": "commands that work in a folder: who holds it, and how they go on",
    "test_site.py": "mkdocs.yml",
    "evaluation/test_presets.py": "samples of whole presets",
    "evaluation/test_training_target.py": "training, judged by targets whose answers are known",
    "policy/test_conditional.py": "policies with conditions, through rewards, training and sampling",
    "policy/test_fourth_stage.py": "a further subspace with its stage, at every place of the stack",
    "policy/test_partition.py": "all stages: E[R P_B / P_F] = Z",
    "policy/test_site_stages.py": "all stages of spaces with sites: enumeration, normalisation, training",
    "policy/test_scores.py": "all stages: scores of transitions",
    "proxies/test_order.py": "the order of the files of proxies",
    "report/test_page_browser.py": "the scripts of the page, in a browser",
    "spaces/test_bounded_space.py": "bounds of the lattice in the whole stack",
    "spaces/constraints/test_new_constraint.py": "a further constraint, in every layer",
    "spaces/constraints/test_site_constraints.py": "constraints on sites and chemical systems, in every layer",
    "spaces/constraints/test_one_place.py": "every constraint: where its name stands, what its check looks at",
    "spaces/test_constraint_grid.py": "all constraints together",
    "stability/test_builtin_hull.py": "the hull that ships, and the script that makes it",
    "structures/candidates/test_registries.py": "a potential and a file format that are added, in the whole pipeline",
}
"""Tests that are not those of one file, and what they are tests of."""

ELSEWHERE = {
    "cli/loop.py": "loop/test_loop.py",
    "cli/structures.py": "structures/candidates/test_pipeline.py",
    "config/constraints.py": "config/test_config.py, spaces/test_constraint_grid.py",
    "config/loading.py": "config/test_config.py",
    "config/sections.py": "config/test_config.py",
    "crystallography/cells.py": "structures/placing/test_random_placement.py",
    "crystallography/sites/counting.py": "crystallography/sites/test_assignments.py",
    "crystallography/symmetry/standard.py": "structures/export/test_cif.py",
    "crystals/derived.py": "crystals/test_crystal.py",
    "crystals/property.py": "properties/test_registry.py",
    "crystals/tables/bounds.py": "test_exploits.py",
    "crystals/tables/cells.py": "crystals/tables/test_rows.py",
    "crystals/tables/files.py": "crystals/tables/test_tables.py",
    "crystals/tables/schema.py": "crystals/tables/test_tables.py",
    "crystals/tables/writer.py": "crystals/tables/test_tables.py",
    "datasets/candidates.py": "structures/candidates/test_pipeline.py",
    "evaluation/candidates.py": "evaluation/test_structures.py",
    "evaluation/cell_rules.py": "evaluation/test_validity.py",
    "evaluation/enumeration.py": "evaluation/test_analytic.py",
    "evaluation/inputs.py": "evaluation/test_structures.py",
    "gflownet/checkpoint.py": "gflownet/test_trainer.py, gflownet/test_prior.py",
    "gflownet/objectives/objective.py": "gflownet/objectives/test_registry.py",
    "loop/following.py": "loop/test_loop.py",
    "loop/plan.py": "loop/test_loop.py",
    "loop/log.py": "loop/test_loop.py",
    "loop/rounds.py": "loop/test_loop.py",
    "policy/network.py": "policy/test_partition.py",
    "policy/policy.py": "policy/test_partition.py, policy/test_scores.py",
    "policy/stages/composition.py": "policy/test_partition.py, policy/test_scores.py",
    "policy/stages/lattice.py": "policy/test_partition.py, policy/test_scores.py",
    "policy/stages/pattern_table.py": "policy/test_site_stages.py",
    "policy/stages/site_encoder.py": "policy/test_site_stages.py",
    "policy/stages/sites.py": "policy/test_site_stages.py",
    "policy/stages/slot_elements.py": "policy/test_site_stages.py",
    "policy/stages/slot_encoder.py": "policy/test_site_stages.py",
    "policy/stages/space_group.py": "policy/test_partition.py, policy/test_scores.py",
    "policy/stages/space_group_at_once.py": "policy/test_site_stages.py",
    "policy/stages/stage.py": "policy/test_partition.py",
    "proxies/card_text.py": "cli/test_proxy.py",
    "proxies/cards.py": "cli/test_proxy.py",
    "proxies/networks/inputs.py": "proxies/networks/test_features.py, proxies/networks/test_orbit_inputs.py",
    "proxies/networks/sets.py": "proxies/networks/test_base.py, proxies/networks/test_orbits.py",
    "report/page/energies.py": "report/page/test_build.py",
    "report/page/parts.py": "report/page/test_build.py",
    "report/page/static.py": "cli/test_report.py",
    "report/page/symmetry.py": "report/page/test_build.py",
    "report/page/table.py": "report/page/test_build.py",
    "rewards/terms/property.py": "rewards/test_reward.py",
    "rewards/terms/stability.py": "rewards/test_reward.py",
    "rewards/terms/term.py": "rewards/terms/test_registry.py",
    "runs/build.py": "runs/test_model.py",
    "runs/prior_data.py": "runs/test_prior.py",
    "spaces/charge_sets.py": "spaces/test_composition.py",
    "spaces/charge_states.py": "spaces/test_composition.py",
    "spaces/composition_tables.py": "spaces/test_composition.py",
    "spaces/constraints/base.py": "spaces/constraints/test_new_constraint.py",
    "spaces/constraints/element_sites.py": "spaces/constraints/test_site_constraints.py, policy/test_site_stages.py",
    "spaces/constraints/elements.py": "spaces/test_composition.py, evaluation/test_validity.py",
    "spaces/constraints/finished.py": "evaluation/test_validity.py",
    "spaces/constraints/ranges.py": "spaces/test_composition.py, evaluation/test_validity.py",
    "spaces/constraints/ratios.py": "spaces/test_composition.py, evaluation/test_validity.py",
    "spaces/constraints/reading.py": "cli/test_sample.py, spaces/test_constraint_grid.py",
    "spaces/constraints/registry.py": "spaces/constraints/test_new_constraint.py",
    "spaces/constraints/shares.py": "spaces/test_composition.py, evaluation/test_validity.py",
    "spaces/constraints/space_groups.py": "evaluation/test_validity.py, spaces/test_constraint_grid.py",
    "spaces/diagnosis.py": "spaces/test_crystal.py",
    "spaces/lattice_angles.py": "spaces/constraints/test_lattice_bounds.py",
    "spaces/lattice_box.py": "spaces/test_lattice.py, spaces/constraints/test_lattice_bounds.py",
    "spaces/lattice_volume.py": "spaces/test_lattice.py, spaces/constraints/test_lattice_bounds.py",
    "spaces/occupancy.py": "spaces/test_composition.py",
    "spaces/site_pattern_tables.py": "spaces/test_site_patterns.py",
    "spaces/site_pattern_space.py": "policy/test_site_stages.py",
    "spaces/site_states.py": "policy/test_site_stages.py",
    "spaces/slot_elements.py": "policy/test_site_stages.py",
    "spaces/slot_occupancy.py": "policy/test_site_stages.py",
    "spaces/slot_tables.py": "policy/test_site_stages.py",
    "spaces/subspace.py": "policy/test_fourth_stage.py",
    "stability/network.py": "stability/test_estimate.py",
    "structures/export/formats.py": "structures/export/test_genbench.py, structures/candidates/test_registries.py",
    "structures/candidates/candidate.py": "structures/candidates/test_pipeline.py",
    "structures/candidates/collection.py": "structures/candidates/test_pipeline.py",
    "structures/candidates/engines/local.py": "structures/candidates/test_pipeline.py",
    "structures/candidates/engines/ray_cluster.py": "structures/candidates/engines/test_ray.py",
    "structures/candidates/folder.py": "structures/candidates/test_pipeline.py",
    "structures/candidates/table.py": "structures/candidates/test_pipeline.py",
    "structures/candidates/workers.py": "structures/candidates/test_pipeline.py",
    "structures/placing/prototype_files.py": "structures/placing/test_prototypes.py",
    "structures/relaxing/potentials/chgnet.py": "structures/relaxing/potentials/test_potentials.py",
    "structures/relaxing/relaxation.py": "structures/relaxing/test_relax.py",
}
"""Long files without tests under their name, and the tests that prove them."""


def proof_of(source: Path) -> str:
    """Return where the tests of a source file lie: of ``a/__init__.py`` in ``a/test_a.py``."""
    name = source.parent.name if source.name == "__init__.py" else source.stem
    return str(source.parent.relative_to(SOURCE) / f"test_{name}.py")


TESTED = {proof_of(path): path for path in SOURCE.rglob("*.py")}
OF_SCRIPTS = {f"scripts/{path.relative_to(SCRIPTS).parent / f'test_{path.name}'}" for path in SCRIPTS.rglob("*.py")}
WRITTEN = sorted(str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py"))
SOURCES = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in sorted(SOURCE.rglob("*.py"))}


@pytest.mark.parametrize("test", WRITTEN)
def test_every_test_has_a_source_or_spans_several(test):
    assert (test in TESTED or test in OF_SCRIPTS) != (test in SPANNING)


@pytest.mark.parametrize("source", [source for source, lines in SOURCES.items() if lines > LONG])
def test_every_long_source_has_tests(source):
    assert (proof_of(SOURCE / source) in WRITTEN) != (source in ELSEWHERE)


def test_lists_name_what_is_there():
    assert set(SPANNING) <= set(WRITTEN)
    assert {source for source in ELSEWHERE if SOURCES.get(source, 0) <= LONG} == set()
    assert {test for tests in ELSEWHERE.values() for test in tests.split(", ")} <= set(WRITTEN)
