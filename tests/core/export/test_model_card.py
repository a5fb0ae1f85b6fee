from dataclasses import replace

import tiny
from planted_texts import ALL, FOLDER, read_as_markdown
from tiny import alike_plan

from fnprune_core.evaluation.intervals import DocumentSample
from fnprune_core.export.model_card import CardFacts, MeasuredPerplexity, model_card


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


def test_names_and_domains_are_text_in_the_card(llama):
    sample = DocumentSample(n=9, n_effective=9.0, freedom=8.0)
    figure = MeasuredPerplexity(
        label=ALL, perplexity=9.0, standard_error=0.1, sample=sample,
        protocol={"n_tokens": 9, "window": 8, "dtype": "x", "text_sha256": "0" * 64},
    )  # fmt: skip
    facts = CardFacts(
        figures=[figure], verdict=[f"On {ALL}\n# x"], unreadable=[ALL], elsewhere="Elsewhere.",
        speeds=[],
    )  # fmt: skip
    hostile = replace(llama, source=f"/models/{FOLDER}\n---\n# \x1b[31m")
    card = model_card(hostile, tiny.toy_plan(llama), form="masked", facts=facts)
    assert read_as_markdown(card) == []
    assert "\x1b" not in card
    assert [line for line in card.splitlines() if line.startswith("# ")] == [card.splitlines()[8]]
