"""The straight path from noise to data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["LinearPath", "PathPoint"]


@dataclass(frozen=True, eq=False)
class PathPoint:
    """A point on a path and the velocity there.

    Args:
        time: path time in [0, 1], shape ``(batch,)``.
        state: the point, shape ``(batch, features)``, dimensionless.
        velocity: its derivative by path time, shape ``(batch, features)``.
    """

    time: Tensor
    state: Tensor
    velocity: Tensor


class LinearPath:
    r"""Noise and data joined by a straight line.

    .. math:: x_t = (1 - t)\,x_0 + t\,x_1, \qquad \dot x_t = x_1 - x_0

    Y. Lipman, R. Chen, H. Ben-Hamu, M. Nickel, M. Le, "Flow matching for generative modeling",
    2022, arXiv:2210.02747, eq. 20 with vanishing width; X. Liu, C. Gong, Q. Liu, "Flow straight
    and fast", 2022, arXiv:2209.03003, eq. 1.
    """

    def at(self, time: Tensor, noise: Tensor, data: Tensor) -> PathPoint:
        """Return state and velocity at ``time``.

        Args:
            time: in [0, 1], shape ``(batch,)``.
            noise: standard normal start, shape ``(batch, features)``.
            data: end, shape ``(batch, features)``.
        """
        velocity = data - noise
        return PathPoint(time, noise + time[:, None] * velocity, velocity)
