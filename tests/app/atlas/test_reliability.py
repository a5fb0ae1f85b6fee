from driving import finish, press, said, view

from app.shell.caches import trust
from fnprune_core.reliability import assess
from fnprune_core.reliability.reference import TrustSettings
from fnprune_core.storage.workspace import Workspace


def metrics(at) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def test_page_opens_before_anything_was_measured(example, open_page) -> None:
    at = open_page("trust", **example.view())
    assert not at.exception
    assert set(metrics(at)) == {"Alone explains", "Left out, lost", "Kurtosis"}
    assert any(button.label == "Measure" for button in at.button)


def test_measuring_fills_the_page_the_table_of_networks_and_the_gallery(
    example, open_page, monkeypatch
) -> None:
    at = open_page("trust", **example.view())
    job = (press(at, "Measure"), finish(at))[1]
    assert job.state == "done", job.failure
    assert not at.exception
    assert not [button for button in at.button if button.label.startswith("Measure")]
    table = trust.network_table(example.atlas)
    shown = metrics(at)
    assert shown["Split-half r"].startswith(f"{table['reproducibility'].iloc[0]:.2f}")
    assert shown["Found again, seeds"] == f"{table['again_seeds'].iloc[0]:.2f}"
    told = " ".join(caption.value for caption in at.caption)
    assert "Of random directions: rotated 0." in told
    for section in ("nulls", "variance", "k"):
        other = open_page("trust", **example.view(), show=section)
        assert not other.exception, section
        assert other.get("plotly_chart"), section


def test_a_stored_part_shows_and_the_rest_can_still_be_measured(example, open_page, fresh) -> None:
    assess.assess(Workspace(fresh), example.atlas, parts=["seeds"])
    at = open_page("trust", **example.view(), network="2")
    assert not at.exception
    assert "Found again, seeds" in metrics(at)
    assert "Split-half r" not in metrics(at)
    assert any(button.label == "Measure the rest" for button in at.button)
    assert view(at).network == 2


def test_too_few_documents_leave_out_halves_alone(example, open_page, monkeypatch) -> None:
    monkeypatch.setattr("fnprune_core.reliability.resampling.LEAST_DOCUMENTS", 99)
    at = open_page("trust", **example.view())
    assert not at.exception
    assert "No reproducibility for this recording" in said(at)
    captions = " ".join(caption.value for caption in at.caption)
    assert "other random starts" in captions
    assert "halves of the documents" not in captions


def test_default_settings_are_what_the_app_looks_for(example, fresh) -> None:
    made = assess.assess(
        Workspace(fresh), example.atlas, parts=["seeds"], settings=TrustSettings(n_seeds=2)
    )
    assert made.ids
    assert trust.assessment(example.atlas).is_empty


def test_decompose_takes_over_the_suggested_number_of_networks(example, open_page, fresh) -> None:
    asked = open_page("decompose", **example.view())
    assert any(button.label == "Measure it on Trust" for button in asked.button)
    assess.assess(Workspace(fresh), example.atlas, parts=["sizes"])
    suggested = trust.assessment(example.atlas).sizes.suggested()
    assert suggested is not None
    at = open_page("decompose", **example.view())
    assert at.number_input(key="ica-k").value == 64
    press(at, f"Use {suggested}")
    assert not at.exception
    assert at.number_input(key="ica-k").value == suggested
