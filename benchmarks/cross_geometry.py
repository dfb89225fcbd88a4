"""Han & Li's cross-geometry table: trained on some bodies, tested on single hits and clusters of others.

python -m benchmarks.cross_geometry

Test sets come from the literal route, half single hits, half clusters, 60 models of each body. Two training sets:
theirs (literal, icosahedra) and ours (fast generator, many bodies, neither truncated icosahedra nor tori). Default
threshold.
"""

from pathlib import Path
from typing import Any

from benchmarks.doors import evaluate, simulate, train
from benchmarks.record import write_result

BODIES = ("icosahedron", "truncated_icosahedron", "torus")
PUBLISHED = {"icosahedron": (0.0, 0.0), "truncated_icosahedron": (0.587, 0.0), "torus": (0.848, 0.0)}
TRAINING = {
    "literal": [
        "simulate=literal_icosahedra",
        "data.patterns={train: 12000, val: 1000, test: 1000}",
        "trainer.max_steps=1500",
        "network.dropout=0.25",
    ],
    "ours": [],
}
FOLDER = Path("runs/han_cross_geometry")


def test_set(body: str, patterns: int = 6000) -> Path:
    """Literal patterns of one body, 100 of every model."""
    none = [f"simulate.scene.particle.bodies.{each}=0" for each in ("icosahedron", "truncated_icosahedron")]
    bodies = [*none, f"++simulate.scene.particle.bodies.{body}=1"]
    return simulate(
        FOLDER / f"{body}_{patterns}.cxi", "simulate=literal", f"patterns={patterns}", "seed=77", "workers=1", *bodies
    )


def main() -> None:
    """Print the table and write benchmarks/results/cross_geometry.json."""
    result: dict[str, Any] = {}
    for name, overrides in TRAINING.items():
        train(FOLDER / name, "experiment=han_cross_geometry", *overrides)
        for body in BODIES:
            chosen = [
                f"checkpoint={FOLDER / name}",
                f"data.path={test_set(body)}",
                "frame_columns=0",
                "report.occlusion=0",
            ]
            numbers = evaluate(FOLDER / f"{name}_{body}", *chosen)
            displayed = {key: numbers[f"test/{key}"] for key in ("false_positive_rate", "auroc", "accuracy")}
            rates = {"false_negative_rate": 1 - numbers["test/recall"], **displayed}
            result[f"{name}/{body}"] = rates
    print(
        f"{'trained on':10s} {'tested on':22s} {'false negatives':>16s} {'false positives':>16s} {'in the paper':>16s}"
    )
    for key, rates in result.items():
        name, body = key.split("/")
        paper = "{:.1%} / {:.1%}".format(*PUBLISHED[body])
        wrong = f"{rates['false_negative_rate']:16.1%} {rates['false_positive_rate']:16.1%}"
        print(f"{name:10s} {body:22s} {wrong} {paper:>16s}")
    print(write_result("cross_geometry", {**result, "published": PUBLISHED}))


if __name__ == "__main__":
    main()
