"""examples/toy_limits: fits against closed forms and scans, toys against the asymptotic formulae, the merge job."""

import importlib
import itertools
import json
import math
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "toy_limits"


def load(*names):
    """Import the example's files, which stand side by side and not in a package, and leave no trace in sys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        loaded = [importlib.import_module(name) for name in names]
    for name in names:
        del sys.modules[name]
    return loaded


model, toy, merge = load("model", "toy", "merge")

# The same model in pyhf 0.7.6 (histosys modifier, test statistic qtilde, limits by scipy's brentq).
PYHF_LIMIT = 1.656123
PYHF_BAND = {-2: 0.771185, -1: 1.043107, 0: 1.464636, 1: 2.071260, 2: 2.832149}
PYHF_Q_AT_1_5 = 2.733628

DATA_SETS = [
    model.OBSERVED,
    model.Data((40, 30, 20, 15), -1.3),  # far too few
    model.Data((75, 80, 70, 30), 0.4),  # far too many
    model.Data((60, 45, 35, 0), 2.5),
    model.Data((0, 0, 0, 1), -3.0),
]


def asymptotic_toys(mu):
    """What merge knows about one strength without any toy."""
    q_asimov = model.q_tilde(mu, model.asimov(0.0))
    return merge.Toys(mu, {}, model.q_tilde(mu, model.OBSERVED), q_asimov, [], [])


def bisected(function, low=0.3, high=6.0):
    """The root of a falling function."""
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) > 0.0 else (low, middle)
    return low


def scanned(function, low, high):
    """Where a function with one minimum is smallest: a scan, repeated around its best point."""
    while high - low > 1e-7:
        step = (high - low) / 20
        best = min((low + i * step for i in range(21)), key=function)
        low, high = max(low, best - step), min(high, best + step)
    return 0.5 * (low + high)


@pytest.mark.parametrize("mu", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("data", DATA_SETS)
def test_fit_of_theta_finds_the_minimum_of_a_scan(mu, data):
    expected = scanned(lambda theta: model.nll(mu, theta, data), -10.0 + 1e-9, 12.0)  # the floor: no background
    for start in (0.0, -9.0, 11.0):
        assert model.fit_theta(mu, data, start) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("data", DATA_SETS)
def test_q_tilde_is_what_a_scan_of_the_profile_gives(data):
    def profile(mu):
        return model.nll(mu, model.fit_theta(mu, data), data)

    mu_hat = scanned(profile, 0.0, 12.0)
    for mu in (0.5, 1.5, 6.0):
        expected = 2.0 * (profile(mu) - profile(mu_hat)) if mu > mu_hat else 0.0
        assert model.q_tilde(mu, data) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("n", "aux"), [(100, 0.0), (123, -0.8), (81, 1.1), (260, 0.3)])
def test_one_bin_has_closed_forms(monkeypatch, n, aux):
    s, b, delta, mu = 10.0, 100.0, model.DELTA, 3.0
    monkeypatch.setattr(model, "BINS", ((s, b),))
    data = model.Data((n,), aux)

    def theta_hat(mu):  # d(-ln L)/dtheta = 0 times nu is a quadratic equation in nu
        k = (delta * b) ** 2
        p = k - mu * s - b - aux * delta * b
        nu = -0.5 * p + math.sqrt(0.25 * p * p + k * n)
        return (nu - mu * s - b) / (delta * b)

    assert model.fit_theta(mu, data) == pytest.approx(theta_hat(mu), abs=1e-8)
    mu_hat = (n - b * (1.0 + delta * aux)) / s  # there both terms of -ln L are at their smallest
    best = (mu_hat, aux) if mu_hat > 0.0 else (0.0, theta_hat(0.0))
    expected = 2.0 * (model.nll(mu, theta_hat(mu), data) - model.nll(*best, data)) if mu_hat < mu else 0.0
    assert model.q_tilde(mu, data) == pytest.approx(expected, abs=1e-8)


def test_asimov_q_is_mu_squared_over_the_variance_of_the_fisher_information():
    i_mu = sum(s * s / b for s, b in model.BINS)
    i_theta = 1.0 + model.DELTA**2 * sum(b for _, b in model.BINS)
    i_mixed = model.DELTA * sum(s for s, _ in model.BINS)
    variance = 1.0 / (i_mu - i_mixed**2 / i_theta)
    exact = model.Data(tuple(b for _, b in model.BINS), 0.0)
    assert model.q_tilde(0.01, exact) == pytest.approx(0.01**2 / variance, rel=0.01)


def test_toys_follow_their_truth():
    truth = model.Data((60.0, 3.0), 0.5)
    throw = toy.thrower(truth, random.Random(1))
    toys = [throw() for _ in range(4000)]
    for i, (mean, variance) in enumerate([(60.0, 60.0), (3.0, 3.0), (0.5, 1.0)]):
        values = [(*t.counts, t.aux)[i] for t in toys]
        assert statistics.fmean(values) == pytest.approx(mean, abs=4.0 * math.sqrt(variance / 4000))
        assert statistics.variance(values) == pytest.approx(variance, rel=0.1)


def test_toys_have_the_asymptotic_distribution_of_q():
    result = toy.run(1.5, seed=7, toys=4000)
    signal, background = sorted(result["q_sb"]), sorted(result["q_b"])
    assert signal.count(0.0) / 4000 == pytest.approx(0.5, abs=0.04)  # mu_hat exceeds mu in half of them
    assert merge.tail(signal, 1.645**2) / 4000 == pytest.approx(0.05, abs=0.015)
    assert statistics.median(background) == pytest.approx(result["q_asimov"], rel=0.12)


def test_every_seed_strength_and_kind_has_a_stream_of_its_own():
    streams = itertools.product((1, 2, -1), (0.5, 1.0), ("s+b", "b"))
    assert len({toy.stream(*key).random() for key in streams}) == 12
    assert toy.run(1.0, 5, 20) == toy.run(1.0, 5, 20)
    assert toy.run(1.0, 5, 20)["q_sb"] != toy.run(1.0, 6, 20)["q_sb"]


def test_toy_refuses_a_strength_that_makes_no_sense(capsys):
    with pytest.raises(SystemExit):
        toy.main(["--mu", "nan", "--seed", "1"])
    assert "finite number above 0" in capsys.readouterr().err


def test_asymptotic_limit_and_band_are_those_of_pyhf():
    limit = bisected(lambda mu: merge.asymptotic_observed(asymptotic_toys(mu)).value - merge.ALPHA)
    assert limit == pytest.approx(PYHF_LIMIT, abs=1e-5)
    assert asymptotic_toys(1.5).q_observed == pytest.approx(PYHF_Q_AT_1_5, abs=1e-5)
    for n, expected in PYHF_BAND.items():
        found = bisected(lambda mu, n=n: merge.asymptotic_expected(asymptotic_toys(mu), n).value - merge.ALPHA)
        assert found == pytest.approx(expected, abs=1e-5)
    # By hand: the median has CL_b = 1/2, so its limit is where sqrt(q_A) = Phi^-1(1 - alpha / 2) = 1.960.
    assert math.sqrt(asymptotic_toys(PYHF_BAND[0]).q_asimov) == pytest.approx(1.959964, abs=1e-4)


def test_few_signal_strengths_are_enough_to_interpolate():
    scan = [asymptotic_toys(mu) for mu in model.MU_GRID]
    limit, error = merge.crossing(model.MU_GRID, [merge.asymptotic_observed(toys) for toys in scan])
    assert limit == pytest.approx(PYHF_LIMIT, rel=0.003)
    assert error == 0.0
    for n, expected in PYHF_BAND.items():
        found, _ = merge.crossing(model.MU_GRID, [merge.asymptotic_expected(toys, n) for toys in scan])
        assert found == pytest.approx(expected, rel=0.003)


def test_q_above_its_asimov_value_uses_the_other_branch():
    below, above = (merge.Toys(1.0, {}, q, 4.0, [], []) for q in (4.0 - 1e-9, 4.0 + 1e-9))
    assert merge.asymptotic_observed(below).value == pytest.approx(merge.asymptotic_observed(above).value, rel=1e-6)
    far = merge.asymptotic_observed(merge.Toys(1.0, {}, 12.0, 4.0, [], []))
    assert far[:2] == pytest.approx((merge.NORMAL.cdf(-4.0), merge.NORMAL.cdf(-2.0)))


def gaussian_toys(mu, rng, count, sigma=0.7, mu_observed=0.25):
    """Toys of an experiment that measures mu_hat with a Gaussian error `sigma`: the asymptotic case itself."""

    def q_tilde(mu_hat):
        if mu_hat > mu:
            return 0.0
        return ((mu - mu_hat) ** 2 if mu_hat > 0.0 else mu * (mu - 2.0 * mu_hat)) / sigma**2

    q_sb, q_b = (sorted(q_tilde(rng.gauss(truth, sigma)) for _ in range(count)) for truth in (mu, 0.0))
    return merge.Toys(mu, {1: "file"}, q_tilde(mu_observed), q_tilde(0.0), q_sb, q_b)


def test_statistical_errors_are_the_spread_of_repeated_limits():
    rng = random.Random(11)
    runs = [merge.compute([gaussian_toys(mu, rng, 400) for mu in model.MU_GRID])["limits"] for _ in range(40)]
    for row in (0, 2, 3, 4):  # observed, -1 sigma, median, +1 sigma
        limits, errors = ([run[row][key] for run in runs] for key in ("limit", "error"))
        assert 0.65 < statistics.stdev(limits) / statistics.fmean(errors) < 1.5
        assert statistics.fmean(limits) == pytest.approx(runs[0][row]["asymptotic"], rel=0.03)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """The outputs of six small tasks of three jobs each, as the merge job finds them."""
    root = tmp_path_factory.mktemp("grid")
    for task, mu in enumerate(model.MU_GRID, start=48213):
        for index in range(3):
            folder = root / str(task) / str(index)
            folder.mkdir(parents=True)
            (folder / "toys.json").write_text(json.dumps(toy.run(mu, seed=index, toys=600)))
    return root


@pytest.fixture
def tree(grid, tmp_path):
    return shutil.copytree(grid, tmp_path / "48220")  # a number, as a pilot may call its folders


def run_merge(root, *options):
    return merge.main([str(root), "--output", str(root / "limit.json"), *options])


def test_merge_gives_the_limit_its_band_and_a_table(tree, capsys):
    (tree / "prmon.json").write_text("{}")  # sound JSON that is no toy file is passed over
    assert run_merge(tree) == 0
    result = json.loads((tree / "limit.json").read_text())
    out, err = capsys.readouterr()
    assert (out, "prmon.json passed over" in err) == (merge.format_table(result) + "\n", True)
    assert result["agrees"] is True
    assert {(point["files"], point["toys"]) for point in result["points"]} == {(3, 1800)}
    observed, *band = result["limits"]
    assert abs(observed["limit"] - PYHF_LIMIT) < 4.0 * observed["error"] < 0.5
    assert [row["name"] for row in band][::2] == ["expected -2 sigma", "expected median", "expected +2 sigma"]
    assert [row["limit"] for row in band[1:]] == sorted(row["limit"] for row in band[1:])
    assert run_merge(tree) == 0  # its own output is not an input
    assert json.loads((tree / "limit.json").read_text()) == result


def test_merge_says_when_toys_and_formulae_disagree(tree, capsys):
    for path in tree.rglob("toys.json"):
        data = json.loads(path.read_text())
        data["q_sb"] = [1.8 * q for q in data["q_sb"]]
        path.write_text(json.dumps(data))
    assert run_merge(tree) == 3
    assert "DISAGREES" in capsys.readouterr().out
    assert json.loads((tree / "limit.json").read_text())["agrees"] is False


def rewrite(**changes):
    return lambda text: json.dumps({**json.loads(text), **changes})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:-100], ["48214/1/toys.json", "damaged"]),
        (lambda text: "", ["48214/1/toys.json", "damaged"]),
        (lambda text: '{"format": "toy_limits/toys-1"}', ["48214/1/toys.json", "'mu' is missing"]),
        (rewrite(q_b=[1.0]), ["48214/1/toys.json", "says 600 toys", "1 without signal"]),
        (rewrite(q_sb=[math.nan] * 600), ["48214/1/toys.json", "not finite"]),
        (rewrite(q_sb=7), ["48214/1/toys.json", "damaged"]),
        (rewrite(seed=2), ["48214/1/toys.json", "48214/2/toys.json", "twice"]),
        (rewrite(q_observed=0.5), ["48214/1/toys.json", "48214/0/toys.json", "different models"]),
    ],
)
def test_merge_names_a_damaged_file(tree, capsys, damage, words):
    path = tree / "48214" / "1" / "toys.json"
    path.write_text(damage(path.read_text()))
    assert run_merge(tree) == 2
    error = capsys.readouterr().err
    assert [word for word in words if word not in error] == []


def test_merge_names_missing_jobs_and_goes_on_when_told(tree, capsys):
    shutil.rmtree(tree / "48213" / "1")
    (tree / "48215" / "0" / "toys.json").unlink()
    assert run_merge(tree) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in ("2 jobs left no toys", "48213/1", "48215/0"))
    assert run_merge(tree, "--allow-missing") == 0


def test_merge_wants_toys_and_a_scan_around_the_limit(tree, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run_merge(tmp_path / "empty") == 2
    assert "no toy files" in capsys.readouterr().err
    assert run_merge(tmp_path / "nowhere") == 2
    assert "no such directory" in capsys.readouterr().err
    for task in (48216, 48217, 48218):
        shutil.rmtree(tree / str(task))
    assert run_merge(tree) == 2
    assert "not inside the scan" in capsys.readouterr().err


def test_payloads_run_with_nothing_but_their_input_files(grid, tmp_path):
    """As on a worker node: the files beside each other in the working directory, no package installed."""
    job, merging = tmp_path / "job", tmp_path / "merging"
    job.mkdir()
    for name in ("model.py", "toy.py"):
        shutil.copy(EXAMPLE / name, job)
    command = ["toy.py", "--mu", "1.5", "--seed", "1234", "--toys", "50", "--output", "toys.json"]
    subprocess.run([sys.executable, *command], cwd=job, check=True, capture_output=True)
    assert json.loads((job / "toys.json").read_text()) == toy.run(1.5, 1234, 50)
    shutil.copytree(grid, merging)
    shutil.copy(EXAMPLE / "merge.py", merging)
    done = subprocess.run([sys.executable, "merge.py", "."], cwd=merging, check=True, capture_output=True, text=True)
    assert done.stdout == merge.format_table(json.loads((merging / "limit.json").read_text())) + "\n"
