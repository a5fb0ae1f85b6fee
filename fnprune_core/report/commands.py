"""The commands that make everything in a report again, from the artifacts' own parameters."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fnprune_core.evaluation.history import PlanRecord
from fnprune_core.lesions.run import lesion_studies, open_lesions
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.localizers.ready_made import READY
from fnprune_core.localizers.ready_made import load as load_localizer
from fnprune_core.plans import files
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.report.experiments import run_localizers
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Code, Section, Text
from fnprune_core.storage import read_manifest
from fnprune_core.texts.documents import builtin_documents

TEXTS, OWN_STIMULI = "YOUR_TEXTS", "YOUR_STIMULI.tsv"
_ICA = {
    "n_components": "--k",
    "n_runs": "--runs",
    "scope": "--scope",
    "algorithm": "--algorithm",
    "fun": "--fun",
    "normalize": "--normalize",
    "max_iter": "--max-iter",
    "seed": "--seed",
}
#: Settings of `GroupICA` for which the command has no option, at their defaults.
_ICA_ONLY_PYTHON = {"tol": 1e-4, "n_session_components": None}


def reproduce(m: Material) -> Section:
    """Return the commands, each with the id that it must print."""
    return Section(key="reproduce", title="To make it again", blocks=tuple(_reproduce(m)))


def _reproduce(m: Material) -> Iterator[Block]:
    yield Text(
        text="An id is a hash of everything that determines a result: model, texts, parameters, "
        "seed. The same command prints the same id, and finds finished work instead of doing it "
        "again. Where a number must agree to its last digit, use the versions of the table above."
    )
    if TEXTS in record_command(m):
        named = ", ".join(m.recording["windows"]["document_names"][:4])
        yield Text(
            text=f"{TEXTS} stands for the texts that were read ({named}, …): files or folders, "
            "which a report does not hold. They are the same if the recording's id is."
        )
    version = m.manifest["versions"].get("fnprune", "")
    yield Code(text="\n".join([f"fnprune version  # {version}", *commands(m)]))


def commands(m: Material) -> list[str]:
    """Return the command lines in order, each with the id that it makes as a comment."""
    lines = [f"{record_command(m)}  # {m.atlas.decomposition.recording_id}"]
    lines += [f"{line}  # {m.atlas.id}" for line in atlas_commands(m)]
    if m.assessment_ids:
        lines.append(f"fnprune trust {m.atlas.id} --parts {','.join(m.assessment_ids)}")
    lines += localizer_commands(m)
    lines += lesion_commands(m)
    lines += [f"{plan_command(m, plan)}  # {plan.id}" for plan in m.plans]
    lines += evaluation_commands(m)
    names = {plan.id for plan in m.plans}
    for entry in reversed(m.entries("generations")):
        if entry.manifest.get("plan_id") in names:
            lines.append(_generate(entry.manifest))
    for entry in reversed(m.entries("speeds")):
        if entry.manifest.get("plan_id") in names:
            lines.append(f"fnprune speed {entry.manifest['plan_id']}{_model(m)}")
    lines.append(f"fnprune report {m.atlas.id} report.html --z {m.z:g}")
    return lines


def _options(values: Mapping[str, object]) -> str:
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in values.items())


def _model(m: Material) -> str:
    source = m.recording.get("model_source", "embedded")
    return "" if source == "embedded" else _options({"--model": source})


def record_command(m: Material) -> str:
    """Return what records the texts again."""
    facts, windows = m.recording, m.recording["windows"]
    is_builtin = _are_builtin(windows)
    # Windows that hold two documents were cut from joined ones.
    per_window = m.atlas.tokens.groupby("session", observed=True)["document"].nunique()
    pack = " --pack" if int(per_window.max()) > 1 else ""
    options = {
        "--window": windows["window"],
        "--max-tokens": max(windows["n_tokens"], windows["window"]),
        "--n-dummy-tokens": windows["n_dummy_tokens"],
        "--dtype": facts["inputs"]["dtype"],
    }
    if (seed := facts.get("seed")) is not None:
        options["--seed"] = seed
    texts = "builtin" if is_builtin else TEXTS
    return f"fnprune record {texts}{_options(options)}{pack}{_model(m)}"


def _are_builtin(windows: Mapping[str, Any]) -> bool:
    """Whether all documents are those of the built-in texts, by their names."""
    known = {document.name for document in builtin_documents()}
    return set(windows["document_names"]) <= known


def atlas_commands(m: Material) -> list[str]:
    """Return what decomposes the recording again, or applies the template."""
    d = m.atlas.decomposition
    settings = dict(m.manifest["settings"])
    if source := settings.get("applied_from"):
        keep = " --keep-maps" if settings.get("maps") == "template" else ""
        return [f"fnprune apply {source} {d.recording_id}{keep}"]
    if all(settings.get(name, value) == value for name, value in _ICA_ONLY_PYTHON.items()):
        chosen = {option: settings[name] for name, option in _ICA.items() if name in settings}
        return [f"fnprune decompose {d.recording_id}{_options(chosen)}"]
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    code = (
        "from fnprune_core.storage import Workspace; "
        "from fnprune_core.decomposition.group_ica import GroupICA, decompose; print(decompose("
        f"Workspace.default(), {d.recording_id!r}, settings=GroupICA({arguments})))"
    )
    return [f"python -c {shlex.quote(code)}"]


def localizer_commands(m: Material) -> list[str]:
    """Return what runs each localizer again."""
    lines = []
    for result in run_localizers(m):
        facts = read_manifest(m.workspace.existing("localizers", result.id))["inputs"]
        name, sides = facts["name"], ""
        if name not in READY:
            name = OWN_STIMULI
            sides = "".join(_options({"--positive": c}) for c in result.localizer.positive)
            sides += "".join(_options({"--negative": c}) for c in result.localizer.negative)
        options = {
            "--permutations": facts["settings"]["n_permutations"],
            "--seed": facts["settings"]["seed"],
            "--dtype": facts["dtype"],
        }
        line = f"fnprune localize {m.atlas.id} {name}{sides}{_options(options)}{_model(m)}"
        lines.append(f"{line}  # {result.id}")
    return lines


def lesion_commands(m: Material) -> list[str]:
    """Return what makes each lesion study again."""
    lines = []
    for id in lesion_studies(m.workspace, m.atlas.id):
        study = open_lesions(m.workspace, id)
        s, p = study.facts.settings, study.facts.protocol
        chosen = _chosen(study, m.atlas.n_networks)
        options = {
            "--random": study.nll.shape[1] - 1,
            "-z": f"{s.z:g}",
            "--towards": s.towards,
            "--sink-units": s.sink_units,
            "--seed": s.seed,
            "--dtype": p.dtype,
        }
        read = _read_by(study)
        if "--localizer" not in read:
            options |= {
                "--window": p.window,
                "--max-windows": -(-p.n_windows // len(study.columns)),
            }
        line = f"fnprune lesion {m.atlas.id}{read}{chosen}{_options(options)}{_model(m)}"
        lines.append(f"{line}  # {id}")
    return lines


def _chosen(study: LesionStudy, n_networks: int) -> str:
    """Return the options that choose a study's lesions."""
    single = sorted({e.networks[0] for e in study.lesions if len(e.networks) == 1})
    sets = dict.fromkeys(e.networks for e in study.lesions if len(e.networks) > 1)
    strengths = dict.fromkeys(e.strength for e in study.lesions)
    text = "" if not single or len(single) == n_networks else f" --networks {_ranges(single)}"
    text += "".join(f" --together {_ranges(each)}" for each in sets)
    return f"{text} --strengths {','.join(f'{each:g}' for each in strengths)}"


def _read_by(study: LesionStudy) -> str:
    """Return the arguments that name what a study was read on."""
    if "template" in study.facts.unit:
        names = _localizers_with(study.columns)
        return "".join(f" --localizer {name}" for name in names) or f" --localizer {OWN_STIMULI}"
    held_out = {document.domain for document in builtin_documents(split="held-out")}
    return "" if set(study.columns) <= held_out else f" {TEXTS}"


def _localizers_with(conditions: Sequence[str]) -> list[str]:
    """Return the ready localizers that have all these conditions between them."""
    found = [name for name in READY if set(load_localizer(name).conditions) <= set(conditions)]
    covered = {c for name in found for c in load_localizer(name).conditions}
    return found if covered == set(conditions) else []


def plan_command(m: Material, plan: PlanRecord) -> str:
    """Return what makes a plan again."""
    made = files.open_plan(m.workspace, plan.id)
    settings, default = plan.settings.to_json(), PlanSettings().to_json()
    options: dict[str, object] = {}
    flags = ""
    if plan.decomposition_id:
        options["--decomposition"] = plan.decomposition_id
    for name, value in settings.items():
        always = name in ("score", "ratio", "allocation", "compensation", "sink_units")
        if value == default.get(name) and not always:
            continue
        if name == "preserved":
            options["--preserve"] = _ranges(value)
        elif name in ("pinned_keep", "pinned_remove"):
            layer, index = made.layout.locate(np.array(value))
            units = ",".join(f"{a}:{b}" for a, b in zip(layer, index, strict=True))
            options["--keep-units" if name == "pinned_keep" else "--remove-units"] = units
        elif isinstance(value, bool):
            flags += f" --{name.replace('_', '-')}" if value else ""
        else:
            options[f"--{name.replace('_', '-')}"] = value
    return f"fnprune plan {plan.recording_id}{_options(options)}{flags}{_model(m)}"


def _ranges(numbers: Any) -> str:
    """Return numbers as the command line takes them: 0-3,7."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def evaluation_commands(m: Material) -> list[str]:
    """Return what measures the plans again, one command a text."""
    held_out = {document.domain for document in builtin_documents(split="held-out")}
    lines = []
    for text in m.texts():
        plans = [(plan, plan.on(text)) for plan in m.plans if plan.on(text) is not None]
        measured = next(each for _, each in plans if each is not None)
        result = m.result(measured.evaluation_id)
        p = result.protocol
        is_builtin = set(result.domain_names) <= held_out and result.domain_names
        options = {
            "--window": p.window,
            "--max-windows": p.n_windows,
            "--dtype": p.dtype,
        }
        named = "".join(f" --plan {plan.id}" for plan, _ in plans)
        texts = "" if is_builtin else f" {TEXTS}"
        note = f"  # text {p.text_sha256[:16]}"
        lines.append(f"fnprune evaluate{texts}{named}{_options(options)}{_model(m)}{note}")
    return lines


def _generate(manifest: Mapping[str, Any]) -> str:
    prompt, sampling = manifest["inputs"]["prompt"], manifest["inputs"]["sampling"]
    options = {
        "--tokens": sampling["max_new_tokens"],
        "--temperature": sampling["temperature"],
        "--top-p": sampling["top_p"],
        "--seed": sampling["seed"],
    }
    chat = " --chat" if prompt["is_chat"] else " --raw"
    system = _options({"--system": prompt["system"]}) if prompt["system"] else ""
    words = shlex.quote(prompt["text"])
    return f"fnprune generate {manifest['plan_id']} {words}{_options(options)}{chat}{system}"
