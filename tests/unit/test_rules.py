"""What every rule declares and every script keeps to, so that a change is seen by the jobs it concerns and by no other."""

import ast
import re

import pytest

from blemore.settings import SCRIPTS

NO_JOB = {"difference.py", "inspect_store.py", "validate_submission.py", "why_stale.py"}  # commands for people


def script_rules(repository):
    """Rule -> its text, for the rules that run a script."""
    text = "\n".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    blocks = re.split(r"(?m)^ *rule (\w*):$", text)[1:]
    return {name: block for name, block in zip(blocks[::2], blocks[1::2]) if "script:" in block}


def test_every_rule_has_a_log_an_environment_and_the_fingerprint_of_its_own_script(repository):
    found = script_rules(repository)
    assert len(found) >= 16
    # These print and leave nothing that could be stale.
    prints = {"check", "gemini_estimate", "validate"}
    for name, block in ((name, block) for name, block in found.items() if name not in prints):
        script = re.search(r'script:\s+"../workflow/scripts/(\w+\.py)"', block).group(1)
        env = re.search(r'conda:\s+"../envs/(\w+)\.yaml"', block).group(1)
        assert f'code=fingerprint("{script}", env="{env}")' in block, name
        assert "log:" in block, name
        assert "benchmark:" in block, name


JOBS = sorted(path for path in SCRIPTS.glob("*.py") if path.name not in NO_JOB)


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.name)
def test_a_script_does_nothing_when_imported(path):
    """Only definitions, and at the end the call of `main` that importing leaves out."""
    *body, last = ast.parse(path.read_text()).body
    definitions = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    others = [node for node in body if not isinstance(node, definitions)]
    assert all((isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or ast.unparse(node.test) == "TYPE_CHECKING" for node in others)
    assert ast.unparse(last) in ("if __name__ == '__main__':\n    run(main, snakemake)", "if __name__ == '__main__':\n    main(snakemake)")


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.py")), ids=lambda path: path.relative_to(SCRIPTS).as_posix())
def test_no_code_of_a_job_reads_the_configuration_past_its_params(path):
    assert not any(isinstance(node, ast.Attribute) and ast.unparse(node) == "snakemake.config" for node in ast.walk(ast.parse(path.read_text())))
