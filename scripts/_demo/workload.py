"""The job the honest provider really runs: train a small neural network with numpy.

    python -m scripts._demo.workload --job 1 --agent-state build/demo/agents/honest --seconds 8

Two interleaved spirals are separated by a multilayer perceptron, trained by full-batch
gradient descent with momentum for the given wall-clock time. The product's own meter
measures it and reports to the provider's agent, which signs and forwards the usage and, at the
end, the execution receipt; the result (epochs, loss, accuracy, hash of the weights) is printed
as one line of JSON.
"""

import argparse
import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oracle.domain.execution import Work
from oracle.services.meter import JobMeter

Matrix = NDArray[np.float64]

POINTS_PER_ARM = 400
TURNS = 2.0
HIDDEN = 128
LEARNING_RATE = 0.05
MOMENTUM = 0.9
REPORT_EVERY_S = 1.0
SEED = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the job produced; `weights` is the SHA-256 of all parameters."""

    epochs: int
    seconds: float
    loss: float
    accuracy: float
    weights: str


def spirals(rng: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Two spiral arms: points (2 x POINTS_PER_ARM, 2) and labels (.., 1) of 0 or 1."""
    angle = np.sqrt(rng.random(POINTS_PER_ARM)) * TURNS * 2 * np.pi
    arm = np.stack([np.cos(angle), np.sin(angle)], axis=1) * angle[:, None] / (TURNS * 2 * np.pi)
    points = np.concatenate([arm, -arm]) + rng.normal(0, 0.01, (2 * POINTS_PER_ARM, 2))
    labels = np.repeat([[0.0], [1.0]], POINTS_PER_ARM, axis=0)
    return points, labels


def train(seconds: float, seed: int = SEED) -> Outcome:
    """Train for `seconds` of wall-clock time."""
    rng = np.random.default_rng(seed)
    x, y = spirals(rng)
    shapes = [(2, HIDDEN), (1, HIDDEN), (HIDDEN, HIDDEN), (1, HIDDEN), (HIDDEN, 1), (1, 1)]
    weights = [rng.normal(0, np.sqrt(2 / max(rows, 2)), (rows, cols)) for rows, cols in shapes]
    velocity = [np.zeros_like(w) for w in weights]

    started = time.monotonic()
    epochs = 0
    probability = np.full_like(y, 0.5)
    while time.monotonic() - started < seconds:
        w1, b1, w2, b2, w3, b3 = weights
        h1 = np.tanh(x @ w1 + b1)
        h2 = np.tanh(h1 @ w2 + b2)
        probability = 1 / (1 + np.exp(-(h2 @ w3 + b3)))
        d3 = (probability - y) / len(x)
        d2 = (d3 @ w3.T) * (1 - h2**2)
        d1 = (d2 @ w2.T) * (1 - h1**2)
        gradients = [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d3, d3.sum(0)]
        for weight, speed, gradient in zip(weights, velocity, gradients, strict=True):
            speed *= MOMENTUM
            speed -= LEARNING_RATE * gradient
            weight += speed
        epochs += 1

    clipped = np.clip(probability, 1e-12, 1 - 1e-12)
    digest = hashlib.sha256(b"".join(w.tobytes() for w in weights))
    return Outcome(
        epochs=epochs,
        seconds=round(time.monotonic() - started, 3),
        loss=float(-np.mean(y * np.log(clipped) + (1 - y) * np.log(1 - clipped))),
        accuracy=float(np.mean((probability > 0.5) == (y > 0.5))),
        weights=digest.hexdigest(),
    )


def main() -> None:
    """Run the job under the meter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", type=int, required=True, help="job id on chain")
    parser.add_argument("--agent-state", type=Path, required=True, help="the agent's directory")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs that work at it")
    parser.add_argument("--seconds", type=float, required=True, help="wall-clock time to train")
    options = parser.parse_args()
    points, labels = spirals(np.random.default_rng(SEED))
    read = hashlib.sha256(points.tobytes() + labels.tobytes()).hexdigest()
    work = Work(
        command=("python", "-m", "scripts._demo.workload", "--seconds", str(options.seconds)),
        input=f"sha256:{read}",
    )
    with JobMeter(options.agent_state, options.job, options.gpus, REPORT_EVERY_S, work) as meter:
        outcome = train(options.seconds)
        meter.output = f"sha256:{outcome.weights}"
    print(json.dumps({**asdict(outcome), "gpu_seconds": meter.gpu_seconds}))


if __name__ == "__main__":
    main()
