"""``crystalgfn train``: train a sampler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.cli.processes import training_processes
from crystalgfn.terminal import echo

if TYPE_CHECKING:
    from crystalgfn.config import Config
    from crystalgfn.gflownet.ranks import Ranks

app = typer.Typer()


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A preset or a YAML file.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Argument(help="A table of real crystals to learn from: sets training.data.path.", show_default=False),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.", show_default=False)],
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last checkpoint.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as training.lr=1e-4.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of every random draw.", show_default=False)] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.", show_default=False)] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard events.")] = False,
    trust: Trust = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write report.html into the folder, at the end or on Ctrl-C.")
    ] = True,
) -> None:
    """Train a sampler from a preset or a configuration file.

    On several processes: torchrun --standalone --nproc-per-node 2 -m crystalgfn train CONFIG -o RUN
    """
    import torch

    from crystalgfn.cli.device import check_device
    from crystalgfn.cli.models import consent
    from crystalgfn.config import load_config, run_folder
    from crystalgfn.errors import ConfigError
    from crystalgfn.files.trust import opened
    from crystalgfn.runs.build import POLICY

    with training_processes(device) as ranks:
        check_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        changes = [*(overrides or ()), *([f"seed={seed}"] if seed is not None else ())]
        paths = [f"training.data.path={json.dumps(str(data))}"] if data is not None else []
        resolved = load_config(config, [*changes, *paths], trust=trust)
        if resolved.is_prior and tensorboard:
            raise ConfigError("--tensorboard: not written for priors; metrics.csv has a row for every epoch")
        given = [output, *([data] if data is not None else [])]
        how: dict[str, Any] = {"resume": resume, "device": device, "trust": trust, "ranks": ranks}
        try:
            with opened(run_folder(config), trust=trust, also=given):
                if resolved.is_prior:
                    _train_prior(resolved, output, **how)
                else:
                    _train(resolved, output, tensorboard=tensorboard, **how)
        except KeyboardInterrupt:
            if report and ranks.size == 1 and (output / POLICY).is_file():  # torchrun waits for no page
                _report(output)
            raise
    if not ranks.first:
        return
    if report:
        _report(output)
    echo(f"sample it with: crystalgfn sample {output} -n 10000 -o crystals.parquet{consent(output)}")


def _train(config: Config, output: Path, *, ranks: Ranks, **how: Any) -> None:
    """Train on a reward, and show progress and result."""
    from crystalgfn.cli.training_view import TrainingView
    from crystalgfn.files.reading import read_json
    from crystalgfn.gflownet.posterior import Posterior
    from crystalgfn.gflownet.trainer import Progress
    from crystalgfn.runs.training import POSTERIOR
    from crystalgfn.runs.training import train as run_training

    last: list[Progress] = []
    with TrainingView(config) as view:

        def after(progress: Progress) -> None:
            view(progress)
            last[:] = [progress]

        trainer = run_training(
            config,
            output,
            ranks=ranks,
            on_iteration=after,
            on_interrupt=lambda: echo("interrupted: writing a checkpoint; once more to stop without it", err=True),
            **how,
        )
    if not ranks.first:
        return
    if last:
        echo(
            f"{trainer.trajectories} trajectories, log Z {last[0].log_z:.2f} (one batch), loss {last[0].loss:.3g}, "
            f"{trainer.nonfinite} updates left out as not finite"
        )
    if config.training.prior is not None:
        echo(str(read_json(output / POSTERIOR, Posterior)))


def _train_prior(config: Config, output: Path, *, ranks: Ranks, **how: Any) -> None:
    """Train on real crystals, with a line for the data and for every epoch on stderr, and show the result."""
    from crystalgfn.gflownet.prior import Epoch
    from crystalgfn.runs.prior import train_prior
    from crystalgfn.runs.prior_data import PriorData

    def before(data: PriorData) -> None:
        echo(str(data), err=True)

    def after(epoch: Epoch) -> None:
        parts = ", ".join(f"{name.replace('_', ' ')} {nats:.2f}" for name, nats in epoch.by_stage.items())
        held_out = f", held out {epoch.validation:.3f} nats ({parts})" if epoch.validation == epoch.validation else ""
        echo(f"epoch {epoch.epoch}: training {epoch.train:.3f}{held_out}{', best' * epoch.best}", err=True)

    trainer = train_prior(config, output, ranks=ranks, on_start=before, on_epoch=after, **how)
    if not ranks.first:
        return
    held_out = f", {sum(trainer.best_nats.values()):.3f} nats a held-out crystal" if len(trainer.held_out) else ""
    echo(
        f"weights of epoch {trainer.best_epoch} of {trainer.epoch}{held_out}; {trainer.cpu_seconds:,.0f} CPU seconds; "
        f"{trainer.nonfinite} updates left out as not finite"
    )


def _report(run: Path) -> None:
    """Write the page of a run into its folder, or say what to install if the packages for pages are missing."""
    from importlib.util import find_spec

    if find_spec("plotly") is None:
        echo("no report.html: pip install 'crystalgfn[report]', then crystalgfn report " + str(run), err=True)
        return
    from crystalgfn.cli.report import report as write_report

    write_report(  # what the user has just trained
        str(run),
        run / "report.html",
        reference=None,
        baseline=None,
        figures=None,
        n=REPORTED,
        seed=0,
        smact=False,
        force=True,
        trust=True,
    )


REPORTED = 1_000
"""Samples in the page of a run."""
