import pytest
import torch
import torch.nn.functional as F

from spi_lightning.metrics import Temperature, fit_temperature


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [1, 5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature: float, classes: int) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(20_000, classes)
    probability = logits / true_temperature
    if classes == 1:
        logits, target = logits[:, 0], torch.bernoulli(probability[:, 0].sigmoid()).long()
    else:
        target = torch.multinomial(probability.softmax(1), 1)[:, 0]
    assert fit_temperature(logits, target) == pytest.approx(true_temperature, rel=0.05)


def test_it_lowers_the_cross_entropy_and_ignores_unknown_labels() -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 2, (500,))
    logits = 6 * (torch.randn(500) + target - 0.5)
    temperature = fit_temperature(logits, target)
    assert temperature > 1  # these logits are far too sure
    after = F.binary_cross_entropy_with_logits(logits / temperature, target.float())
    assert after < F.binary_cross_entropy_with_logits(logits, target.float())
    more = torch.cat([logits, torch.full((50,), 30.0)]), torch.cat([target, torch.full((50,), -1)])
    assert fit_temperature(*more) == temperature


def test_batches_do_not_show_and_no_label_means_one() -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 5, (300,))
    logits = torch.randn(300, 5) + F.one_hot(target, 5)
    metric = Temperature()
    for part in torch.randperm(300).split(11):
        metric.update(logits[part], target[part])
    assert float(metric.compute()) == pytest.approx(fit_temperature(logits, target), rel=1e-6)
    assert fit_temperature(logits, torch.full((300,), -1)) == 1.0
