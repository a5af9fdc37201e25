"""The merge job: from the toys of many jobs to the CLs upper limit, its expected band and its statistical error.

    python3 merge.py DIRECTORY --output limit.json

reads every *.json below DIRECTORY (such as `48213/7/toys.json`, written by toy.py), writes limit.json and prints a
table with the asymptotic limit beside it. It needs no other file. README.md has the formulae.

Exit codes: 0 the toys agree with the asymptotic formulae; 2 missing, damaged or unsuitable input; 3 they disagree.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

TOYS_FORMAT = "toy_limits/toys-1"
LIMIT_FORMAT = "toy_limits/limit-1"
ALPHA = 0.05  # CLs at the limit: 95 % confidence
BAND = (-2, -1, 0, 1, 2)  # the expected limits, in standard deviations of the background
ERRORS_ALLOWED = 4.0  # toys and formulae may differ by so many statistical errors, plus …
ALLOWANCE = 0.01  # … this part of the limit, for the formulae are not exact (README.md, "Agreement"), plus …
ALLOWANCE_PER_SIGMA = 0.015  # … this part per standard deviation from the median of the band
EXIT_BAD_INPUT = 2
EXIT_DISAGREEMENT = 3
MOST_NAMED = 10  # files in one error message
NORMAL = NormalDist()
Row = dict[str, Any]  # one entry of "limits" or "points" in limit.json


class BadInput(Exception):
    """Toy files are missing, damaged or do not belong together; the message names them."""


class CLs(NamedTuple):
    """CLs = p_s+b / CL_b at one signal strength; CL_b = 1 - p_b."""

    p_sb: float
    cl_b: float
    error: float = 0.0  # statistical, of CLs

    @property
    def value(self) -> float:
        """CLs itself."""
        return self.p_sb / self.cl_b


class Toys(NamedTuple):
    """The toys of one file, or of all files with the same mu. Test statistics are q̃_mu, without unit."""

    mu: float
    seeds: dict[int, str]  # seed -> the file that holds its toys
    q_observed: float
    q_asimov: float
    q_sb: list[float]
    q_b: list[float]


# --- reading ---------------------------------------------------------------------------------------------------------


def find_files(root: Path, output: Path, allow_missing: bool = False) -> list[Path]:
    """All *.json below `root` but `output` and hidden ones; BadInput names the holes in `<task>/<index>/`."""
    found, holes = [], []
    for folder, subfolders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        paths = [here / name for name in sorted(names) if name.endswith(".json") and not name.startswith(".")]
        found += [path for path in paths if path.resolve() != output.resolve()]
        if here != root and here.name.isdigit():  # a task: its job folders are numbered from 0 without a gap
            last = max((int(name) for name in subfolders if name.isdigit()), default=-1)
            holes += [job for job in (here / str(i) for i in range(last + 1)) if not any(job.glob("*.json"))]
    if holes and not allow_missing:
        named = ", ".join(str(job) for job in holes[:MOST_NAMED])
        raise BadInput(f"{len(holes)} jobs left no toys (--allow-missing goes on without): {named}")
    return found


def read_toys(path: Path) -> Toys | None:
    """The toys in `path`; None for sound JSON of another kind. BadInput for a damaged file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("format") != TOYS_FORMAT:
            return None
        numbers = [float(data[key]) for key in ("mu", "q_observed", "q_asimov")]
        q_sb, q_b = ([float(q) for q in data[key]] for key in ("q_sb", "q_b"))
        seed, count = int(data["seed"]), int(data["toys"])
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{path}: damaged: {error}") from error
    except KeyError as error:
        raise BadInput(f"{path}: damaged: {error} is missing") from error
    if count < 1 or not len(q_sb) == len(q_b) == count:
        raise BadInput(f"{path}: damaged: says {count} toys, holds {len(q_sb)} with and {len(q_b)} without signal")
    if not all(math.isfinite(q) and q >= 0.0 for q in [*numbers, *q_sb, *q_b]) or 0.0 in (numbers[0], numbers[2]):
        raise BadInput(f"{path}: damaged: a number in it is negative or not finite, or mu or q_asimov is 0")
    return Toys(numbers[0], {seed: str(path)}, numbers[1], numbers[2], q_sb, q_b)


def merge_files(paths: Sequence[Path]) -> list[Toys]:
    """The toys of all files, one entry for each mu in rising order, test statistics sorted. BadInput names files."""
    merged: dict[float, Toys] = {}
    damaged = []  # messages
    for path in paths:
        try:
            new = read_toys(path)
        except BadInput as error:
            damaged.append(str(error))
            continue
        if new is None:
            print(f"merge.py: {path} passed over: not written by toy.py", file=sys.stderr)
            continue
        old = merged.setdefault(new.mu, Toys(new.mu, {}, new.q_observed, new.q_asimov, [], []))
        for seed in new.seeds:
            if seed in old.seeds:
                raise BadInput(f"{path} and {old.seeds[seed]}: the same toys twice (mu={new.mu:g}, seed {seed})")
        for a, b in ((new.q_observed, old.q_observed), (new.q_asimov, old.q_asimov)):
            if not math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9):
                raise BadInput(f"{path} and {next(iter(old.seeds.values()))}: made with different models or data")
        old.seeds.update(new.seeds)
        old.q_sb.extend(new.q_sb)
        old.q_b.extend(new.q_b)
    if damaged:
        raise BadInput("\n".join([f"{len(damaged)} damaged files", *damaged[:MOST_NAMED]]))
    for toys in merged.values():
        toys.q_sb.sort()
        toys.q_b.sort()
    return [merged[mu] for mu in sorted(merged)]


# --- CLs at one signal strength --------------------------------------------------------------------------------------


def tail(ordered: Sequence[float], threshold: float) -> int:
    """How many of the `ordered` values lie at or above `threshold`; at least 1, for no toy means less than one."""
    return max(1, len(ordered) - bisect_left(ordered, threshold))


def cls_observed(toys: Toys) -> CLs:
    """CLs of the observed data, with its binomial error."""
    n_sb, n_b = tail(toys.q_sb, toys.q_observed), tail(toys.q_b, toys.q_observed)
    p_sb, cl_b = n_sb / len(toys.q_sb), n_b / len(toys.q_b)
    return CLs(p_sb, cl_b, p_sb / cl_b * math.sqrt((1.0 - p_sb) / n_sb + (1.0 - cl_b) / n_b))


def cls_expected(toys: Toys, n_sigma: float) -> CLs:
    """CLs for a background that fluctuates by `n_sigma`: at the quantile of q where CL_b = Phi(n_sigma).

    Errors: the binomial one of p_s+b, and the quantile's own, as half the change of p_s+b over its +-1 sigma range.
    """
    n_toys, cl_b = len(toys.q_b), NORMAL.cdf(n_sigma)
    spread = math.sqrt(cl_b * (1.0 - cl_b) / n_toys)

    def p_sb_where(above: float) -> float:
        quantile = toys.q_b[min(max(n_toys - round(above * n_toys), 0), n_toys - 1)]
        return tail(toys.q_sb, quantile) / len(toys.q_sb)

    p_sb = p_sb_where(cl_b)
    binomial = math.sqrt(p_sb * (1.0 - p_sb) / len(toys.q_sb))
    of_quantile = 0.5 * (p_sb_where(cl_b + spread) - p_sb_where(cl_b - spread))
    return CLs(p_sb, cl_b, math.hypot(binomial, of_quantile) / cl_b)


def asymptotic_observed(toys: Toys) -> CLs:
    """CLs of the observed data from the distributions of q̃_mu in arXiv:1007.1727, section 3.6."""
    root_q, root_a = math.sqrt(toys.q_observed), math.sqrt(toys.q_asimov)
    x = root_q if root_q <= root_a else (toys.q_observed + toys.q_asimov) / (2.0 * root_a)
    return CLs(NORMAL.cdf(-x), NORMAL.cdf(root_a - x))


def asymptotic_expected(toys: Toys, n_sigma: float) -> CLs:
    """CLs for a background that fluctuates by `n_sigma`, from the same distributions."""
    return CLs(NORMAL.cdf(n_sigma - math.sqrt(toys.q_asimov)), NORMAL.cdf(n_sigma))


# --- the limit -------------------------------------------------------------------------------------------------------


def crossing(mus: Sequence[float], scan: Sequence[CLs]) -> tuple[float, float] | None:
    """The mu where CLs falls to ALPHA, with its error; None when that is outside the scan.

    Linear between two neighbours in z = Phi^-1(p_s+b) - Phi^-1(ALPHA CL_b), which falls like -mu / sigma and is 0 at
    the limit: almost a straight line, so few signal strengths are enough.
    """

    def z_and_error(cls: CLs) -> tuple[float, float]:
        z_sb = NORMAL.inv_cdf(min(cls.p_sb, 0.5))  # above 0.5 only where q is 0 or almost: far from any limit
        return z_sb - NORMAL.inv_cdf(ALPHA * cls.cl_b), cls.error * cls.cl_b / NORMAL.pdf(z_sb)

    for i in range(len(mus) - 1):
        (left, left_error), (right, right_error) = z_and_error(scan[i]), z_and_error(scan[i + 1])
        if left > 0.0 >= right:
            part, step = left / (left - right), mus[i + 1] - mus[i]
            error = math.hypot((1.0 - part) * left_error, part * right_error) * step / (left - right)
            return mus[i] + part * step, error
    return None


def compare(name: str, n_sigma: int, mus: Sequence[float], toys: Sequence[CLs], formula: Sequence[CLs]) -> Row:
    """One limit by toys and by formula, and the difference allowed; None for what is outside the scan."""
    limit, error = crossing(mus, toys) or (None, None)
    asymptotic, _ = crossing(mus, formula) or (None, None)
    allowed = agrees = None
    if limit is not None and error is not None and asymptotic is not None:
        allowed = ERRORS_ALLOWED * error + (ALLOWANCE + ALLOWANCE_PER_SIGMA * abs(n_sigma)) * asymptotic
        agrees = abs(limit - asymptotic) <= allowed
    row = {"name": name, "limit": limit, "error": error, "asymptotic": asymptotic}
    return {**row, "allowed": allowed, "agrees": agrees}


def compute(scan: Sequence[Toys]) -> dict[str, Any]:
    """What limit.json holds, from the toys at each signal strength. BadInput when the scan misses the limit."""
    mus = [toys.mu for toys in scan]
    observed, formula = [cls_observed(toys) for toys in scan], [asymptotic_observed(toys) for toys in scan]
    limits = [compare("observed", 0, mus, observed, formula)]
    if limits[0]["agrees"] is None:
        values = ", ".join(f"{cls.value:.3g} at mu={mus[i]:g}" for i, cls in enumerate(observed))
        raise BadInput(f"CLs = {ALPHA} is not inside the scan ({values}): scan more signal strengths")
    for n in BAND:
        name = f"expected {n:+d} sigma" if n else "expected median"
        expected, by_formula = [cls_expected(toys, n) for toys in scan], [asymptotic_expected(toys, n) for toys in scan]
        limits.append(compare(name, n, mus, expected, by_formula))
    points = [
        {
            "mu": toys.mu,
            "files": len(toys.seeds),
            "toys": len(toys.q_sb),
            "q_observed": toys.q_observed,
            "p_sb": observed[i].p_sb,
            "p_b": 1.0 - observed[i].cl_b,
            "cls": observed[i].value,
            "cls_error": observed[i].error,
            "cls_asymptotic": formula[i].value,
        }
        for i, toys in enumerate(scan)
    ]
    agrees = all(row["agrees"] is not False for row in limits)
    return {"format": LIMIT_FORMAT, "confidence": 1.0 - ALPHA, "agrees": agrees, "limits": limits, "points": points}


def format_table(result: dict[str, Any]) -> str:
    """The content of limit.json as text for people, ASCII only, without a newline at its end."""
    files, toys = (sum(point[key] for point in result["points"]) for key in ("files", "toys"))
    lines = [f"{files} files, {toys} toys with signal and {toys} of background alone", ""]
    lines.append("    mu  files     p_s+b       p_b       CLs    +- stat   asymptotic")
    for p in result["points"]:
        numbers = f"{p['p_sb']:10.5f}{p['p_b']:10.5f}{p['cls']:10.5f}{p['cls_error']:11.5f}{p['cls_asymptotic']:13.5f}"
        lines.append(f"{p['mu']:6.2f}{p['files']:7d}{numbers}")
    lines += ["", f"upper limit on mu ({result['confidence']:.0%})   toys  +- stat   asymptotic   difference   allowed"]
    for row in result["limits"]:
        if row["agrees"] is None:
            lines.append(f"{row['name']:20}  outside the scan")
            continue
        numbers = f"{row['limit']:9.4f}{row['error']:9.4f}{row['asymptotic']:13.4f}"
        difference = f"{row['limit'] - row['asymptotic']:+13.4f}{row['allowed']:10.4f}"
        lines.append(f"{row['name']:20}{numbers}{difference}{'' if row['agrees'] else '   DISAGREES'}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; return the exit code."""
    parser = argparse.ArgumentParser(description="Merge toys into a CLs upper limit.")
    parser.add_argument("directory", type=Path, help="where toy files are looked for, at any depth")
    parser.add_argument("--output", type=Path, default=Path("limit.json"), help="file to write (%(default)s)")
    parser.add_argument("--allow-missing", action="store_true", help="go on where a job left no toys")
    args = parser.parse_args(argv)
    try:
        if not args.directory.is_dir():
            raise BadInput(f"{args.directory}: no such directory")
        scan = merge_files(find_files(args.directory, args.output, args.allow_missing))
        if not scan:
            raise BadInput(f"{args.directory}: no toy files (*.json written by toy.py) in it")
        result = compute(scan)
    except BadInput as error:
        print(f"merge.py: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(format_table(result))
    if not result["agrees"]:
        print("merge.py: toys and asymptotic formulae differ by more than allowed", file=sys.stderr)
        return EXIT_DISAGREEMENT
    return 0


if __name__ == "__main__":
    sys.exit(main())
