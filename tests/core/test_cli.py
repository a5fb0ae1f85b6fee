import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM
from typer.main import get_command

from fnprune_core.atlas import network_atlas
from fnprune_core.cli import cli
from fnprune_core.storage.workspace import Workspace


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> dict[tuple[tuple[object, ...], ...], Path]:
    """Workspaces that commands left, by the commands."""
    return {(): tmp_path_factory.mktemp("begun")}


@pytest.fixture
def after(program, begun, tmp_path_factory) -> Callable[..., None]:
    """Run commands in a new workspace, each sequence once: later tests have a copy of what it left.

    ``after(("record", texts), ("decompose", "latest"))``
    """

    def run(*commands: tuple[object, ...]) -> None:
        n_known = max(n for n in range(len(commands) + 1) if commands[:n] in begun)
        shutil.copytree(begun[commands[:n_known]], program.workspace)
        for n in range(n_known, len(commands)):
            program(*commands[n])
            left = tmp_path_factory.mktemp("left") / "workspace"
            begun[commands[: n + 1]] = shutil.copytree(program.workspace, left)

    return run


def commands(group=None, *before: str) -> Iterator[tuple[str, ...]]:
    """Every command of the program, as the words that call it."""
    group = group or get_command(cli)
    yield before
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield (*before, name)


# Help and mistakes


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_explains_itself(program, command) -> None:
    help_text = program(*command, "--help")
    assert "Usage: " in help_text
    assert " ".join(("fnprune", *command)) in help_text


def test_the_commands_of_the_issue_are_there() -> None:
    names = {command[0] for command in commands() if command}
    assert names >= {
        "record", "decompose", "plan", "prune", "evaluate", "export", "doctor", "workspace", "demo",
    }  # fmt: skip


@pytest.mark.parametrize("words", [("--help",), ("plan", "--help"), ("plan", "--no-such")])
def test_help_and_mistakes_in_options_load_no_torch(words) -> None:
    """They are told at once; torch and transformers take seconds to load."""
    code = f"""
import sys
sys.argv = ["fnprune", *{words!r}]
from fnprune_core.cli import main
try:
    main()
except SystemExit:
    loaded = {{"torch", "transformers", "sklearn", "pandas", "scipy"}} & set(sys.modules)
    print("loaded", sorted(loaded), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded []" in done.stderr


MISTAKES = {
    "No such option: --no-such": ("record", "--no-such"),
    "No such command": ("recrod",),
    "There is no model folder": ("doctor", "./no-such-model"),
    "no option of it": ("models", "embedded?dtyp=float16"),
    "no file": ("record", "./no-such-text.txt"),
    "There is no recording 'abc'": ("decompose", "abc"),
    "There is no recording 'abd'": ("plan", "abd"),
    "There is no decomposition 'abc'": ("apply", "abc", "abd"),
    "There is no decomposition 'abd'": ("match", "abd", "abe"),
    "--by must be one of auto, maps, courses": ("match", "abc", "abd", "--by", "names"),
    "--seed": ("match", "abc", "abd", "--seed", "-1"),
    "There is no plan 'abc'": ("prune", "abc"),
    "There is no plan 'abg'": ("generate", "abg", "Why?"),
    "There is no plan 'abd'": ("evaluate", "--plan", "abd"),
    "There is no plan 'abe'": ("export", "abe", "somewhere"),
    "There is no plan 'abj'": ("speed", "abj"),
    "There is no recording 'abw'": ("sweep", "abw"),
    "There is no recording 'ac1'": ("search", "attention", "ac1"),
    "There is no recording 'ac2'": ("search", "layers", "ac2"),
    "There is no decomposition 'abx'": ("lesion", "abx"),
    "There is no decomposition 'aby'": ("localize", "aby"),
    "There is no decomposition 'abz'": ("report", "abz"),
    "n_rounds must be 1 or more": ("speed", "abj", "--rounds", "0"),
    "abh is no folder of an exported model": ("speed", "abh", "abi"),
    "There are no recordings": ("decompose", "latest"),
    "The ratio is the share": ("demo", "--ratio", "20"),
    "There is no score 'entropy'": ("demo", "--score", "entropy"),
    "There is no plan at no-such-plan.json": ("import", "no-such-plan.json"),
    "There is no decomposition 'ac3'": ("names", "show", "ac3"),
    "There is no decomposition 'ac4'": ("names", "export", "ac4", "names.json"),
    "no-such-names.json cannot be read": ("names", "import", "ac5", "no-such-names.json"),
    "There is no decomposition 'ac6'": ("names", "match", "ac6"),
    "There is no decomposition 'ac7'": ("find", "ac7", "word"),
    "There is no decomposition 'no-such-maps'": ("volumes", "no-such-maps", "out"),
    "There is no decomposition 'no-such-page'": ("atlas", "no-such-page", "out.html"),
    "There is no decomposition 'no-such-trust'": ("trust", "no-such-trust"),
    "There is no decomposition 'no-such-chance'": ("chance", "no-such-chance"),
    "There is no decomposition 'no-such-directions'": ("directions", "no-such-directions"),
    "no folder that `fnprune export` wrote": ("push", "no-such-folder", "lab/model"),
    "There is no plan 'abf'": ("workspace", "delete", "plans", "abf"),
    "'plan' is no kind of artifact": ("workspace", "delete", "plan", "abc"),
    "'../x' in": ("workspace", "delete", "plans", "../x"),
    "valid integer": ("record", "--window", "many"),
    "At least 8": ("record", "--window", "3"),
    "Missing argument": ("export",),
    "No such option: --all": ("workspace", "list", "--all"),
    "greater than or equal to 1": ("app", "--port", "0"),
}


@pytest.mark.parametrize(
    ("message", "words"), MISTAKES.items(), ids=[" ".join(words) for words in MISTAKES.values()]
)
def test_a_mistake_is_one_clear_sentence(program, message, words) -> None:
    code, out, err = program.run(*words)
    assert code == 2
    assert out == ""
    assert message.lower() in " ".join(err.split()).lower()
    assert err.count("Error:") == 1
    assert "Traceback" not in err
    code, out, err = program.run(*words, "--json")
    assert code == 2
    error = json.loads(out)["error"]
    assert set(error) == {"message", "hint"}
    assert message.lower() in error["message"].lower()


OUT_OF_BOUNDS = {
    "runs is about 10^20": ("decompose", "abc", "--runs", "100000000000000000000"),
    "n_runs must be an integer from 1 to 1,000, got 2000000": (
        "decompose", "latest", "--runs", "2000000",
    ),
    "as an integer, exceeded maximum size": ("decompose", "abc", "--runs", "9" * 5000),
    "window is 2,147,483,648; whole numbers go to 2,147,483,647": (
        "record", "--window", "2147483648",
    ),
    "greater than or equal to 0": ("volumes", "abc", "out", "--z", "nan"),
    "The ratio is the share": ("plan", "RECORDING", "--ratio", "inf"),
    "z must be 0 or more and 1,000 or less, got inf": ("volumes", "abc", "out", "--z", "inf"),
    "z must be 0 or more and 1,000 or less, got nan": ("atlas", "abc", "out.html", "--z", "nan"),
    "is no path that can be looked at": ("record", "a" * 5000),
    "Could not determine home": ("record", "builtin", "--workspace", "~no-such-user/x"),
    "no path that can be looked": ("doctor", "b" * 5000),
    "holds bytes that are not UTF-8": ("record", "--domain", "caf\udce9"),
    "There is no recording": ("decompose", "c" * 5000),
    "over 1000 numbers": ("sweep", "RECORDING", "--ratios", "0.1," * 2000),
    "no finite number": ("sweep", "RECORDING", "--ratios", "0.1,nan"),
    "is not a list of networks": ("plan", "RECORDING", "--preserve", "0-9999999999"),
    "names 1,000,000,000 networks": ("plan", "RECORDING", "--preserve", "0-999999999"),
    "over 10,000 plans": ("sweep", "RECORDING", "--seeds", "9999"),
    "is not a unit": ("plan", "RECORDING", "--keep-units", "0:" + "9" * 5000),
    "n_rounds must be 1 or more and 1,000 or less": (
        "search", "layers", "RECORDING", "--rounds", "5000", "--score", "flap",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "words"), OUT_OF_BOUNDS.items(), ids=[message[:40] for message in OUT_OF_BOUNDS]
)
def test_a_value_out_of_bounds_is_told_at_once(
    program, after, model, texts, message, words
) -> None:
    """`--runs 100000000000000000000` once ended in a traceback, `0-9999999999` built its list."""
    if "RECORDING" in words or "latest" in words:
        after(("record", texts / "calibration", "--window", 64, "--model", model))
    words = ["latest" if word == "RECORDING" else word for word in words]
    start = time.perf_counter()
    code, out, err = program.run(*words)
    assert time.perf_counter() - start < 5
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""


def test_every_command_has_a_mistake_above() -> None:
    groups = ("workspace", "search", "names")
    tried = {words[: 2 if words[0] in groups else 1] for words in MISTAKES.values()}
    no_arguments = {("version",), ("example",), ("workspace", "size"), ("workspace", "clean"),
                    ("workspace", "verify")}  # fmt: skip
    assert set(commands()) - tried - no_arguments <= {(), ("workspace",), ("search",), ("names",)}


@pytest.mark.parametrize("command", [("version",), ("example",), ("workspace", "size"),
                                     ("workspace", "clean"), ("workspace", "verify")])  # fmt: skip
def test_commands_without_arguments_refuse_any(program, command) -> None:
    code, _, err = program.run(*command, "surplus")
    assert code == 2
    assert "surplus" in err


# The whole path


def test_from_texts_to_an_export(program, model, texts, tmp_path) -> None:
    with_model = ("--model", model, "--dtype", "float32")
    anatomy = program.json("doctor", model)
    assert anatomy["widths"] == [48, 48, 48]
    assert anatomy["proof"]["n_proven_layers"] == 3
    assert anatomy["proof"]["logits_difference"] < 1e-4 < anatomy["proof"]["logits_effect"]
    assert "self_attn.o_proj: proven" in program("doctor", model)

    read = ("record", texts / "calibration", "--window", 64, *with_model)
    estimate = program.json(*read, "--dry-run")
    recording = program.json(*read)
    assert recording["n_tokens"] == estimate["n_tokens"] == 4 * 17 * 64
    assert recording["domains"] == ["code", "prose"]
    assert recording["n_units"] == 144

    decompose = ("decompose", recording["id"], "-k", 4, "--runs", 1, "--fun", "logcosh")
    found = program.json(*decompose)
    assert len(found["networks"]) == 4
    assert found["networks"][0]["run_agreement"] is None  # one run says nothing of it
    assert found["warning"] == ""
    assert f"Decomposition {found['id']}: 4 networks" in program(*decompose)

    choose = ("plan", recording["id"], "-d", found["id"], "--sink-units", 2, *with_model)
    plan = program.json(*choose, "--ratio", 0.3)
    assert plan["preserved"] == 4
    assert sum(plan["kept_widths"]) == 144 - round(0.3 * 144)
    chosen = program.json(*choose, "--preserve", "0,2-3", "--drop", "2")
    assert chosen["preserved"] == 2
    bias = program.json(*choose, "--score", "flap", "--compensation", "bias")

    measured = program.json(
        "evaluate", texts / "held-out", "--window", 64, "--max-windows", 6,
        "--plan", plan["id"], "-p", bias["id"], *with_model,
    )  # fmt: skip
    assert [row["plan"] for row in measured["rows"]] == ["dense", plan["id"], bias["id"]]
    assert measured["rows"][0]["paired_difference"] == 0
    assert all(row["perplexity"] > 1 for row in measured["rows"])
    assert measured["protocol"]["n_tokens"] == 6 * 63

    pruned = program.json("prune", plan["id"], *with_model)
    assert pruned["units_removed"] == round(0.3 * 144)
    assert pruned["logits_relative_difference_to_silenced"] < 1e-5
    saved = pruned["n_parameters_dense"] - pruned["n_parameters_pruned"]
    assert saved == pytest.approx(plan["share_of_parameters"] * pruned["n_parameters_dense"])

    exported = program.json("export", plan["id"], tmp_path / "out", "--form", "masked", *with_model)
    assert AutoModelForCausalLM.from_pretrained(exported["folder"]).config.num_hidden_layers == 3
    figure = f"{measured['rows'][1]['perplexity']:.2f} (no interval)"
    assert figure in (tmp_path / "out" / "README.md").read_text()

    alike = program.json(*choose, "--ratio", 0.3, "--allocation", "uniform")
    smaller = program.json(
        "export", alike["id"], tmp_path / "uniform", "--form", "uniform", "--multiple", 8,
        *with_model,
    )  # fmt: skip
    assert smaller["kept_widths"] == [40, 40, 40]
    assert smaller["ratio"] == pytest.approx(8 / 48)
    assert smaller["ratio_before_rounding"] == alike["ratio"]
    config = AutoModelForCausalLM.from_pretrained(smaller["folder"]).config
    assert config.intermediate_size == 40
    own = program.json("export", plan["id"], tmp_path / "own", *with_model)
    assert own["form"] == "per-layer"
    assert own["kept_widths"] == plan["kept_widths"]
    assert own["use"]["lm-eval"].startswith("lm_eval --model hf --model_args pretrained=")
    assert "trust_remote_code=True" in own["use"]["lm-eval"]

    # A plan.json from elsewhere, here that of the export, is measured as the plan itself.
    elsewhere = program.json(
        "evaluate", texts / "held-out", "--window", 64, "--max-windows", 6,
        "--plan", tmp_path / "out" / "plan.json", *with_model,
    )  # fmt: skip
    assert elsewhere["rows"][1]["evaluation_id"] == measured["rows"][1]["evaluation_id"]

    listed = program.json("workspace", "list")["entries"]
    kinds = {"recordings", "decompositions", "plans", "evaluations", "generations"}
    assert kinds == {entry["kind"] for entry in listed}
    assert program.json("workspace", "delete", "plans", bias["id"])["deleted"] == bias["id"]
    assert bias["id"] not in program("workspace", "list")
    assert program.json("workspace", "size")["unfinished"] == 0
    assert program.json("workspace", "clean") == {"discarded": 0, "bytes": 0, "folders": {}}
    verified = program.json("workspace", "verify")
    assert verified["sound"] == len(verified["items"]) > 4
    assert verified["damaged"] == 0


def test_tables_for_people_say_the_same(program, model, texts) -> None:
    with_model = ("--model", model, "--window", 64)
    assert "n_tokens" in program("record", texts / "calibration", *with_model)
    assert "perplexity" in program("evaluate", texts / "held-out", *with_model)
    assert "evaluations" in program("workspace", "list")


def test_narrow_tables_cut_nothing_off(program, after, model, texts, monkeypatch) -> None:
    """Ids once ended in dots where the output was no terminal."""
    monkeypatch.setenv("COLUMNS", "60")
    after(
        ("record", texts / "calibration", "--window", 64, "--model", model),
        ("decompose", "latest", "-k", 4, "--runs", 1, "--fun", "logcosh"),
    )
    for words in (("workspace", "list"), ("decompose", "latest", "-k", 4, "--runs", 1)):
        assert "…" not in program(*words)


def test_a_plan_that_drops_a_domain(program, after, model, texts) -> None:
    after(
        ("record", texts / "calibration", "--window", 64, "--model", model),
        ("decompose", "latest", "-k", 6, "--runs", 1, "--fun", "logcosh"),
    )
    atlas = network_atlas.open_atlas(Workspace(program.workspace), "latest")
    dropped = atlas.networks_of_domain("code")
    assert 0 < len(dropped) < 6
    plan = program.json("plan", "latest", "-d", "latest", "--drop-domain", "code", "-m", model)
    assert plan["preserved"] == 6 - len(dropped)
    code, _, err = program.run("plan", "latest", "--drop-domain", "code", "-m", model)
    assert code == 2
    assert "Dropping networks needs a decomposition" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("record", "CALIBRATION", "--window", "1024"), "tiny-llama reads at most 512 at once"),
        (("evaluate", "CALIBRATION", "--window", "1024"), "tiny-llama reads at most 512 at once"),
        (("record", "EMPTY"), "There is no text in"),
        (("record", "SHORT"), "2 tokens, one window is 512"),
        (("decompose", "latest", "-k", "500"), "allow at most 143"),
        (("plan", "latest", "--score", "flap", "--ratio", "0.99"), "is not possible"),
        (("plan", "latest", "-d", "latest", "--preserve", "0,9"), "There is no network 9"),
        (("plan", "latest"), "there is no decomposition"),
        (("plan", "latest", "--score", "random", "--seed", "-1"), "seed must be 0 or more"),
        (("evaluate", "CALIBRATION", "--plan", "latest"), "shares a run of 50 tokens"),
        (("export", "latest", "FULL"), "exists already; nothing was written"),
        (("export", "latest", "new", "--form", "thin"), "no export form 'thin'"),
        (("export", "latest", "new", "--weights", "Q2_K"), "no weight type 'Q2_K'"),
    ],
)  # fmt: skip
def test_bad_input_to_a_model_is_one_clear_sentence(
    program, after, model, texts, tmp_path, words, message
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "short.txt").write_text("aq ar")
    before = [("record", texts / "calibration", "--model", model)]
    if "latest" in words[1:] and words[0] != "decompose":
        before.append(("decompose", "latest", "-k", 4, "--runs", 1))
    if words[0] in ("evaluate", "export"):
        flap = ("--score", "flap", "--compensation", "none")
        before.append(("plan", "latest", *flap, "--model", model))
    after(*before)
    places = {
        "CALIBRATION": texts / "calibration",
        "EMPTY": tmp_path / "empty.txt",
        "SHORT": tmp_path / "short.txt",
        "FULL": tmp_path / "full",
    }
    words = [places.get(word, word) for word in words]
    needs_model = () if words[0] == "decompose" else ("--model", model)
    ids = {entry.id for entry in Workspace(program.workspace).entries()}
    code, _, err = program.run(*words, *needs_model)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert {entry.id for entry in Workspace(program.workspace).entries()} == ids
    assert Workspace(program.workspace).unfinished() == []
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
