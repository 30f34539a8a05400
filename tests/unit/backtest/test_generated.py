"""Generated streams change where they say, and are the same each time."""

import numpy as np
import pytest

from evermodel_runtime.backtest.generated import BUILT_IN, TARGET, Change, Family, Recipe, generate, which_concept

EVERY_FAMILY = [pytest.param(family, id=family) for family in Family]


@pytest.mark.parametrize(
    ("change", "concepts"),
    [
        pytest.param(Change.NONE, [0, 0, 0, 0], id="none"),
        pytest.param(Change.ABRUPT, [0, 1, 2, 3], id="abrupt: another world each time"),
        pytest.param(Change.RECURRING, [0, 1, 0, 1], id="recurring: there and back"),
        pytest.param(Change.GRADUAL, [0, 1, 2, 3], id="gradual: has arrived before the next begins"),
    ],
)
def test_the_world_changes_at_its_rows(change: Change, concepts: list[int]) -> None:
    active = which_concept(change, 10_000, np.random.default_rng(0))
    assert active[[2_999, 5_499, 7_999, 9_999]].tolist() == concepts


def test_a_gradual_change_mixes_both_worlds_on_the_way() -> None:
    active = which_concept(Change.GRADUAL, 10_000, np.random.default_rng(0))
    assert set(active[3_000:4_999].tolist()) == {0, 1}
    early, late = active[3_000:3_500].mean(), active[4_500:5_000].mean()
    assert early < 0.25
    assert late > 0.75


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_equal_recipes_give_equal_streams(family: Family) -> None:
    recipe = Recipe(family=family, change=Change.ABRUPT, noise=0.1, rows=500)
    assert generate(recipe).columns == generate(recipe).columns
    other = Recipe(family=family, change=Change.ABRUPT, noise=0.1, rows=500, seed=1)
    assert generate(recipe).columns != generate(other).columns


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_noise_is_the_share_of_labels_that_are_wrong(family: Family) -> None:
    labels = [
        np.array(generate(Recipe(family=family, change=Change.NONE, noise=noise)).columns[TARGET].to_pylist())
        for noise in (0.0, 0.1)
    ]
    assert np.mean(labels[0] != labels[1]) == pytest.approx(0.1, abs=0.01)


def test_the_built_in_streams_show_each_change_with_and_without_noise() -> None:
    assert {(recipe.change, recipe.noise > 0) for recipe in BUILT_IN} == {
        (change, noisy) for change in Change for noisy in (False, True)
    }
    assert len({recipe.name for recipe in BUILT_IN}) == len(BUILT_IN)
