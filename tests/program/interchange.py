"""What python/isacopt.py promises; run by interchange.rs beside a drawn instance file in all three forms."""

import json
import subprocess

import numpy as np

import isacopt

# Files, dicts and bare instances are judged alike, whatever their form.
whole = isacopt.load("drop.json")
assert isinstance(whole["instance"]["large_scale_fading"], np.ndarray)
assert np.iscomplexobj(whole["instance"]["target_reflection"]) or isinstance(whole["instance"]["target_reflection"], complex)
first = isacopt.evaluate("drop.json")["mine"]
for same in (
    isacopt.evaluate("drop.npz"),
    isacopt.evaluate("drop.mat"),
    isacopt.evaluate(whole),
    isacopt.evaluate(isacopt.load("drop.npz")),
    isacopt.evaluate(whole["instance"], whole["designs"], scenario="monostatic"),
    isacopt.evaluate("drop.npz", {"mine": {"communication_power": np.full(3, 0.1), "sensing_power": np.float64(0.3)}}),
):
    assert list(same) == ["mine"]
    for name, value in first["metrics"].items():
        assert np.array_equal(value, same["mine"]["metrics"][name]), name
assert first["units"]["sum_rate"] == "bit/s/Hz" and first["metrics"]["rate"].shape == (3,)
assert abs(first["metrics"]["rate"].sum() - first["metrics"]["sum_rate"]) < 1e-12
assert "as_printed" in isacopt.evaluate("drop.json", as_printed=True)["mine"]

# The program's own answer.
direct = json.loads(subprocess.run([isacopt.program(), "solve", "drop.json", "--solver", "exact", "--json"],
                                   capture_output=True, check=True).stdout)
best = isacopt.solve(whole, "exact")
assert best["status"] == "optimal" and best["objective"]["value"] == direct["objective"]["value"]
assert best["design"]["communication_power"].tolist() == direct["design"]["communication_power"]
again = isacopt.evaluate(whole, {"best": best["design"]})["best"]
assert again["metrics"]["sum_rate"] == best["metrics"]["sum_rate"] and again["feasible"]

# Options, starts, settings.
search = isacopt.solve("drop.npz", "random_search", max_evaluations=50, seed=3, start=best["design"])
assert search["evaluations"] <= 50 and search["objective"]["value"] >= best["objective"]["value"] - 1e-9
assert search["trace"]["objective"].ndim == 1
more = isacopt.solve("drop.mat", "exact", objective="min_rate",
                     set={"transmit_power": 40.0, "target_reflection": np.complex128(0.1 + 0.2j)})
assert more["objective"]["metric"] == "min_rate"

# Mistakes are exceptions with the program's words.
for wrong, word, code in (
    (lambda: isacopt.solve(whole, "exakt"), "did you mean `exact`", 2),
    (lambda: isacopt.evaluate(whole, {"mine": {"communication_power": np.ones(2), "sensing_power": 1.0}}), "shape [3]", 2),
    (lambda: isacopt.evaluate({**whole, "instance": {**whole["instance"], "transmit_power": np.nan}}), "transmit_power", 2),
    (lambda: isacopt.evaluate(whole["instance"], {}), "scenario", 2),
):
    try:
        wrong()
    except isacopt.Error as error:
        assert word in str(error) and error.code == code, error
    else:
        raise AssertionError(word)

# Experiments: a dict or a file, a frame or rows.
config = {
    "scenario": {"type": "monostatic", "users": 3, "transmit": {"horizontal": 4, "vertical": 4}, "transmit_power": "15 dB"},
    "solver": [{"type": "exact"}, {"type": "random_search", "label": "search", "max_evaluations": np.int64(200)}],
    "trials": {"count": 2, "seed": 5},
}
frame = isacopt.run(config, settings={"sweep": {"scenario.users": [2, 3]}})
assert frame.shape[0] == 8 and set(frame["solver"]) == {"exact", "search"} and set(frame["scenario.users"]) == {2, 3}
exact = frame[frame["solver"] == "exact"]
assert (exact["status"] == "optimal").all() and np.allclose(exact["objective"], exact["sum_rate"], rtol=1e-12)
assert (exact["time_s"] > 0).all()
rows = isacopt.run("c.toml", out="kept", frame=False, threads=1)
assert rows[0]["solver"] == "exact" and len(rows[0]["rate"]) == 3
assert isacopt.run("c.toml", out="kept", frame=False) == rows
print("fine")
