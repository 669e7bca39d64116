"""What was measured of scaling, as a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl.reporting import Column, Curve, Drawing, Table, curve_panels, write_csv, write_json

from .scaling import STRONG, WEAK

_COLUMNS = (
    Column("scaling"),
    Column("devices"),
    Column("batch_steps", "steps of an update"),
    Column("seconds", "seconds an update", essential=False),
    Column("steps_per_second", "steps a second"),
    Column("speedup", "times one device"),
    Column("efficiency"),
    Column("communication_share", "communication"),
    Column("difference", "difference from one device", essential=False),
)


def scaling_table(document: Mapping[str, Any]) -> Table:
    """Returns a row for each kind of scaling and number of devices."""
    environment = document["environment"]
    title = (
        f"{environment['name']}, trials of {environment['trial_steps']} steps: {document['network']}, "
        f"{document['parameters']:,} parameters, {document['platform']}, {document['cores']} cores"
    )
    notes = [
        f"{document['sums_per_update']} sums of {document['gradient_bytes']:,} bytes an update. "
        "Communication: their time, measured alone, over that of the update.",
    ]
    return Table(title, list(_COLUMNS), document["points"], notes)


def scaling_chart(document: Mapping[str, Any]) -> Drawing:
    """Returns the speed over that of one device, and the share of communication, by devices."""
    kinds = {
        kind: [point for point in document["points"] if point["scaling"] == kind]
        for kind in (WEAK, STRONG)
    }
    devices = [point["devices"] for point in kinds[WEAK]]
    speed = [*_curves(kinds, "speedup"), Curve("as many times", devices, devices, foreground=False)]
    if document["platform"] == "cpu":
        most = [min(count, document["cores"]) for count in devices]
        speed.append(Curve("cores", devices, most, foreground=False))
    return curve_panels(
        {
            "Speed over that of one device": speed,
            "Sums of gradients over the time of an update": _curves(kinds, "communication_share"),
        },
        "devices",
        ["times", "share"],
        description="Speed of training over that of one device, and the share of communication.",
    )


def write_scaling(place: Path, document: Mapping[str, Any]) -> list[Path]:
    """Writes document, table and figure into a directory, and returns the paths.

    Raises:
      OSError: it could not be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    drawing = scaling_chart(document)
    return [
        write_json(place / "scaling.json", document),
        write_csv(place / "scaling.csv", scaling_table(document)),
        drawing.write_svg(place / "scaling.svg"),
        drawing.write_png(place / "scaling.png"),
    ]


def _curves(kinds: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> list[Curve]:
    return [
        Curve(f"{kind} scaling", [p["devices"] for p in points], [p[name] for p in points])
        for kind, points in kinds.items()
    ]
