from blemore.inspection.explanation import explain, made_with
from blemore.inspection.job import Job


def job(rule, wildcards=None, runs=True, why=(), after=(), made_with=None):
    return Job(rule, wildcards or {}, [], runs, True, list(why), list(after), made_with or {})


def test_jobs_of_one_cause_stand_together_and_name_four_of_their_shards():
    jobs = [job("crop_faces", {"shard": f"A{n}"}, why=["media.faces.size: 160 -> 128"]) for n in range(6)]
    assert explain([*jobs, job("report", after=["fuse"]), job("check_sheet", runs=False)]).splitlines() == [
        "7 of 8 jobs run.",
        "crop_faces, 6 jobs: shard A0, A1, A2, A3 and 2 more",
        "    media.faces.size: 160 -> 128",
        "report",
        "    after fuse",
    ]


def test_when_nothing_runs_it_says_so():
    assert explain([job("report", runs=False)]) == "Nothing runs: all is current."


def test_settings_that_made_a_result_stand_once_for_all_jobs_that_share_them():
    settings = {"media.faces": {"size": 160, "margin": 0.2}}
    jobs = [job("crop_faces", {"shard": shard}, made_with=settings) for shard in "AB"] + [
        job("crop_faces", {"shard": "C"}, made_with={"media.faces": {"size": 128}})
    ]
    assert made_with(jobs).splitlines() == [
        "crop_faces, 2 jobs: shard A, B",
        "    media.faces.size: 160",
        "    media.faces.margin: 0.2",
        "crop_faces: shard C",
        "    media.faces.size: 128",
    ]
    assert made_with([job("report")]) == "Snakemake has no record of what made it."
