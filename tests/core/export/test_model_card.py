from dataclasses import replace

import tiny
from tiny import alike_plan

from fnprune_core.export.model_card import model_card


def test_the_card_names_a_base_model_only_where_it_can_be_found(tmp_path, llama):
    plan = tiny.toy_plan(llama)
    hub = replace(llama, source="owner/name")
    assert "base_model: owner/name" in model_card(hub, plan, form="masked")
    for source in (str(tmp_path), "embedded", "~/models/mine"):
        assert "base_model" not in model_card(replace(llama, source=source), plan, form="masked")
    assert "was not evaluated" in model_card(llama, plan, form="masked")


def test_the_card_says_how_wide_each_layer_is_and_how_to_load_it(llama):
    plan = tiny.toy_plan(llama)
    masked, own = (model_card(llama, plan, form=form) for form in ("masked", "per-layer"))
    assert "trust_remote_code" not in masked
    assert "from_pretrained('FOLDER', trust_remote_code=True)" in own
    assert "pretrained=FOLDER,trust_remote_code=True" in own
    assert "Units per layer: 48, 36, 24." in own
    alike = alike_plan(llama)
    rounded = replace(alike, settings=alike.settings.with_(multiple=8, ratio=0.25))
    card = model_card(llama, rounded, form="uniform")
    assert "Units per layer: 40 of 48." in card
    assert "a multiple of 8; 25.0 % were to go" in card
    assert "(16.7 %) are removed;" in card
