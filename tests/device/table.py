"""The table of waits and launches, which may only fall: ``waits.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.device.audit import Found

TABLE = Path(__file__).with_name("waits.yaml")
REMAKE = "python -m tests.device --write"
HEADER = f"""\
# What the emulated device counts of very small models, in a training step, an evaluation batch, the start of an epoch.
# It may only fall. Made by: {REMAKE}
"""


def stored() -> dict[str, dict[str, int]]:
    """Numbers by model or variant."""
    table: dict[str, dict[str, int]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


def store(table: dict[str, dict[str, int]]) -> None:
    """Write the table, a line for each model or variant."""
    lines = [
        f"{name}: {yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=1000)}"
        for name, row in table.items()
    ]
    TABLE.write_text(HEADER + "".join(lines), encoding="utf-8")


def differences(found: Found, row: dict[str, int]) -> list[str]:
    """How the numbers of a run differ from the stored ones, a line each, and where it waited."""
    lines = []
    for name, number in found.numbers.items():
        if number > row[name]:
            lines.append(f"{name} rose from {row[name]} to {number}")
        elif number < row[name]:
            lines.append(f"{name} fell from {row[name]} to {number}; keep that: {REMAKE}")
    return [*lines, *places(found)] if lines else []


def places(found: Found) -> list[str]:
    """What a run waited for, and where, a line each."""
    return [f"    {part}: {n} x {what}" for part, waits in found.waits.items() for what, n in waits.most_common()]
