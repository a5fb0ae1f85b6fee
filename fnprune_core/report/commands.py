"""Commands that make everything in a report again, from the artifacts' own parameters."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fnprune_core.evaluation.history import PlanRecord
from fnprune_core.evaluation.side_by_side import SideBySide
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.localizers.ready_made import READY
from fnprune_core.localizers.ready_made import load as load_localizer
from fnprune_core.plans import files
from fnprune_core.plans.command_line import plan_command as plan_line
from fnprune_core.plans.command_line import ranges, spelled
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Code, Text
from fnprune_core.storage.manifests import read_manifest
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


def reproduce(material: Material) -> Iterator[Block]:
    """Yield the commands, each with the id that it must print."""
    yield Text(
        text="An id is a hash of everything that determines a result: model, texts, parameters, "
        "seed. The same command prints the same id, and finds finished work instead of doing it "
        "again. Where a number must agree to its last digit, use the versions of the table above."
    )
    if TEXTS in record_command(material):
        names = ", ".join(material.recording["windows"]["document_names"][:4])
        yield Text(
            text=f"{TEXTS} stands for the texts that were read ({names}, …): files or folders, "
            "which a report does not hold. They are the same if the recording's id is."
        )
    version = material.manifest["versions"].get("fnprune", "")
    yield Code(text="\n".join([f"fnprune version  # {version}", *commands(material)]))


def commands(material: Material) -> list[str]:
    """Return the command lines in order, each with the id that it makes as a comment."""
    lines = [f"{record_command(material)}  # {material.atlas.decomposition.recording_id}"]
    lines += [f"{line}  # {material.atlas.id}" for line in atlas_commands(material)]
    if material.assessment_ids:
        lines.append(
            f"fnprune trust {material.atlas.id} --parts {','.join(material.assessment_ids)}"
        )
    if material.directions is not None:
        lines.append(f"fnprune directions {material.atlas.id} --seed {material.directions.seed}")
    lines += localizer_commands(material)
    lines += lesion_commands(material)
    lines += [f"{plan_command(material, plan)}  # {plan.id}" for plan in material.plans]
    lines += evaluation_commands(material)
    lines += [_generate_command(id, texts) for id, texts in reversed(material.generations[0])]
    lines += [
        f"fnprune speed {id}{_model_option(material)}" for id, _ in reversed(material.speeds[0])
    ]
    z_option = "" if material.z is None else f" --z {material.z:g}"
    lines.append(f"fnprune report {material.atlas.id} report.html{z_option}")
    return lines


def _model_option(material: Material) -> str:
    source = material.recording.get("model_source", "embedded")
    return "" if source == "embedded" else spelled({"--model": source})


def record_command(material: Material) -> str:
    """Return the command that records the texts again."""
    facts, windows = material.recording, material.recording["windows"]
    is_builtin = _are_builtin(windows)
    # Windows that hold two documents were cut from joined ones.
    documents_per_window = material.atlas.tokens.groupby("session", observed=True)[
        "document"
    ].nunique()
    pack = " --pack" if int(documents_per_window.max()) > 1 else ""
    options = {
        "--window": windows["window"],
        "--max-tokens": max(windows["n_tokens"], windows["window"]),
        "--n-dummy-tokens": windows["n_dummy_tokens"],
        "--dtype": facts["inputs"]["dtype"],
    }
    if (seed := facts.get("seed")) is not None:
        options["--seed"] = seed
    if facts["inputs"].get("keep", "all") != "all":
        options["--keep"] = facts["inputs"]["keep"]
        options["--most-networks"] = facts["inputs"]["most_networks"]
    texts = "builtin" if is_builtin else TEXTS
    return f"fnprune record {texts}{spelled(options)}{pack}{_model_option(material)}"


def _are_builtin(windows: Mapping[str, Any]) -> bool:
    """Whether all documents are those of the built-in texts, by their names."""
    builtin_names = {document.name for document in builtin_documents()}
    return set(windows["document_names"]) <= builtin_names


def atlas_commands(material: Material) -> list[str]:
    """Return the command that decomposes the recording again, or applies the template."""
    decomposition = material.atlas.decomposition
    settings = dict(material.manifest["settings"])
    if source := settings.get("applied_from"):
        keep_option = " --keep-maps" if settings.get("maps") == "template" else ""
        return [f"fnprune apply {source} {decomposition.recording_id}{keep_option}"]
    if all(settings.get(name, value) == value for name, value in _ICA_ONLY_PYTHON.items()):
        ica_options = {option: settings[name] for name, option in _ICA.items() if name in settings}
        return [f"fnprune decompose {decomposition.recording_id}{spelled(ica_options)}"]
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    code = (
        "from fnprune_core.storage.workspace import Workspace; "
        "from fnprune_core.decomposition.group_ica import GroupICA, decompose; print(decompose("
        f"Workspace.default(), {decomposition.recording_id!r}, settings=GroupICA({arguments})))"
    )
    return [f"python -c {shlex.quote(code)}"]


def localizer_commands(material: Material) -> list[str]:
    """Return the commands that run each localizer again."""
    lines = []
    for result in material.localizers[0]:
        facts = read_manifest(material.workspace.existing("localizers", result.id))["inputs"]
        name, sides = facts["name"], ""
        if name not in READY:
            name = OWN_STIMULI
            sides = "".join(
                spelled({"--positive": condition}) for condition in result.localizer.positive
            )
            sides += "".join(
                spelled({"--negative": condition}) for condition in result.localizer.negative
            )
        options = {
            "--permutations": facts["settings"]["n_permutations"],
            "--seed": facts["settings"]["seed"],
            "--dtype": facts["dtype"],
        }
        line = (
            f"fnprune localize {material.atlas.id} {name}{sides}{spelled(options)}"
            f"{_model_option(material)}"
        )
        lines.append(f"{line}  # {result.id}")
    return lines


def lesion_commands(material: Material) -> list[str]:
    """Return the commands that make each lesion study again."""
    lines = []
    for id, study in material.studies[0].items():
        settings, protocol = study.facts.settings, study.facts.protocol
        lesion_arguments = _lesion_arguments(study, material.atlas.n_networks)
        options = {
            "--random": study.nll.shape[1] - 1,
            **({} if settings.z is None else {"-z": f"{settings.z:g}"}),
            "--towards": settings.towards,
            "--sink-units": settings.sink_units,
            "--seed": settings.seed,
            "--dtype": protocol.dtype,
        }
        stimulus_arguments = _stimulus_arguments(study)
        if "--localizer" not in stimulus_arguments:
            options |= {
                "--window": protocol.window,
                "--max-windows": -(-protocol.n_windows // len(study.columns)),
            }
        line = (
            f"fnprune lesion {material.atlas.id}{stimulus_arguments}{lesion_arguments}"
            f"{spelled(options)}{_model_option(material)}"
        )
        lines.append(f"{line}  # {id}")
    return lines


def _lesion_arguments(study: LesionStudy, n_networks: int) -> str:
    """Return the options that choose a study's lesions."""
    single_networks = sorted(
        {lesion.networks[0] for lesion in study.lesions if len(lesion.networks) == 1}
    )
    sets = dict.fromkeys(lesion.networks for lesion in study.lesions if len(lesion.networks) > 1)
    strengths = dict.fromkeys(lesion.strength for lesion in study.lesions)
    text = (
        ""
        if not single_networks or len(single_networks) == n_networks
        else f" --networks {ranges(single_networks)}"
    )
    text += "".join(f" --together {ranges(networks)}" for networks in sets)
    return f"{text} --strengths {','.join(f'{strength:g}' for strength in strengths)}"


def _stimulus_arguments(study: LesionStudy) -> str:
    """Return the arguments that name the localizers or texts of a study."""
    if "template" in study.facts.unit:
        names = _localizers_with(study.columns)
        return "".join(f" --localizer {name}" for name in names) or f" --localizer {OWN_STIMULI}"
    held_out_domains = {document.domain for document in builtin_documents(split="held-out")}
    return "" if set(study.columns) <= held_out_domains else f" {TEXTS}"


def _localizers_with(conditions: Sequence[str]) -> list[str]:
    """Return the ready localizers that have all these conditions between them."""
    names = [name for name in READY if set(load_localizer(name).conditions) <= set(conditions)]
    covered = {condition for name in names for condition in load_localizer(name).conditions}
    return names if covered == set(conditions) else []


def plan_command(material: Material, plan: PlanRecord) -> str:
    """Return the command that makes a plan again."""
    line = plan_line(
        plan.settings,
        recording_id=plan.recording_id,
        decomposition_id=plan.decomposition_id,
        layout=files.open_plan(material.workspace, plan.id).layout,
    )
    return f"{line}{_model_option(material)}"


def evaluation_commands(material: Material) -> list[str]:
    """Return the commands that measure the plans again, one a text."""
    held_out_domains = {document.domain for document in builtin_documents(split="held-out")}
    lines = []
    for text in material.texts():
        plans = [(plan, plan.on(text)) for plan in material.plans if plan.on(text) is not None]
        first_measurement = next(measurement for _, measurement in plans if measurement is not None)
        result = material.result(first_measurement.evaluation_id)
        protocol = result.protocol
        is_builtin = set(result.domain_names) <= held_out_domains and result.domain_names
        options = {
            "--window": protocol.window,
            "--max-windows": protocol.n_windows,
            "--dtype": protocol.dtype,
        }
        plan_options = "".join(f" --plan {plan.id}" for plan, _ in plans)
        texts = "" if is_builtin else f" {TEXTS}"
        note = f"  # text {protocol.text_sha256[:16]}"
        lines.append(
            f"fnprune evaluate{texts}{plan_options}{spelled(options)}{_model_option(material)}"
            f"{note}"
        )
    return lines


def _generate_command(plan_id: str, texts: SideBySide) -> str:
    prompt, sampling = texts.prompt, texts.sampling
    options = {
        "--tokens": sampling.max_new_tokens,
        "--temperature": sampling.temperature,
        "--top-p": sampling.top_p,
        "--seed": sampling.seed,
    }
    chat = " --chat" if prompt.is_chat else " --raw"
    system = spelled({"--system": prompt.system}) if prompt.system else ""
    return f"fnprune generate {plan_id} {shlex.quote(prompt.text)}{spelled(options)}{chat}{system}"
