"""Progress over phases: one share of the whole, which never falls."""

from fnprune_core.progress import Phases, ProgressEvent


def event(stage: str, done: int, total: int = 10) -> ProgressEvent:
    return ProgressEvent(stage=stage, done=done, total=total, unit="steps")


def test_stages_move_the_whole_by_the_length_of_their_phase() -> None:
    told: list[float] = []
    phases = Phases({"make": 30.0, "read": 10.0}, lambda each: told.append(each.overall))
    making = phases.within("make", {"moments": 1.0, "refits": 2.0})
    making(event("moments", 5))
    making(event("moments", 10))
    making(event("something else", 9))
    making(event("refits", 5))
    making(event("moments", 1))  # a second pass of the same kind takes nothing back
    phases.reach("make")
    phases.within("read", {"reading": 1.0})(event("reading", 5))
    assert [round(share, 4) for share in told] == [0.125, 0.25, 0.25, 0.5, 0.5, 0.875]
    phases.reach("read", 1.5)
    assert phases.overall == 1.0
    assert Phases({}, print).overall == 0.0


def test_the_time_left_follows_a_machine_that_becomes_busy() -> None:
    now = [0.0]
    phases = Phases({"make": 10.0, "read": 100.0}, print, clock=lambda: now[0])
    assert phases.seconds_left is None
    now[0] = 10.0
    phases.reach("make")
    assert phases.seconds_left == 100.0  # as expected
    for step in range(1, 31):  # three times slower from here on
        now[0] += 3.0
        phases.reach("read", step / 100)
    assert (
        round(phases.seconds_left, 6) == 210
    )  # 70 expected seconds, at the pace of the last minute
    done = phases.overall
    phases.expect_left("read", 140.0)  # by now it is known to take twice as long
    assert phases.overall == done
    assert round(phases.seconds_left, 6) == 420
