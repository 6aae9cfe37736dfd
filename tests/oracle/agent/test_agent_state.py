"""What an agent must not forget."""

import threading
from pathlib import Path

import pytest

from oracle.adapters.store.agent_state import AgentState
from oracle.errors import Conflict, Fatal


def test_sequences_survive_and_count_apart(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    assert [state.next_sequence("a"), state.next_sequence("a"), state.next_sequence("b")] == [
        1,
        2,
        1,
    ]
    state.close()
    assert AgentState(tmp_path / "agent.db").next_sequence("a") == 3


def test_threads_never_draw_the_same_number(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    drawn: list[int] = []
    threads = [
        threading.Thread(target=lambda: drawn.extend(state.next_sequence("a") for _ in range(25)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(drawn) == list(range(1, 101))


def test_two_agents_on_one_state_are_refused(tmp_path: Path) -> None:
    first = AgentState(tmp_path / "agent.db")
    with pytest.raises(Conflict, match="another agent"):
        AgentState(tmp_path / "agent.db")
    assert first.next_sequence("a") == 1


def test_a_damaged_file_stops_the_agent(tmp_path: Path) -> None:
    (tmp_path / "agent.db").write_bytes(b"not a database, but long enough to be looked at" * 20)
    with pytest.raises(Fatal, match=r"agent\.db"):
        AgentState(tmp_path / "agent.db")


def test_outbox_is_ordered_per_oracle_and_path(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    for body in ("1", "2", "3"):
        state.post(["x", "y"], "/a", body, keep=10)
    state.post(["x"], "/b", "4", keep=10)
    letters = state.waiting("x", "/a", 2)

    assert [letter.body for letter in letters] == ["1", "2"]
    state.delivered(letters)
    assert [letter.body for letter in state.waiting("x", "/a", 9)] == ["3"]
    assert [letter.body for letter in state.waiting("y", "/a", 9)] == ["1", "2", "3"]
    assert [letter.body for letter in state.waiting("x", "/b", 9)] == ["4"]


def test_outbox_of_a_dead_oracle_is_bounded(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    for number in range(20):
        state.post(["x"], "/a", str(number), keep=3)
    assert [letter.body for letter in state.waiting("x", "/a", 9)] == ["17", "18", "19"]


def test_a_refused_message_is_not_sent_again(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    state.post(["x"], "/a", "bad", keep=10)
    state.refused(state.waiting("x", "/a", 1)[0], "malformed")

    assert state.waiting("x", "/a", 1) == []
    assert state.undelivered() == 0


def test_commits_are_kept_for_some_epochs(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    for epoch in range(1, 6):
        state.save_commit(bytes([epoch]), epoch, f"body {epoch}", keep=2)

    assert [state.commit_body(bytes([epoch])) for epoch in range(1, 6)] == [
        None,
        None,
        None,
        "body 4",
        "body 5",
    ]


def test_own_uuid_is_drawn_once(tmp_path: Path) -> None:
    state = AgentState(tmp_path / "agent.db")
    uuid = state.own_uuid()
    state.close()

    assert uuid.startswith("CPU-")
    assert AgentState(tmp_path / "agent.db").own_uuid() == uuid
    assert AgentState(tmp_path / "other.db").own_uuid() != uuid
