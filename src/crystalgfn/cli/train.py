"""``crystalgfn train``: train a sampler."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A preset or a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.", show_default=False)],
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last checkpoint.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as training.lr=1e-4.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of every random draw.", show_default=False)] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.", show_default=False)] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard events.")] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write report.html into the folder, at the end or on Ctrl-C.")
    ] = True,
) -> None:
    """Train a sampler from a preset or a configuration file."""
    import torch

    from crystalgfn.cli.device import check_device
    from crystalgfn.cli.training_view import TrainingView
    from crystalgfn.config import CONFIG, load_config
    from crystalgfn.gflownet.posterior import Posterior
    from crystalgfn.gflownet.trainer import Progress
    from crystalgfn.runs.build import POLICY
    from crystalgfn.runs.training import POSTERIOR
    from crystalgfn.runs.training import train as run_training

    check_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    changes = [*(overrides or ()), *([f"seed={seed}"] if seed is not None else ())]
    resolved = load_config(config, changes)
    last: list[Progress] = []
    with TrainingView(resolved) as view:

        def after(progress: Progress) -> None:
            view(progress)
            last[:] = [progress]

        try:
            trainer = run_training(
                resolved, output, resume=resume, device=device, tensorboard=tensorboard, on_iteration=after
            )
        except KeyboardInterrupt:
            view.close()
            if (output / CONFIG).is_file():
                again = ["crystalgfn", "train", config, "-o", str(output), *(f"--set={key}" for key in changes)]
                again += [f"--device={device}"] * (device != "cpu") + ["--tensorboard"] * tensorboard
                again += [f"--threads={threads}"] * (threads is not None) + ["--no-report"] * (not report)
                typer.echo(f"interrupted; go on after the last checkpoint: {shlex.join(again)} --resume", err=True)
                if report and (output / POLICY).is_file():
                    _report(output)
            raise
    if last:
        typer.echo(
            f"{trainer.trajectories} trajectories, log Z {last[0].log_z:.2f} (one batch), loss {last[0].loss:.3g}, "
            f"{trainer.nonfinite} updates left out as not finite"
        )
    if resolved.training.prior is not None:
        typer.echo(str(Posterior(**json.loads((output / POSTERIOR).read_text(encoding="utf-8")))))
    if report:
        _report(output)
    typer.echo(f"sample it with: crystalgfn sample {output} -n 10000 -o crystals.parquet")


def _report(run: Path) -> None:
    """Write the page of a run into its folder, or say what to install if the packages for pages are missing."""
    from importlib.util import find_spec

    if find_spec("plotly") is None:
        typer.echo("no report.html: pip install 'crystalgfn[report]', then crystalgfn report " + str(run), err=True)
        return
    from crystalgfn.cli.report import report as write_report

    write_report(run, run / "report.html", reference=None, baseline=None, figures=None, n=REPORTED, seed=0, smact=False)


REPORTED = 1_000
"""Samples in the page of a run."""
