"""Han & Li's five classes at a size for the CPU, and the depth study of their Fig. 10.

python -m benchmarks.five_classes [--depths 5,4 3,2 7,6] [--steps 2350]

Each depth (n, m) is trained on the same 6,000 patterns, binned to 64 x 64, and tested on 2,000 of other models: once as
they are, once averaging the answers to each pattern and its seven turned and mirrored copies (task.views=dihedral).
"""

import argparse
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate

from benchmarks.doors import train
from benchmarks.record import write_result
from spi_lightning.tasks import find_checkpoint, load_task


def averaged_accuracy(run: Path) -> float:
    """Test accuracy of a finished run's best checkpoint with answers averaged over the eight views of each pattern."""
    task, config = load_task(find_checkpoint(run), instantiate)
    task.views = "dihedral"
    data = instantiate(config["data"], _convert_="all")
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_model_summary=False, enable_checkpointing=False)
    trainer.test(task, data, verbose=False)
    return float(task.results["test/kind_accuracy"])


def main() -> None:
    """Print the table and write benchmarks/results/five_classes.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", nargs="+", default=["5,4", "1,2", "3,2", "3,6", "7,6"])
    parser.add_argument("--steps", type=int, default=2350)
    options = parser.parse_args()
    result: dict[str, Any] = {"steps": options.steps}
    print(f"{'(n, m)':8s} {'validation':>11s} {'test':>7s} {'averaged':>9s} {'loss':>7s} {'minutes':>8s}")
    for depths in options.depths:
        folder = Path("runs/han_five_classes") / f"depths_{depths.replace(',', '_')}_steps{options.steps}"
        settings = [f"network.depths=[{depths}]", f"trainer.max_steps={options.steps}"]
        numbers = train(folder, "experiment=han_five_classes", *settings)
        averaged = averaged_accuracy(folder)
        result[depths] = {k: v for k, v in numbers.items() if isinstance(v, (int, float))}
        result[depths]["test/kind_accuracy_averaged"] = averaged
        print(
            f"({depths}) {numbers['val/kind_accuracy']:14.3f} {numbers['test/kind_accuracy']:7.3f} {averaged:9.3f}"
            f" {numbers['test/loss']:7.3f} {numbers['train/seconds'] / 60:8.1f}"
        )
    print(write_result("five_classes", result))


if __name__ == "__main__":
    main()
