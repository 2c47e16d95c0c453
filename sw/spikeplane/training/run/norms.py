"""Batch normalization over the batches of all processes."""

import torch
from torch import Tensor, nn

from .processes import Processes, sum_over_processes

__all__ = ["Norm", "use_norms"]


class Norm(nn.BatchNorm2d):
    """Batch normalization in float32 whatever its input is, with the statistics of all processes.

    Unlike PyTorch's SyncBatchNorm it works on a CPU as well.
    """

    def __init__(self, norm: nn.BatchNorm2d, processes: Processes):
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        for name, value in norm.named_buffers():
            self.register_buffer(name, value)
        self.train(norm.training)
        self.processes = processes

    def forward(self, input: Tensor) -> Tensor:
        maps = input.float()
        if not self.training or self.processes.count == 1:
            return super().forward(maps)
        variance, mean = torch.var_mean(maps, (0, 2, 3), correction=0)
        count = mean.new_full((1,), maps.numel() / maps.shape[1])
        row = torch.cat([mean, variance, count])
        rows = torch.zeros(self.processes.count, len(row), device=row.device)
        rows[self.processes.rank] = row
        means, variances, counts = sum_over_processes(rows).split(
            [len(mean), len(mean), 1], dim=1
        )
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        # Of the squares about the common mean: nothing cancels, as it would in E[x**2] - mean**2.
        variance = (counts * (variances + (means - mean).square())).sum(0) / total
        self._remember(mean.detach(), variance.detach() * total / (total - 1))
        slope = self.weight * (variance + self.eps).rsqrt()
        offset = self.bias - mean * slope
        return maps * slope[:, None, None] + offset[:, None, None]

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics; ``variance`` is the unbiased one."""
        assert self.momentum is not None
        for name, value in (("running_mean", mean), ("running_var", variance)):
            self.get_buffer(name).lerp_(value, self.momentum)
        self.get_buffer("num_batches_tracked").add_(1)


def use_norms(network: nn.Module, processes: Processes) -> None:
    """Put a :class:`Norm` in place of each batch normalization, with the same parameters."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, Norm(child, processes))
