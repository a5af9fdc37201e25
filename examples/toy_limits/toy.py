"""One job: throw toy experiments at one signal strength and write their test statistics.

    python3 toy.py --mu 1.5 --seed 1234 --toys 2000 --output toys.json

throws 2000 experiments with signal of strength mu and 2000 with background only, and writes q̃_mu of each. Both kinds
use the background shift theta that the observed data prefer (at mu and at 0), as is usual at the LHC. `model.py` must
lie beside this file.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from bisect import bisect
from collections.abc import Callable, Sequence

from model import OBSERVED, Data, asimov, q_tilde

FORMAT = "toy_limits/toys-1"


def poisson_table(mean: float) -> list[float]:
    """P(n <= 0), P(n <= 1), … of a Poisson variable, 0 < `mean` < 700, until it no longer differs from 1."""
    last = math.ceil(mean + 10.0 * math.sqrt(mean) + 20.0)
    term = total = math.exp(-mean)
    table = [total]
    for n in range(1, last + 1):
        term *= mean / n
        total += term
        table.append(total)
    return table


def thrower(truth: Data, rng: random.Random) -> Callable[[], Data]:
    """A function that throws one toy: Poisson counts and a Gaussian auxiliary measurement around `truth`."""
    tables = [poisson_table(nu) for nu in truth.counts]

    def throw() -> Data:
        counts = tuple(bisect(table, rng.random()) for table in tables)
        return Data(counts=counts, aux=rng.gauss(truth.aux, 1.0))

    return throw


def stream(seed: int, mu: float, kind: str) -> random.Random:
    """A random stream of its own for each seed, signal strength and kind of toy ("s+b" or "b").

    The text is hashed (SHA-512) into the generator's state: the same seed may be used at every mu.
    """
    return random.Random(f"toy_limits seed={seed} mu={mu!r} kind={kind}")


def run(mu: float, seed: int, toys: int) -> dict[str, object]:
    """Throw `toys` signal-plus-background and `toys` background-only experiments; return what toys.json holds."""
    with_signal = thrower(asimov(mu), stream(seed, mu, "s+b"))
    background_only = thrower(asimov(0.0), stream(seed, mu, "b"))
    return {
        "format": FORMAT,
        "mu": mu,
        "seed": seed,
        "toys": toys,
        "q_observed": q_tilde(mu, OBSERVED),
        "q_asimov": q_tilde(mu, asimov(0.0)),
        "q_sb": [round(q_tilde(mu, with_signal()), 6) for _ in range(toys)],
        "q_b": [round(q_tilde(mu, background_only()), 6) for _ in range(toys)],
    }


def positive_strength(text: str) -> float:
    """A finite signal strength above 0, for argparse."""
    value = float(text)
    if not (math.isfinite(value) and value > 0.0):
        raise argparse.ArgumentTypeError(f"{text!r}: the signal strength must be a finite number above 0")
    return value


def positive_count(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be at least 1")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; return the exit code."""
    parser = argparse.ArgumentParser(description="Throw toy experiments at one signal strength.")
    parser.add_argument("--mu", type=positive_strength, required=True, help="signal strength to test")
    parser.add_argument("--seed", type=int, required=True, help="any whole number; another one for every job")
    parser.add_argument("--toys", type=positive_count, default=2000, help="experiments of each kind (%(default)s)")
    parser.add_argument("--output", default="toys.json", help="file to write (%(default)s)")
    args = parser.parse_args(argv)
    result = run(args.mu, args.seed, args.toys)
    with open(args.output, "w", encoding="utf-8") as file:
        json.dump(result, file, separators=(",", ":"))
    print(f"mu={args.mu:g} seed={args.seed}: {args.toys} toys of each kind, q_observed={result['q_observed']:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
