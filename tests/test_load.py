"""The load benchmark's client at a real server: two visits, and what it calls a crossing."""

import asyncio

import numpy as np
import pytest
from browsing import served
from load import EVALUATE, TOGGLES, Person, Tally, course, memory, role_of, spread
from visits import Visit, cookies_of, visiting

PATIENCE_S = 120.0


def person(visit: Visit, role: str) -> Person:
    return Person(role, role, visit, np.random.default_rng(0), Tally(), "")


async def _two_visits(url: str, query: str) -> None:
    a, b = [await asyncio.to_thread(cookies_of, url) for _ in range(2)]
    async with (
        visiting(url, cookies=a) as of_a,
        visiting(url, cookies=b) as of_b,
    ):
        for visit in (of_a, of_b):
            assert await visit.open("prune", query) > 0
            assert visit.errors() == []
        prune, apply = of_b.button("-lab-Unprotect"), of_a.button("-prune-apply")
        assert prune is not None
        assert apply is not None
        await of_b.press(prune)
        assert of_b.parameters()["drop"] == "0"
        assert "drop" not in of_a.parameters()

        await of_a.press(apply)
        job = of_a.parameters()["job"]
        following = of_b.button("-lab-Next")
        assert following is not None
        await of_b.press(following)
        b = person(of_b, TOGGLES)
        b.dropped = {0}
        b.check()
        assert b.tally.crossings == []
        assert b.tally.errors == []
        async with visiting(url, cookies=a) as new_tab:  # the owner's
            await new_tab.open("prune", query)
            shown = new_tab.parameters()
            assert shown.get("job") == job or shown.get("plan")
        async with asyncio.timeout(PATIENCE_S):
            while of_a.stops():  # the page follows its job by itself
                await of_a.wait(0.2)
        await of_b.press(of_b.button("-lab-Next") or following)
        b.check()
        assert b.tally.crossings == []


def test_two_browsers_at_one_server_do_not_cross(example, fresh, tmp_path) -> None:
    view = example.view()
    query = "&".join(f"{name}={value}" for name, value in view.items())
    log = tmp_path / "server.log"
    with served(fresh, log=log, OMP_NUM_THREADS="1") as url:
        asyncio.run(_two_visits(url, query))


@pytest.mark.parametrize(
    ("role", "query", "said"),
    [
        (TOGGLES, "drop=1-2", "dropped [1, 2] and not []"),
        (TOGGLES, "plan=0123456789abcdef", "the plan 0123456789abcdef"),
        (TOGGLES, "job=0123456789ab", "the job 0123456789ab"),
        (EVALUATE, "drop=3", "dropped [3] and not []"),
    ],
)
def test_another_visits_choices_are_a_crossing(role: str, query: str, said: str) -> None:
    visit = Visit(socket=None, query=query)  # type: ignore[arg-type]
    someone = person(visit, role)
    someone.check()
    assert [text.partition(": ")[2] for text in someone.tally.crossings] == [said]


def test_apply_gone_is_a_crossing_for_who_evaluates_nothing() -> None:
    visit = Visit(socket=None, page="prune")  # type: ignore[arg-type]
    someone = person(visit, TOGGLES)
    someone.check()
    assert [text.partition(": ")[2] for text in someone.tally.crossings] == ["Apply gone"]


def test_roles_times_and_memory() -> None:
    roles = [role_of(n) for n in range(20)]
    assert roles.count(EVALUATE) == 1
    assert 5 <= roles.count("reads") <= 8
    assert spread([]) == {"n": 0}
    assert spread([1.0, 2.0, 3.0]) == {"n": 3, "p50": 2.0, "p95": 2.9, "max": 3.0}
    assert course([12, 36, 21]) == {"first": 12, "largest": 36, "last": 21}
    samples = [(0.0, 10**9), (59.0, 3 * 10**9), (61.0, 2 * 10**9)]
    assert memory(samples) == {"first": 1.0, "largest": 3.0, "last": 2.0, "by_minute": [3.0, 2.0]}
