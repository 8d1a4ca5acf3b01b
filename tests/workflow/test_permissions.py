import pytest

pytestmark = pytest.mark.workflow


def test_nothing_of_a_run_is_open_to_others(finished):
    closed = [finished.folder / place for place in ("results", ".snakemake")]
    made = [*closed, *(path for path in (finished.folder / "results").rglob("*") if not path.is_symlink())]
    assert any(path.suffix == ".h5" for path in made)
    assert [path for path in made if path.stat().st_mode & 0o007] == []
