from written_report import N_NETWORKS

from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.reliability.assess import PARTS
from fnprune_core.report import methods
from fnprune_core.report.methods import parameters
from fnprune_core.storage.manifests import read_manifest


def test_methods_hold_every_parameter_of_the_artifacts(made) -> None:
    told = "".join(made.page.text)
    table = {(row[0], row[1]): row[2] for row in made.page.tables["parameters"]}
    settings = made.m.manifest["settings"]
    for name, value in settings.items():
        assert table["decomposition", name] == ("the default" if value is None else str(value))
    assert table["recording", "text_sha256"] == made.m.recording["inputs"]["text_sha256"]
    windows = made.m.recording["windows"]
    for said in (
        f"looked for {N_NETWORKS} networks",
        f"seed {settings['seed']}",
        f"at most {settings['max_iter']} iterations",
        f"its {2 * N_NETWORKS} leading principal components",
        f"{windows['n_tokens']:,} tokens of 6 documents",
        f"{windows['n_windows']} windows of 32 tokens",
        "The first 2 tokens of a window",
        "shuffled 2,000 times",
    ):
        assert said in told, said
    versions = {(row[0], row[1]) for row in made.page.tables["versions"]}
    for name, version in read_manifest(made.workspace.folder("plans", made.plans[0]))[
        "versions"
    ].items():
        assert (name, version) in versions


def test_every_measure_of_trust_is_described() -> None:
    """A report on an atlas whose members were measured failed: no text was there for them."""
    assert set(methods._TRUST) == set(PARTS)


def test_the_paper_whose_method_it_is_is_cited_wherever_it_is_used(made) -> None:
    for part in (methods._networks, methods._pruning):
        assert "{liu2025}" in "".join(
            block.text for block in part(made.m) if hasattr(block, "text")
        )
    for name in ("protect-ends", "threshold"):
        assert "{liu2025}" in ALLOCATIONS[name].says(30)
    assert "2508.05239" in "".join(made.page.text)


def test_every_part_of_trust_has_its_sentence() -> None:
    """The report of an atlas with members could not be written."""
    assert set(methods._TRUST) == set(PARTS)


def test_parameters_are_told_once(made) -> None:
    table = parameters(made.m)
    assert not table.duplicated(["of", "parameter"]).any()
