"""The page Export: what each form means for a plan, the plan made again, speed, folders, forms."""

import json

import pytest
import tiny
from driving import finish, press, said, view
from open_reach import open_reach
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from app.pruning.export import export_tasks
from app.shell import resources
from app.shell.text_choice import TextChoice
from fnprune_core.evaluation import compare, expectation, results, rivals
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.export import speed
from fnprune_core.export.forms import form_named
from fnprune_core.export.gguf.tokenizer import PROBE
from fnprune_core.export.speed import ModelSpeed, Speed
from fnprune_core.models import modeling_per_layer
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.progress import ignore
from fnprune_core.pruning import planner
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.texts.documents import Document

SETTINGS = PlanSettings(score="flap", ratio=0.3, allocation="global", sink_units=2)


@pytest.fixture
def planned(example):
    """Make a plan from the example's recording: ``planned(settings)`` returns its id."""

    def make(settings=SETTINGS) -> str:
        return planner.plan(
            resources.workspace(),
            load_model(example.model),
            recording_id=example.recording,
            settings=settings,
        )

    return make


@pytest.fixture
def open_export(open_page, example):
    """Open the page with a plan, and a form if one is named."""

    def opened(plan: str, form: str = ""):
        return open_page("export", **example.view(), plan=plan, **({"show": form} if form else {}))

    return opened


def button(at, label):
    return next(each for each in at.button if each.label == label)


def test_what_to_expect_is_said_in_words_beside_the_button(open_export, planned, example) -> None:
    """A plan that doubled the perplexity was exported with a green tick alone."""
    plan, workspace = planned(), resources.workspace()
    assert "Not measured" in "".join(each.value for each in open_export(plan).markdown)
    model = load_model(example.model)
    documents = TextChoice(sources=(str(example.held_out),)).documents(open_reach(workspace))
    windows = compare.evaluation_windows(model, documents, window=32)
    compare.compare(workspace, model, windows, plan_ids={results.DENSE: None, "": plan})
    expectation.write_samples(workspace, model, plan, windows)
    found = expectation.expected_of(workspace, plan)
    at = open_export(plan)
    assert not at.exception
    assert found.title() in "".join(each.value for each in at.markdown).replace("\\", "")
    texts = [each.value for each in at.code]
    assert found.samples[0].text(results.DENSE) in texts
    assert found.samples[0].text(PRUNED) in texts


def evaluate_on(at, path) -> None:
    at.segmented_control(key="export-kind").set_value("Path or data set").run()
    at.text_input(key="export-source").set_value(str(path)).run()


@pytest.mark.parametrize("page", ["export", "generations"])
def test_without_a_plan_it_says_where_one_is_made(open_page, example, page) -> None:
    at = open_page(page, **example.view())
    assert not at.exception
    assert "Go to Prune" in [each.label for each in at.button]


def test_cards_say_which_forms_take_the_plan(open_export, planned) -> None:
    at = open_export(planned())
    assert not at.exception
    text = "\n".join(each.value for each in at.markdown)
    assert text.count("this plan fits") == 3  # masked, per layer and GGUF
    assert text.count("the plan is made again first") == 1  # uniform
    assert "code of its own that you trust" in text
    assert "Export as Per layer" in [each.value for each in at.subheader]  # it is smaller
    at = open_export(planned(SETTINGS.with_(allocation="uniform", multiple=8)))
    assert "Export as Uniform" in [each.value for each in at.subheader]
    resources.shelf().get(view(at).model, progress=ignore)
    at.run()
    assert "the dense model has" in "\n".join(each.value for each in at.markdown)


def test_what_a_family_has_no_place_for_is_told_once_the_model_is_loaded(
    open_export, planned, monkeypatch
) -> None:
    plan = planned()
    at = open_export(plan)
    assert "not for this plan" not in "\n".join(each.value for each in at.markdown)
    press(at, "Load the model")
    finish(at)
    text = "\n".join(each.value for each in at.markdown)
    assert "not for this plan" in text  # its tokenizer knows words, GGUF's are byte-level
    assert at.button(key="export-choose-gguf").disabled
    monkeypatch.setattr(
        "fnprune_core.export.from_workspace.why_no_form", lambda *_: "No home *here*."
    )
    at = open_export(plan, "uniform")
    assert "No home *here*." in said(at)
    assert "Export" not in [each.label for each in at.button]


@pytest.mark.parametrize("form", ["masked", "per-layer"])
def test_forms_that_take_the_plan_are_written_checked_and_load(open_export, planned, form) -> None:
    plan = planned()
    at = open_export(plan, form)
    press(at, "Export")
    job = finish(at)
    assert job.state == "done"
    assert not at.exception
    folder = job.result.folder
    assert folder == resources.workspace().root / "exports" / f"model-{plan}-{form}"
    assert "Written, loaded in a fresh process and compared" in said(at)
    code = "\n".join(each.value for each in at.code)
    assert ("trust_remote_code=True" in code) is form_named(form).brings_code
    assert f"lm_eval --model hf --model_args pretrained={folder}" in code
    config = json.loads((folder / "config.json").read_text())
    loader = AutoModelForCausalLM
    if form == "per-layer":
        assert config["layer_widths"] == list(resources.plan(plan).kept_widths)
        loader = getattr(
            modeling_per_layer, config["auto_map"]["AutoModelForCausalLM"].split(".")[1]
        )
    assert loader.from_pretrained(folder).config.num_hidden_layers == 3
    assert not [each for each in at.error]


def test_a_plan_is_made_again_for_the_uniform_form_measured_and_then_quoted(
    open_export, planned, example
) -> None:
    before = planned()
    at = open_export(before, "uniform")
    assert "needs layers that are alike" in said(at)
    assert "Export" not in [each.label for each in at.button]
    at.number_input(key="export-multiple-uniform").set_value(8).run()
    becomes = next(each for each in at.radio if each.key.startswith("export-rounding"))
    assert "29.9 % of units that go now" in becomes.label
    assert [option.split(":")[0] for option in becomes.options] == [
        "32 units per layer", "40 units per layer",
    ]  # fmt: skip
    becomes.set_value(becomes.options[1]).run()
    evaluate_on(at, example.held_out)
    press(at, "Plan again and measure")
    assert finish(at).state == "done"
    after = view(at).plan
    assert after != before
    made = resources.plan(after)
    wanted = SETTINGS.with_(allocation="uniform", multiple=8, ratio=8 / 48)
    assert made.settings == planner.canonical_settings(wanted)
    assert set(made.kept_widths) == {40}
    metrics = {each.label: each.value for each in at.metric}
    assert metrics["Units removed"] == "16.7 %"
    assert metrics["Units per layer"] == "40"
    quoted = at.dataframe[0].value
    found = rivals.evaluations_of(resources.workspace(), after)
    own = next(id for label, id in found.items() if label.startswith("pruned"))
    perplexity = results.open_evaluation(resources.workspace(), own).perplexity
    assert quoted["this plan"][0].startswith(f"{perplexity:.2f} (no interval)")
    assert rivals.evaluations_of(resources.workspace(), before)  # on the same text, paired
    assert any("nats per token from the plan before" in each.value for each in at.caption)
    press(at, "Export")
    job = finish(at)
    assert job.result.plan == after
    card = (job.result.folder / "README.md").read_text()
    assert f"{perplexity:.2f} (no interval)" in card
    assert "Units per layer: 40 of 48." in card


@pytest.mark.parametrize("problem", ["taken", "file", "room", "permission"])
def test_a_folder_that_cannot_be_written_is_told_before_the_button(
    open_export, planned, tmp_path, monkeypatch, problem
) -> None:
    at = open_export(planned())
    place = tmp_path / "place"
    place.mkdir()
    (place / "mine").write_text("mine")
    target, message = place / "new", ""
    if problem == "taken":
        target, message = place, "exists already"
    elif problem == "file":
        target, message = place / "mine" / "new", "is a file"
    elif problem == "room":
        usage = type("Usage", (), {"free": -1})
        monkeypatch.setattr("fnprune_core.storage.folders.shutil.disk_usage", lambda path: usage)
        message = "free"
    else:
        monkeypatch.setattr("fnprune_core.export.export.os.access", lambda path, mode: False)
        message = "no permission"
    key = next(each.key for each in at.text_input if each.key.startswith("export-folder"))
    at.text_input(key=key).set_value(str(target)).run()
    assert message in said(at)
    assert button(at, "Export").disabled
    assert not at.exception
    assert at.text_input(key=key).value == str(target)
    assert (place / "mine").read_text() == "mine"


def measured(*labels) -> Speed:
    models = {
        label: ModelSpeed(
            prefill_s=(0.5 / (i + 1), 0.6 / (i + 1)),
            decoding_s=(2.0, 2.2),
            peak_bytes=900_000_000,
            bytes_before=300_000_000,
            n_parameters=1000,
            parameter_bytes=4000,
        )
        for i, label in enumerate(labels)
    }
    protocol = {
        "n_prefill": 512, "n_decode": 64, "n_rounds": 2, "dtype": "float32", "device": "cpu",
        "device_name": "a <b>CPU</b>", "threads": 1, "torch": "2", "transformers": "5",
    }  # fmt: skip
    return Speed(models=models, protocol=protocol)


def test_speed_is_measured_by_a_button_and_goes_into_the_card(open_export, planned, monkeypatch):
    plan = planned(SETTINGS.with_(allocation="uniform", multiple=8))
    seen = []

    def time_folders(folders, **options):
        seen.extend(
            (label, (folder / "config.json").is_file()) for label, folder in folders.items()
        )
        return measured(*folders)

    monkeypatch.setattr(speed, "time_folders", time_folders)
    at = open_export(plan, "uniform")
    press(at, "Measure speed")
    assert finish(at).state == "done"
    assert seen == [("dense", True), ("masked", True), ("uniform", True)]
    alternatives = [chart.proto.alt for chart in at.get("plotly_chart")]
    assert any("uniform: 3.00 (3.00 to 3.00) times as fast as dense" in alt for alt in alternatives)
    assert not list(resources.workspace().root.glob(".unfinished-*"))
    press(at, "Export")
    card = (finish(at).result.folder / "README.md").read_text()
    assert "| uniform | 2,793 | 3.00 (3.00 to 3.00) | 30 | 1.00 (1.00 to 1.00) | 900 MB |" in card


def test_a_gguf_file_is_written_from_the_app(fresh, open_page, tmp_path) -> None:
    folder = tmp_path / "model"
    sizes = {**tiny._GROUPED, "vocab_size": 320, "intermediate_size": 48}
    tiny.tiny_model("Llama", config=LlamaConfig(**sizes)).save_pretrained(folder)
    tiny.bpe_tokenizer().save_pretrained(folder)
    model = load_model(str(folder))
    documents = [Document(text=PROBE * 6, domain=name, name=name) for name in ("prose", "code")]
    settings = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None)
    recording = record.record_texts(resources.workspace(), model, documents, settings=settings)
    plan = planner.plan(
        resources.workspace(),
        model,
        recording_id=recording,
        settings=SETTINGS.with_(allocation="uniform", multiple=2),
    )
    at = open_page("export", model=str(folder), recording=recording, plan=plan, show="gguf")
    at.segmented_control(key="export-weights").set_value("F32").run()
    press(at, "Export")
    job = finish(at)
    assert job.state == "done", job.failure
    target = job.result.folder
    assert (target / "model-F32.gguf").is_file()
    assert "llama-cli -m" in "\n".join(each.value for each in at.code)
    back = AutoTokenizer.from_pretrained(target, gguf_file="model-F32.gguf")
    assert back(PROBE)["input_ids"] == model.tokenizer(PROBE)["input_ids"]


def test_equal_orders_are_one_job_and_another_form_is_another() -> None:
    order = export_tasks.FitOrder(
        model="m", plan="p", multiple=8, is_alike=True, texts=TextChoice(), window=8, max_windows=1
    )
    one, two = (export_tasks.fit(order) for _ in range(2))
    assert one.inputs == two.inputs
    json.dumps(one.inputs)
    masked, uniform = (
        export_tasks.export(export_tasks.ExportOrder(model="m", plan="p", target="t", form=form))
        for form in ("masked", "uniform")
    )
    assert masked.inputs != uniform.inputs
