"""Histories that grow, are put away and taken up again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.serving.dot import dot


def test_a_session_recommends_as_its_whole_history(tmp_path: Path) -> None:
    model = dot(remove_seen=True)
    session = model.session()
    assert session.recommend(2).counts["empty_histories"] == 1
    for item, known in (("a", True), ("x", False), ("c", True), ("d", True), ("e", True)):
        assert session.add(item) is known
    found = session.recommend(2, block=["b"])
    assert found.items == model.recommend([["a", "c", "d", "e"]], 2, block=["b"]).items == [["f"]]
    session.save(tmp_path / "state.npz")
    again = model.session(tmp_path / "state.npz")
    assert again.recommend(3).items == session.recommend(3).items
    assert again.add("b") and session.recommend(3).items != again.recommend(3).items


def test_a_session_of_a_known_user(tmp_path: Path) -> None:
    model = dot(users=[7, 8])
    session = model.session(user=8)
    session.save(tmp_path / "state.npz")
    assert model.session(tmp_path / "state.npz").recommend(1).items == model.recommend([[]], 1, users=[8]).items


def test_a_state_of_other_weights_or_none_at_all_is_refused(tmp_path: Path) -> None:
    model, path = dot(), tmp_path / "state.npz"
    session = model.session()
    session.add("b")
    session.save(path)
    content = path.read_bytes()
    other = dot()
    other.engine.fingerprint = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="session with other weights"):
        other.session(path)
    with pytest.raises(FileNotFoundError):
        model.session(tmp_path / "none.npz")
    for broken in (b"", b"not an archive", content[:-30], content[:100]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="is not the state of a session"):
            model.session(path)
    for items in (np.array([0]), np.array([7]), np.array([[1]]), np.array([1.0]), np.array(["b"])):
        np.savez(path, items=items, user=np.array([], dtype=np.str_), model=np.array("dot"))
        with pytest.raises(ValueError, match="is not the state of a session; was it changed"):
            model.session(path)
    np.savez(path, items=np.array([object()]), user=np.array([]), model=np.array("dot"))
    with pytest.raises(ValueError, match="is not the state of a session"):
        model.session(path)
