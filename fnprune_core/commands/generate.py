"""Command that lets the dense model and a plan write from one prompt."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import CommonOptions, with_model
from fnprune_core.commands.prune import PlanArgument, located, plan_id
from fnprune_core.progress import ProgressEvent

if TYPE_CHECKING:
    from fnprune_core.evaluation.generation import Generation
    from fnprune_core.evaluation.side_by_side import SideBySide

_MOST = 8


@with_model
def generate(
    plan: PlanArgument,
    prompt: Annotated[str, typer.Argument(help="What both models go on from.")],
    chat: Annotated[
        bool | None,
        typer.Option(
            "--chat/--raw", help="Put the prompt into the chat template (default: if there is one)."
        ),
    ] = None,
    system: Annotated[str, typer.Option(help="What a chat begins with.")] = "",
    max_new_tokens: Annotated[int, typer.Option("--tokens", "-n", help="Write at most.")] = 64,
    temperature: Annotated[
        float, typer.Option(help="0 takes the most probable token; above, tokens are drawn.")
    ] = 0.0,
    top_p: Annotated[
        float, typer.Option(help="Draw from the fewest tokens that together are this probable.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    *,
    common: CommonOptions,
) -> None:
    """Let the dense model and a plan go on from a prompt; show where they part."""
    from fnprune_core.evaluation import side_by_side
    from fnprune_core.evaluation.generation import Prompt, Sampling, has_chat_template

    sampling = Sampling(
        max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed
    )
    workspace = common.workspace
    path = located(workspace, plan)
    language_model = common.load()
    is_chat = has_chat_template(language_model) if chat is None else chat
    id = plan_id(workspace, language_model, path)
    with common.progress() as progress:

        def on_token(whose: str, written: "Generation") -> None:
            progress(
                ProgressEvent(stage=whose, done=written.n_tokens, total=max_new_tokens, unit="")
            )

        generation_id = side_by_side.generate(
            workspace,
            language_model,
            id,
            Prompt(text=prompt, is_chat=is_chat, system=system),
            sampling=sampling,
            on_token=on_token,
        )
    texts = side_by_side.open_generation(workspace, generation_id)
    facts = _generation_facts(generation_id, id, texts)
    if common.wrote_json(facts):
        return
    _print_texts(texts, facts)


def _generation_facts(id: str, plan: str, generated: "SideBySide") -> dict[str, Any]:
    from fnprune_core.evaluation.generation import repeated_share
    from fnprune_core.evaluation.results import DENSE
    from fnprune_core.evaluation.side_by_side import BOTH

    texts = {
        whose: {
            "text": generated.text(whose),
            "stop": written.stop,
            "token_ids": written.token_ids.tolist(),
            "pieces": list(generated.pieces[whose]),
            "log_probability": written.log_probability.tolist(),
            "repeated_share": repeated_share(written.token_ids),
        }
        for whose, written in ((whose, generated.written[whose]) for whose in BOTH)
    }
    return {
        "id": id,
        "plan": plan,
        "is_chat": generated.prompt.is_chat,
        "n_prompt_tokens": len(generated.prompt_ids),
        **texts,
        "first_difference": generated.first_difference,
        "mean_divergence": float(generated.expected[DENSE].divergence.mean()),
        "divergence": generated.expected[DENSE].divergence.tolist(),
        "most_different": [
            _place_facts(generated, int(i)) for i in generated.expected[DENSE].most(_MOST)
        ],
    }


def _place_facts(generated: "SideBySide", place: int) -> dict[str, Any]:
    """Return both models' predictions at a place of the dense model's text."""
    from fnprune_core.evaluation.results import DENSE

    expected = generated.expected[DENSE]
    top_ids = expected.top_ids[:, place, 0]
    return {
        "place": place,
        "token": generated.words[int(generated.written[DENSE].token_ids[place])],
        "divergence": float(expected.divergence[place]),
        "dense_expects": generated.words[int(top_ids[0])],
        "pruned_expects": generated.words[int(top_ids[1])],
        "log_probability_dense": float(expected.log_probability[0, place]),
        "log_probability_pruned": float(expected.log_probability[1, place]),
    }


def _print_texts(texts: "SideBySide", facts: dict[str, Any]) -> None:
    from fnprune_core.evaluation.side_by_side import BOTH

    print_table("Written", BOTH, [[texts.text(whose) for whose in BOTH]])
    first_difference = facts["first_difference"]
    print_facts(
        "Comparison",
        {
            "id": facts["id"],
            "plan": facts["plan"],
            "chat template": "yes" if facts["is_chat"] else "no",
            "first difference": "none" if first_difference is None else f"token {first_difference}",
            "mean divergence, nats per token": facts["mean_divergence"],
            "said before, of runs of 4 tokens": ", ".join(
                f"{whose} {100 * facts[whose]['repeated_share']:.0f} %" for whose in BOTH
            ),
        },
    )
    columns = ("token", "", "divergence", "dense expects", "pruned expects", "p dense", "p pruned")
    rows = [
        [
            place["place"], place["token"], place["divergence"],
            place["dense_expects"], place["pruned_expects"],
            math.exp(place["log_probability_dense"]), math.exp(place["log_probability_pruned"]),
        ]
        for place in facts["most_different"]
    ]  # fmt: skip
    print_table("Where they differ most on the dense model's text", columns, rows)
