"""Every job says what memory and time it needs; a scheduler believes it."""

import re


def rule_blocks(repository):
    text = "\n".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    blocks = re.split(r"(?m)^ *rule (\w*):$", text)[1:]
    return dict(zip(blocks[::2], blocks[1::2]))


def test_each_rule_with_a_script_has_memory_and_run_time(repository):
    with_script = {name: block for name, block in rule_blocks(repository).items() if "script:" in block}
    assert len(with_script) > 10
    assert [name for name, block in with_script.items() if not ("mem_mb=" in block and "runtime=" in block)] == []


def test_what_goes_to_the_network_is_no_cluster_job(repository):
    """Weights are fetched, and the state of the hub is told, where Snakemake runs."""
    hub, api, prints = {"fetch_weights", "check"}, {"embed_gemini", "gemini_estimate"}, {"validate"}
    for said, expected in (("hub_offline=hub_offline", hub), ("localrule: True", hub | api | prints)):
        assert {name for name, block in rule_blocks(repository).items() if said in block} == expected
