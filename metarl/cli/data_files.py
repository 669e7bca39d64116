"""data files: the flag that says where data lie that metarl does not hold; shared by every verb that loads problems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class DataFiles:
    """Where data lie that metarl does not hold."""

    data_dir: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The folder of CIFAR-10's binary files, for problems that need them; METARL_DATA_DIR if not given."""

    def use(self) -> None:
        """Makes the folder known to this process and those it starts; before a problem is loaded."""
        if self.data_dir is not None:
            from metarl.problems import use_data_folder

            use_data_folder(self.data_dir)
