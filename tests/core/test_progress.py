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
