from dataclasses import replace

import numpy as np
from lesioned import SETTINGS

from fnprune_core.evaluation.generation import Prompt, Sampling, generate_stream
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.lesions.sites import Lesion
from fnprune_core.lesions.writing import WritingOrder, open_lesion_text, write_under_lesion
from fnprune_core.models.silencing import silenced


def test_texts_under_a_lesion_are_those_of_the_silenced_model(workspace, llama, atlas, sites):
    lesion, prompt = Lesion(networks=(0, 1)), Prompt(text="aq ar as at")
    asked = WritingOrder(
        decomposition_id=atlas.id, lesion=lesion, prompt=prompt, settings=SETTINGS,
        sampling=Sampling(max_new_tokens=12),
    )  # fmt: skip
    told = []
    id = write_under_lesion(
        workspace, llama, asked, on_token=lambda whose, written: told.append(whose)
    )
    found_lesion, found = open_lesion_text(workspace, id)
    assert found_lesion == lesion
    assert set(told) == {DENSE, PRUNED}
    ids = llama.tokenizer(prompt.text)["input_ids"]

    def condition():
        return silenced(llama, llama.layout.removed_of(~sites.members((0, 1))))

    *_, expected = generate_stream(llama, ids, sampling=asked.sampling, condition=condition)
    np.testing.assert_array_equal(found.written[PRUNED].token_ids, expected.token_ids)
    assert (
        write_under_lesion(workspace, llama, replace(asked, settings=replace(SETTINGS, seed=3)))
        == id
    )
