"""A counting experiment in four bins: its likelihood, its fits and the test statistic q̃_mu.

Bin i counts n_i events, Poisson around nu_i = mu s_i + b_i (1 + delta theta). The strength mu of the signal is what
we want to limit; theta, in standard deviations, moves the background's rate in all bins together, and an auxiliary
measurement a, Gaussian around theta with width 1, constrains it. Up to a constant

    -ln L(mu, theta) = sum_i [nu_i - n_i ln nu_i] + (theta - a)^2 / 2

which is convex in (mu, theta): every fit below has one minimum, and Newton's method finds it.

Test statistic and asymptotic method: G. Cowan, K. Cranmer, E. Gross, O. Vitells, "Asymptotic formulae for
likelihood-based tests of new physics", Eur. Phys. J. C 71 (2011) 1554, arXiv:1007.1727.

Standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import math
from typing import NamedTuple

BINS = (  # (s_i, b_i): events expected of the signal at mu = 1, of the background at theta = 0
    (2.0, 60.0),
    (8.0, 45.0),
    (8.0, 35.0),
    (2.0, 25.0),
)
DELTA = 0.10  # relative uncertainty of the background, fully correlated between the bins
MU_GRID = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)  # a good scan for this model: holds the limit and its +-2 sigma band

_THETA_FLOOR = -1.0 / DELTA  # here the background vanishes; fits stay above it
_TOLERANCE = 1e-9  # on theta (standard deviations) and on mu


class Data(NamedTuple):
    """What one experiment, real or toy, measured."""

    counts: tuple[float, ...]  # n_i in events; not whole numbers in an Asimov data set
    aux: float  # a, in standard deviations of the background's uncertainty


OBSERVED = Data(counts=(62, 48, 37, 23), aux=0.0)


def expectation(mu: float, theta: float) -> tuple[float, ...]:
    """Events nu_i expected in each bin at signal strength `mu` and background shift `theta` (standard deviations)."""
    scale = 1.0 + DELTA * theta
    return tuple(mu * s + b * scale for s, b in BINS)


def nll(mu: float, theta: float, data: Data) -> float:
    """-ln L(mu, theta), without terms that depend on the data alone."""
    total = 0.5 * (theta - data.aux) ** 2
    for i, nu in enumerate(expectation(mu, theta)):
        total += nu - data.counts[i] * math.log(nu)
    return total


def fit_theta(mu: float, data: Data, start: float = 0.0) -> float:
    """The conditional estimate of theta at a fixed `mu` >= 0, by Newton's method from `start`.

    The slope of -ln L in theta is increasing and concave, so Newton's steps never pass the root from the left; one
    step from the right may fall below the floor and is then cut to half the way there.
    """
    theta = start
    for _ in range(200):
        slope, curvature = theta - data.aux, 1.0
        scale = 1.0 + DELTA * theta
        for i, (s, b) in enumerate(BINS):
            nu = mu * s + b * scale
            ratio = data.counts[i] / nu
            gradient = DELTA * b
            slope += gradient * (1.0 - ratio)
            curvature += gradient * gradient * ratio / nu
        new = max(theta - slope / curvature, 0.5 * (theta + _THETA_FLOOR))
        if abs(new - theta) < _TOLERANCE:
            return new
        theta = new
    raise ArithmeticError(f"the fit of theta at mu={mu} did not converge for {data}")


def profile_slope(mu: float, theta: float, data: Data) -> tuple[float, float]:
    """First and second derivative in mu of the profiled -ln L; `theta` must be fit_theta(mu, data)."""
    slope = mu_mu = mu_theta = 0.0
    theta_theta = 1.0
    scale = 1.0 + DELTA * theta
    for i, (s, b) in enumerate(BINS):
        nu = mu * s + b * scale
        ratio = data.counts[i] / nu
        weight = ratio / nu
        gradient = DELTA * b
        slope += s * (1.0 - ratio)
        mu_mu += s * s * weight
        mu_theta += s * gradient * weight
        theta_theta += gradient * gradient * weight
    return slope, mu_mu - mu_theta * mu_theta / theta_theta


def fit_between(low: float, high: float, data: Data, theta: float) -> tuple[float, float]:
    """The best (mu, theta) where the profiled slope is negative at `low` and positive at `high`.

    Newton's method in mu, replaced by a bisection wherever it would leave the bracket; `theta` is a first guess.
    """
    mu = 0.5 * (low + high)
    for _ in range(200):
        theta = fit_theta(mu, data, theta)
        slope, curvature = profile_slope(mu, theta, data)
        if slope > 0.0:
            high = mu
        else:
            low = mu
        new = mu - slope / curvature if curvature > 0.0 else low
        if not low < new < high:
            new = 0.5 * (low + high)
        if abs(new - mu) < _TOLERANCE:
            return mu, theta
        mu = new
    raise ArithmeticError(f"the fit of mu did not converge for {data}")


def q_tilde(mu: float, data: Data) -> float:
    """The test statistic q̃_mu >= 0 for upper limits, arXiv:1007.1727 eq. (16); large where `mu` > 0 is unlikely.

    It is -2 ln [L(mu, theta_hat(mu)) / L(m, theta_hat(m))] with m = max(mu_hat, 0), and 0 where mu_hat exceeds mu.
    As the profile is convex, its slopes at 0 and at `mu` tell where mu_hat lies: most data sets need no free fit.
    """
    theta_mu = fit_theta(mu, data)
    if profile_slope(mu, theta_mu, data)[0] <= 0.0:
        return 0.0  # mu_hat >= mu: more signal than tested is no evidence against mu
    best_mu, best_theta = 0.0, fit_theta(0.0, data)
    if profile_slope(0.0, best_theta, data)[0] < 0.0:
        best_mu, best_theta = fit_between(0.0, mu, data, best_theta)
    return max(0.0, 2.0 * (nll(mu, theta_mu, data) - nll(best_mu, best_theta, data)))


def asimov(mu: float, data: Data = OBSERVED) -> Data:
    """The Asimov data set of strength `mu`: every count at its expectation, theta as `data` has it at that `mu`."""
    theta = fit_theta(mu, data)
    return Data(counts=expectation(mu, theta), aux=theta)
