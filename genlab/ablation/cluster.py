"""A study's trainings as jobs of a SLURM cluster, by submitit: one a variant and seed, side by side; the study then gathers them.

An optional extra: ``pip install 'genlab[slurm]'``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from genlab.ablation.plan import Plan, plan_again
from genlab.ablation.study import Kind, begin, is_trained, train_one
from genlab.errors import InputError

LOGS = "slurm"
_SPARE_MINUTES = 30  # to load, validate and draw beside the training


def submit(plan: Plan, folder: Path | str, partition: str, *, kind: Kind | None = None, executor: Any = None) -> list[str]:
    """Hand every training that is not finished to the cluster.

    Args:
        plan: What is asked for.
        folder: Of the study, on a disk that the nodes see.
        partition: The cluster's.
        kind: As of `genlab.ablation.study`.
        executor: One of submitit's; None takes the SLURM that is here.

    Returns:
        The jobs' ids. `genlab.ablation.study` on the same folder goes on once they are done: it measures what is trained, and trains
        itself what is not.

    Raises:
        InputError: There is no submitit or no SLURM here, or the folder holds something else.
        RunError: The folder cannot be written.
    """
    executor = executor or _slurm(Path(folder), plan, partition)
    begin(plan, folder, kind=kind)
    waiting = [number for number, (variant, seed) in enumerate(plan.runs) if not is_trained(Path(folder), variant, seed)]
    jobs = [executor.submit(work, plan.as_json(), number, str(Path(folder).resolve())) for number in waiting]
    return [str(job.job_id) for job in jobs]


def work(stored: dict[str, Any], number: int, folder: str) -> str:
    """What a node does: the training of that number, from its checkpoint if it has one; returns the run's state."""
    plan = plan_again(stored)
    return train_one(plan, *plan.runs[number], Path(folder)).state()


def _slurm(folder: Path, plan: Plan, partition: str) -> Any:
    try:
        import submitit  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise InputError("slurm must have submitit installed: pip install 'genlab[slurm]'") from None
    if shutil.which("sbatch") is None:
        raise InputError(f"slurm must be here to take jobs; sbatch is not found on this machine (partition {partition!r})")
    executor = submitit.AutoExecutor(folder / LOGS, cluster="slurm")
    minutes = plan.training.get("minutes")
    limit = {} if minutes is None else {"timeout_min": int(minutes) + _SPARE_MINUTES}
    executor.update_parameters(slurm_partition=partition, name="genlab", **limit)
    return executor
