import json

from typer.testing import CliRunner

from fnprune_core.cli import cli


def test_the_commands_search_weights_and_take_them(workspace, llama, recording, tmp_path) -> None:
    llama.model.save_pretrained(tmp_path / "model")
    llama.tokenizer.save_pretrained(tmp_path / "model")
    where = ["--model", str(tmp_path / "model"), "--workspace", str(workspace.root), "--json"]
    cut = [recording.id, "--score", "flap", "--ratio", "0.3", "--sink-units", "0"]
    result = CliRunner().invoke(cli, ["search", "layers", *cut, "--blocks", "3", *where])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["gain"] <= 0
    weights = told["layer_weights"] or "1,1,0.5"
    words = ["plan", *cut, "--allocation", "weighted", "--layer-weights", weights, *where]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["allocation"] == "weighted"


def test_the_command_prints_the_mixes(workspace, llama, recording, tmp_path) -> None:
    llama.model.save_pretrained(tmp_path / "model")
    llama.tokenizer.save_pretrained(tmp_path / "model")
    words = [
        "search", "attention", recording.id, "--score", "flap", "--ratio", "0.4",
        "--attention", "0,0.17",
        "--sink-units", "0", "--json",
        "--model", str(tmp_path / "model"), "--workspace", str(workspace.root),
    ]  # fmt: skip
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [mix["attention_ratio"] for mix in told["mixes"]] == [0, 1 / 6]
    assert told["best"] == next(mix["plan_id"] for mix in told["mixes"] if mix["is_best"])
