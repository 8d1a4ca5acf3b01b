"""What Snakemake would do today, why, and what made what is there: it is asked itself, and nothing runs."""

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from blemore.inspection.job import Job
from blemore.inspection.reasons import changes, named
from blemore.job import BadInput
from blemore.settings import SCRIPTS

SNAKEFILE = SCRIPTS.parents[1] / "Snakefile"


def jobs_of(folder: str | Path, targets: Sequence[str], configfiles: Sequence[str | Path]) -> list[Job]:
    """All jobs that the targets need, in an order in which they can run.

    Args:
        folder: working folder of the runs, which holds `results`.
        targets: rules, or files relative to the folder; none for the default.
        configfiles: laid over config.yaml, as `--configfile` does.

    Raises:
        BadInput: if a file of the configuration cannot be read, or Snakemake refuses the configuration, the data or a target;
            what the Snakefile itself refuses ends the process with its sentence.
    """
    with _workflow(folder, targets, configfiles) as workflow:
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        workflow._build_dag()
        return [_job(job, workflow) for level in workflow.dag.toposorted() for job in sorted(level, key=str) if job.rule.script]


@contextlib.contextmanager
def _workflow(folder: str | Path, targets: Sequence[str], configfiles: Sequence[str | Path]) -> Iterator[Any]:
    """The parsed workflow in its working folder, with the settings of the profile that Snakemake finds by itself."""
    # Imported here: it takes a second, which those who only look at a store need not wait for.
    from snakemake.api import SnakemakeApi
    from snakemake.cli import parse_args
    from snakemake.exceptions import RuleException, WorkflowError
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import DAGSettings, OutputSettings, ResourceSettings

    with contextlib.redirect_stderr(io.StringIO()):
        profile = parse_args(["--snakefile", str(SNAKEFILE), "--directory", str(folder)])[1]
    graph = DAGSettings(
        targets=frozenset(targets),
        rerun_triggers=profile.rerun_triggers,
        force_incomplete=profile.rerun_incomplete,
        max_checksum_file_size=profile.max_checksum_file_size,
    )
    logging.disable(logging.INFO)  # that it builds a graph; what is refused is a warning and more
    with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
        try:
            parsed = api.workflow(ResourceSettings(cores=1), _configuration(configfiles), snakefile=SNAKEFILE, workdir=Path(folder))
            yield parsed.dag(graph).workflow_api._workflow
        except (RuleException, WorkflowError) as error:
            raise BadInput(f"Snakemake refuses: {error}") from error
        finally:
            logging.disable(logging.NOTSET)


def _configuration(files: Sequence[str | Path]) -> Any:
    from snakemake.exceptions import WorkflowError
    from snakemake.settings.types import ConfigSettings

    for file in files:
        try:
            ConfigSettings(configfiles=[Path(file).resolve()])
        except (OSError, UnicodeDecodeError, WorkflowError) as error:
            raise BadInput(f"{file} cannot be read as configuration ({error}); --configfile takes all that follows it, so targets stand before it.") from error
    return ConfigSettings(configfiles=[Path(file).resolve() for file in files])


def _job(job: Any, workflow: Any) -> Job:
    dag, raw = workflow.dag, job.rule.params
    blocks = {name: value.block.format(**job.wildcards) for name, value in raw.items() if hasattr(value, "block")}
    compared = set(workflow.persistence._params(job))
    today = {name: value for name, value in job.params.items() if repr(value) in compared}
    recorded = next((record for output in job.output if (record := workflow.persistence.params(output)) is not None), None)
    made = named(recorded, today) if recorded is not None else {}
    runs = dag.needrun(job)
    return Job(
        rule=job.rule.name,
        wildcards=dict(job.wildcards.items()),
        output=[str(output) for output in job.output],
        runs=runs,
        recorded=recorded is not None,
        why=[*_files(job, dag), *(changes(recorded, today, blocks) if recorded is not None else [])] if runs else [],
        after=sorted({other.rule.name for other in dag.dependencies[job] if dag.needrun(other)}),
        made_with={blocks[name]: made[name] for name in blocks if name in made},
    )


def _files(job: Any, dag: Any) -> Iterator[str]:
    """Causes that are files: outputs that are not there, inputs that are new, gone or of other content."""
    reason = dag.reason(job)
    absent, recorded = sorted(map(str, reason.missing_output)), dag.workflow.persistence.input(job.output[0]) if job.output else None
    if absent:
        yield f"not there: {', '.join(absent)}" if recorded is not None else "never made"
    if reason.incomplete_output:
        yield "an earlier run was stopped in it"
    if reason.noio or reason.nooutput:
        yield "runs whenever it is asked for"
    other = sorted(str(file) for file in reason.updated_input - reason.updated_input_run)
    if other:
        yield f"other content: {', '.join(other)}"
    if recorded is not None:
        now = {str(file) for file in job.input}
        for words, files in (("inputs that are new", now - set(recorded)), ("inputs that are gone", set(recorded) - now)):
            stores = sorted(file for file in files if not file.endswith(".json"))
            if files:
                yield f"{words}: {', '.join(stores[:5] or sorted(files)[:5])}{f' and {len(stores) - 5} more' if len(stores) > 5 else ''}"
