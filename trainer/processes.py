"""The processes that train one model together, each on a device of its own; mostly there is one.

Every process holds the whole model and takes an even share of the rows of each batch. Gradients
are summed over the processes before each step, so all of them make the same step. The process
group is Hugging Face Accelerate's: gloo between processors, NCCL between GPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor

from trainer.devices import choose_device
from trainer.errors import TrainingError
from trainer.launching import is_launched

__all__ = ["Processes", "join_processes", "leave_processes"]

Item = TypeVar("Item")

# The others wait so long while the main process reads, checks or writes.
_PATIENCE = timedelta(minutes=30)


class Processes:
    """One process among those that train together.

    Args:
        device: where this process computes.
        index: which one it is, from 0; 0 is the main process, which alone reads and writes states
            and writes the checkpoint.
        count: how many there are.
    """

    def __init__(self, device: torch.device, *, index: int = 0, count: int = 1) -> None:
        self.device, self.index, self.count = device, index, count

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This process's part of what all of them do; each item is in one part."""
        return list(items[self.index :: self.count])

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place.

        Raises:
            TrainingError: another process is gone.
        """
        if self.count > 1:
            placed = tensor.to(self.device)
            _exchange(torch.distributed.all_reduce, placed)
            if placed is not tensor:
                tensor.copy_(placed)
        return tensor

    def hear(self, word: Any = None) -> Any:
        """Return the main process's ``word`` in every process.

        Raises:
            TrainingError: another process is gone.
        """
        words = [word]
        if self.count > 1:
            _exchange(torch.distributed.broadcast_object_list, words, src=0, device=self.device)
        return words[0]


def join_processes(wanted: str) -> Processes:
    """Take a device, and meet the other processes where a launcher started several.

    Args:
        wanted: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        TrainingError: CUDA was asked for and there is none, or the others cannot be met.
    """
    device = choose_device(wanted)
    if not is_launched():
        return Processes(device)
    from accelerate import PartialState

    try:
        state: Any = PartialState(cpu=device.type == "cpu", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the processes of this training cannot meet: {str(error).splitlines()[0]}; start "
            "them with accelerate launch, each with a GPU of its own"
        ) from error
    return Processes(state.device, index=state.process_index, count=state.num_processes)


def leave_processes() -> None:
    """Close the connections to the other processes that ``join_processes`` made.

    Raises:
        TrainingError: another process is gone.
    """
    from accelerate import PartialState

    state: Any = PartialState()
    # None goes before the others have what they wait for.
    _exchange(state.wait_for_everyone)
    state.destroy_process_group()


def _exchange(function: Any, *arguments: Any, **options: Any) -> None:
    try:
        function(*arguments, **options)
    except RuntimeError as error:
        raise TrainingError(
            "another process of this training is gone; its own message says why; run the same "
            "command again to go on from the last state"
        ) from error
