"""Texts at gains of networks: at 1 the model's own, at 0 those of its lesion."""

import numpy as np
import pytest
from lesioned import SETTINGS

from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.generation import Prompt, Sampling
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.lesions.sites import MOST_GAIN, Lesion
from fnprune_core.lesions.steering import SteeringOrder, steer
from fnprune_core.lesions.writing import WritingOrder, open_lesion_text, write_under_lesion

PROMPT, SAMPLING = Prompt(text="aq ar as at"), Sampling(max_new_tokens=8)


def order(atlas, *gains) -> SteeringOrder:
    return SteeringOrder(
        decomposition_id=atlas.id, gains=gains, prompt=PROMPT, sampling=SAMPLING, settings=SETTINGS
    )


def test_gain_one_writes_what_the_model_writes_and_nought_what_its_lesion_does(
    workspace, llama, atlas
) -> None:
    same = steer(workspace, llama, order(atlas, (1, 1.0)))
    assert same.texts.text(PRUNED) == same.texts.text(DENSE)
    assert same.n_units == 0
    none = steer(workspace, llama, order(atlas, (1, 0.0)), dense_text=same.texts.written[DENSE])
    id = write_under_lesion(
        workspace,
        llama,
        WritingOrder(
            decomposition_id=atlas.id, lesion=Lesion(networks=(1,)), prompt=PROMPT,
            sampling=SAMPLING, settings=SETTINGS,
        ),
    )  # fmt: skip
    _, lesioned = open_lesion_text(workspace, id)
    assert none.texts.text(PRUNED) == lesioned.text(PRUNED)
    assert none.texts.text(DENSE) == same.texts.text(DENSE)


def test_units_of_two_networks_get_the_product_of_their_gains(sites) -> None:
    factors = sites.factors({0: 0.5, 2: 3.0})
    first, second = sites.members((0,)), sites.members((2,))
    expected = np.where(first, 0.5, 1.0) * np.where(second, 3.0, 1.0)
    assert np.array_equal(factors, expected)
    assert (factors[sites.spared] == 1).all()
    for gain in (-0.1, MOST_GAIN + 1):
        with pytest.raises(SettingsError, match="between 0 and 4"):
            sites.factors({0: gain})
