"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Let folders name code to run, networks, and files outside of them: only if you trust whoever made them.",
    ),
]
