"""What trained a run: device, processes, threads, precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Machine:
    """What the digits of a result may depend on beside the configuration.

    Attributes:
        device: ``cpu``, or the name of the accelerator.
        processes: that trained together.
        threads: of PyTorch in each process.
        precision: Lightning's name of it, such as ``32-true``.
    """

    device: str
    processes: int
    threads: int
    precision: str

    @classmethod
    def of(cls, device: torch.device, processes: int, precision: str) -> Machine:
        """The machine of this process.

        Args:
            device: of the model.
            processes: that train together.
            precision: Lightning's name of it.
        """
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return cls(name, processes, torch.get_num_threads(), precision)
