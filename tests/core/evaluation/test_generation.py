import threading
from contextlib import closing
from functools import partial

import numpy as np
import pytest
import tiny
import torch
from scipy.special import rel_entr
from transformers import TopPLogitsWarper

from fnprune_core.errors import NonFiniteError, SettingsError, TextError
from fnprune_core.evaluation.generation import (
    Generation,
    Prompt,
    Sampling,
    disagreement,
    encode,
    end_tokens,
    first_difference,
    generate_stream,
    has_chat_template,
    most_probable,
    repeated_share,
)
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import edit_projections
from fnprune_core.models.language_model import LanguageModel, wrap_model
from fnprune_core.models.silencing import Refit, silenced
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.pruning.slicing import prune

PROMPT = (3, 17, 5, 40)
CHAT = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}ar"


def whole(language_model: LanguageModel, prompt=PROMPT, *, n: int = 24, **options) -> Generation:
    sampling = options.pop("sampling", Sampling(max_new_tokens=n))
    return list(generate_stream(language_model, prompt, sampling=sampling, **options))[-1]


def cut_of(language_model: LanguageModel):
    """Return a plan, refits of its columns, and the condition that silences by them."""
    made = tiny.toy_plan(language_model)
    generator = torch.Generator().manual_seed(1)
    hidden = language_model.model.config.hidden_size
    refits = [
        Refit(columns=0.2 * torch.randn(hidden, width, generator=generator))
        for width in made.kept_widths
    ]
    return made, refits, partial(silenced, language_model, made.removed, refits=refits)


def pruned(language_model: LanguageModel, made, refits) -> LanguageModel:
    return wrap_model(prune(language_model, made, refits=refits), language_model.tokenizer)


@tiny.each_kind
def test_greedy_is_what_transformers_generates(language_model) -> None:
    expected = language_model.model.generate(
        torch.tensor([PROMPT]), max_new_tokens=24, do_sample=False
    )
    assert whole(language_model).token_ids.tolist() == expected[0, len(PROMPT) :].tolist()


@tiny.each_kind
def test_silenced_writes_what_the_pruned_copy_writes(language_model) -> None:
    made, refits, condition = cut_of(language_model)
    ours = whole(language_model, condition=condition)
    theirs = whole(pruned(language_model, made, refits))
    assert ours.token_ids.tolist() == theirs.token_ids.tolist()
    np.testing.assert_allclose(ours.log_probability, theirs.log_probability, atol=1e-4)
    assert ours.token_ids.tolist() != whole(language_model).token_ids.tolist()


@tiny.each_kind
def test_what_is_kept_of_earlier_tokens_changes_nothing(language_model) -> None:
    """Each step again by one pass over all tokens: the same distribution, silenced too."""
    _, _, condition = cut_of(language_model)
    for each in (None, condition):
        written = whole(language_model, condition=each)
        text = [*PROMPT, *written.token_ids]
        with each() if each else language_model.lock:
            logits = tiny.logits_of(language_model.model, torch.tensor([text]))
        log_p = torch.log_softmax(logits[0, len(PROMPT) - 1 : -1].float(), -1)
        own = log_p[torch.arange(len(log_p)), torch.from_numpy(written.token_ids)]
        np.testing.assert_allclose(written.log_probability, own, atol=2e-4)
        top = log_p.topk(10)
        np.testing.assert_allclose(written.top_log_probability, top.values, atol=2e-4)
        assert (written.top_ids[:, 0] == top.indices[:, 0].numpy()).all()


def test_hooks_are_off_and_the_lock_is_free_between_tokens(llama) -> None:
    _, _, condition = cut_of(llama)
    before = tiny.logits_of(llama.model, tiny.random_ids())
    with closing(generate_stream(llama, PROMPT, condition=condition)) as stream:
        for _ in range(3):
            next(stream)
            assert tiny.is_idle(llama)
            assert torch.equal(tiny.logits_of(llama.model, tiny.random_ids()), before)
    token = CancelToken()
    stream = generate_stream(llama, PROMPT, condition=condition, cancel=token)
    next(stream)
    token.cancel()
    with pytest.raises(Cancelled):
        next(stream)
    assert tiny.is_idle(llama)


def test_two_that_write_at_once_do_not_disturb_one_another(llama) -> None:
    _, _, condition = cut_of(llama)
    conditions = [None, condition, None, condition]
    expected = [whole(llama, condition=each).token_ids.tolist() for each in conditions]
    found: dict[int, list[int]] = {}

    def write(i: int) -> None:
        found[i] = whole(llama, condition=conditions[i]).token_ids.tolist()

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(4)] == expected


def test_a_seed_repeats_and_leaves_global_draws_alone(llama) -> None:
    hot = Sampling(max_new_tokens=20, temperature=1.5, top_p=0.95, seed=3)
    state = torch.get_rng_state()
    first = whole(llama, sampling=hot)
    assert torch.equal(torch.get_rng_state(), state)
    assert whole(llama, sampling=hot).token_ids.tolist() == first.token_ids.tolist()
    other = Sampling(max_new_tokens=20, temperature=1.5, top_p=0.95, seed=4)
    assert whole(llama, sampling=other).token_ids.tolist() != first.token_ids.tolist()


def test_draws_follow_the_model_at_the_temperature(llama) -> None:
    """The first token, drawn with 500 seeds, against the distribution it is drawn from."""
    log_p = torch.log_softmax(tiny.logits_of(llama.model, torch.tensor([PROMPT]))[0, -1], -1)
    expected = most_probable(torch.softmax(log_p / 1.3, -1), 0.8)
    counts = np.zeros(len(expected))
    for seed in range(500):
        hot = Sampling(max_new_tokens=1, temperature=1.3, top_p=0.8, seed=seed)
        counts[whole(llama, sampling=hot).token_ids[0]] += 1
    share = (expected / expected.sum()).numpy()
    assert set(np.flatnonzero(counts)) <= set(np.flatnonzero(share))
    z = (counts - 500 * share) / np.sqrt(500 * share.clip(1e-9) * (1 - share))
    assert np.abs(z[share > 0.01]).max() < 4


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 1.0])
def test_tokens_left_out_are_those_of_transformers(top_p) -> None:
    logits = torch.randn(1, 64, generator=torch.Generator().manual_seed(0))
    theirs = TopPLogitsWarper(top_p)(torch.tensor([PROMPT]), logits.clone()).isfinite()[0]
    ours = most_probable(torch.softmax(logits, -1)[0], top_p) > 0
    assert torch.equal(ours, theirs)
    assert 1 <= ours.sum() <= 64


def test_a_text_ends_where_the_model_ends_it(llama) -> None:
    ids = whole(llama).token_ids.tolist()
    last = next(i for i in range(3, 24) if ids[i] not in ids[:i])
    llama.model.generation_config.eos_token_id = [ids[last], 63]
    assert end_tokens(llama) == {ids[last], 63}
    ended = whole(llama)
    assert (ended.token_ids.tolist(), ended.stop) == (ids[: last + 1], "end")
    assert whole(llama, n=2).stop == "length"


def test_a_text_ends_where_the_model_reads_no_further(llama) -> None:
    size = llama.context_size
    assert size is not None
    ended = whole(llama, [1] * (size - 3))
    assert (ended.n_tokens, ended.stop) == (3, "context")
    with pytest.raises(TextError, match=f"{size} tokens; .* reads at most {size}"):
        encode(llama, Prompt(text="aq " * size))
    with pytest.raises(TextError, match="characters, too many"):
        encode(llama, Prompt(text="a" * 100_000))


def test_disagreement_is_that_of_whole_distributions(llama) -> None:
    made, refits, condition = cut_of(llama)
    text = whole(llama, n=70).token_ids  # more than are compared at once
    found = disagreement(llama, PROMPT, text, pruned=condition)
    ids = torch.tensor([[*PROMPT, *text]])
    log_p, log_q = (
        torch.log_softmax(tiny.logits_of(model, ids)[0, 3:-1].double(), -1).numpy()
        for model in (llama.model, prune(llama, made, refits=refits))
    )
    np.testing.assert_allclose(
        found.divergence, rel_entr(np.exp(log_p), np.exp(log_q)).sum(1), rtol=2e-3, atol=1e-4
    )
    rows = np.arange(len(text))
    for i, log_of in enumerate((log_p, log_q)):
        np.testing.assert_allclose(found.log_probability[i], log_of[rows, text], atol=1e-3)
        assert (found.top_ids[i, :, 0] == log_of.argmax(1)).all()
        for j in range(2):
            np.testing.assert_allclose(
                found.top_log_probability[i, j],
                np.take_along_axis(log_of, found.top_ids[j], 1),
                atol=1e-3,
            )
    assert found.most(1)[0] == found.divergence.argmax()
    ids, log_both = found.candidates(5)
    assert set(ids) == {*found.top_ids[0, 5], *found.top_ids[1, 5]}
    np.testing.assert_allclose(log_both, [log_p[5, ids], log_q[5, ids]], atol=1e-3)
    assert (np.diff(log_both.max(axis=0)) <= 0).all()
    nothing = partial(silenced, llama, [np.empty(0, dtype=np.int64)] * 3)
    assert disagreement(llama, PROMPT, text, pruned=nothing).divergence.max() == 0


def test_prompts(llama) -> None:
    ids = [tiny.WORDS.index(word) for word in ("aq", "ar")]
    assert encode(llama, Prompt(text="aq ar")) == tuple(ids)
    for text in ("", "   ", "\n"):  # of white space alone, this tokenizer makes no token
        with pytest.raises(TextError, match="empty"):
            encode(llama, Prompt(text=text))
    assert len(encode(llama, Prompt(text="\ud800"))) == 1  # half a pair of a pasted emoji
    assert not has_chat_template(llama)
    with pytest.raises(SettingsError, match="no chat template"):
        encode(llama, Prompt(text="aq", is_chat=True))


def test_a_chat_is_put_into_the_template(llama) -> None:
    llama.tokenizer.chat_template = CHAT
    assert has_chat_template(llama)
    words = [tiny.WORDS[i] for i in encode(llama, Prompt(text="aq", is_chat=True))]
    assert words == ["<unk>", "aq", "ar"]
    asked = Prompt(text="aq", is_chat=True, system="as at")
    words = [tiny.WORDS[i] for i in encode(llama, asked)]
    assert words == ["<unk>", "as", "at", "<unk>", "aq", "ar"]
    with pytest.raises(TextError, match="empty"):
        encode(llama, Prompt(text=" \n", is_chat=True, system="as"))
    llama.tokenizer.chat_template = "{{ raise_exception('no system') }}"
    with pytest.raises(SettingsError, match="refused this chat: no system"):
        encode(llama, asked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_new_tokens": 0},
        {"max_new_tokens": 10**6},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": float("nan")},
        {"seed": -1},
    ],
)
def test_sampling_out_of_range(wrong) -> None:
    with pytest.raises(SettingsError):
        Sampling(**wrong)


def test_a_ruined_model_is_told(llama) -> None:
    def ruin(layer, x, y):
        return y * float("nan")

    modules = output_projections(llama.model, llama.architecture)
    condition = partial(edit_projections, modules, edit_output=ruin)
    with pytest.raises(NonFiniteError, match="not finite"):
        whole(llama, condition=condition)
    assert tiny.is_idle(llama)


def test_first_difference() -> None:
    def said(*ids: int) -> Generation:
        n = len(ids)
        return Generation(
            token_ids=np.array(ids),
            log_probability=np.zeros(n, np.float32),
            top_ids=np.zeros((n, 1), np.int64),
            top_log_probability=np.zeros((n, 1), np.float32),
            stop="length",
        )

    assert first_difference(said(1, 2, 3), said(1, 2, 3)) is None
    assert first_difference(said(1, 2, 3), said(1, 9, 3)) == 1
    assert first_difference(said(1, 2), said(1, 2, 3)) == 2


def test_repeated_share() -> None:
    assert repeated_share([1, 2, 3]) == 0
    assert repeated_share(range(50)) == 0
    assert repeated_share([7] * 11) == pytest.approx(7 / 8)
    assert repeated_share([*range(8), *range(8)]) == pytest.approx(5 / 13)
