"""L-BFGS with a squared-norm penalty, for logistic regression."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from spi_lightning.errors import UserError


class PenalisedLBFGS(LBFGS):
    """L-BFGS with line search on mean loss + |W|^2 / (2 C N), N being the number of training patterns.

    Multiplied by C N this is what scikit-learn's LogisticRegression minimises, |W|^2 / 2 + C times the summed loss, so
    both have the same minimum. Intercepts (parameters of one axis) are not penalised. One step runs until the gradient
    vanishes, so one epoch of one batch with all patterns is the whole training.

    Departure: the paper ran scikit-learn's solver of 2017 (liblinear), which penalised the intercept too.

    Args:
        parameters: Parameters of one network.
        C: Inverse strength of the penalty.
        max_iter: Largest number of iterations in a step.
        tolerance: Largest component of the gradient at which a step ends.
        history: Number of earlier steps that estimate the curvature.

    Attributes:
        patterns: Number of training patterns N, to be set before the first step.

    Raises:
        UserError: C is not positive, or N is not set at the first step.

    Source: Han & Li (2017), Sect. 5.2: L2 penalty, strength 1; Nocedal & Wright (2006), Algorithm 7.5.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        C: float = 1.0,  # noqa: N803  its name everywhere
        max_iter: int = 5000,
        tolerance: float = 1e-7,
        history: int = 50,
    ) -> None:
        if not C > 0:
            raise UserError(f"optimizer.C={C:g} must be positive")
        super().__init__(
            parameters,
            max_iter=max_iter,
            max_eval=2 * max_iter,
            tolerance_grad=tolerance,
            tolerance_change=1e-12,
            history_size=history,
            line_search_fn="strong_wolfe",
        )
        self.C, self.patterns = C, 0
        self.penalised = [parameter for parameter in self.param_groups[0]["params"] if parameter.ndim > 1]

    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Minimise the penalised loss, a scalar; ``closure`` computes the mean loss and its gradients."""
        if self.patterns < 1:
            raise UserError(
                "optimizer=penalised_lbfgs needs the number of training patterns: use experiment=han_vgg16_head"
            )
        strength = 1 / (self.C * self.patterns)

        def penalised() -> Tensor:
            loss = closure()
            with torch.no_grad():
                for weight in self.penalised:
                    loss = loss + strength / 2 * weight.square().sum()
                    if weight.grad is not None:
                        weight.grad.add_(weight, alpha=strength)
            return loss

        loss: Tensor = super().step(penalised)  # type: ignore[no-untyped-call]
        return loss
