"""isacopt from Python: instances and designs as dicts and NumPy arrays, results as dicts and data frames.

This one file drives the program `isacopt`. It is found by $ISACOPT, on the PATH, or in the target/release folder of the
repository that this file lies in. NumPy is needed; `run` gives a pandas frame, or a polars frame where there is only
polars.

    import isacopt
    file = isacopt.load("drop.json")                      # or .npz, .mat; or build the dict yourself
    best = isacopt.solve(file, "exact")
    mine = {"communication_power": np.ones(12), "sensing_power": 2.0}
    print(isacopt.evaluate(file, {"mine": mine})["mine"]["metrics"]["sum_rate"], best["objective"]["value"])
    frame = isacopt.run("configs/quickstart.toml", settings={"trials.count": 3})

Complex arrays are NumPy's own. Numbers that are infinite or undefined are `inf` and `nan`.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

__all__ = ["Error", "evaluate", "load", "program", "run", "save", "solve"]

FORMAT = "isacopt-instance/1"


class Error(RuntimeError):
    """What the program said, and its exit code: 2 where the caller can mend something, else 1 (130: interrupted)."""

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


def program():
    """The program's path."""
    named = os.environ.get("ISACOPT")
    if named:
        return named
    here = Path(__file__).resolve().parent.parent / "target" / "release"
    for found in (shutil.which("isacopt"), shutil.which("isacopt", path=str(here))):
        if found:
            return found
    raise Error("there is no program `isacopt`: put it on the PATH, name it in $ISACOPT, or build it with "
                "`cargo build --release`", 2)


def load(path):
    """An instance file (.json, .npz, or .mat with SciPy) as a dict with NumPy arrays."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".npz":
        with np.load(path) as archive:
            return _nested({key: _single(archive[key]) for key in archive.files})
    if kind == ".mat":
        from scipy.io import loadmat
        file = {key: value for key, value in loadmat(path, simplify_cells=True).items() if not key.startswith("__")}
        designs = file.get("designs", {})
        if not isinstance(designs, dict):
            file["designs"] = {entry["name"]: entry["blocks"] for entry in designs}
        elif set(designs) == {"name", "blocks"} and isinstance(designs["name"], str):
            file["designs"] = {designs["name"]: designs["blocks"]}
        return file
    return _arrays(json.loads(path.read_text(encoding="utf-8")))


def _single(array):
    """A 0-d array as its value."""
    return array.item() if array.ndim == 0 else array


def _nested(entries):
    """Names joined by dots as nested dicts; a design's name may hold dots itself."""
    tree = {}
    for key, value in entries.items():
        path = key.split(".")
        if path[0] == "designs" and len(path) > 3:
            path = ["designs", ".".join(path[1:-1]), path[-1]]
        at = tree
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = value
    return tree


def save(file, path):
    """Writes an instance file (a dict as `load` gives it) as JSON, which the program and every language read."""
    if Path(path).suffix.lower() in (".npz", ".mat"):
        raise Error(f"{path}: this writes JSON only; name it .json", 2)
    Path(path).write_text(json.dumps(_plain(_whole(file))), encoding="utf-8")


def evaluate(instance, designs=None, *, scenario=None, as_printed=False):
    """Judges designs. `instance` is an instance file (path or dict), or its `instance` object with `scenario` named;
    `designs` are dicts of blocks by name (those of the file without it). Gives for each design `metrics` (name to value),
    `units`, `feasible` and `violation`."""
    with tempfile.TemporaryDirectory() as folder:
        path = _file(instance, folder, scenario, designs)
        answer = json.loads(_call("evaluate", path, "--json", *(["--as-printed"] if as_printed else [])))
    return {name: _metrics(judged) for name, judged in answer["designs"].items()}


def solve(instance, solver, *, scenario=None, objective=None, start=None, seed=1, designs=None, set=None, **options):
    """Runs a solver. `options` are its parameters and stopping rules (`max_iterations=20`); `set` replaces values of the
    instance by path (`{"target_direction.azimuth": 0.3}`); `start` names a start, or is a design itself. Gives the answer of
    `isacopt solve --json`, metrics as in `evaluate`, the design and the trace as arrays."""
    designs = dict(designs or {})
    if isinstance(start, dict):
        designs["start"] = start
        start = "start"
    with tempfile.TemporaryDirectory() as folder:
        # Designs are added to those of the file, not put in their place.
        path = _file(instance, folder, scenario, designs, add=True)
        arguments = ["solve", path, "--json", "--solver", solver, "--seed", str(seed)]
        for name, value in (("--objective", objective), ("--start", start)):
            arguments += [name, value] if value is not None else []
        for prefix, table in (("instance", set or {}), ("solver", options)):
            for key, value in table.items():
                arguments += ["--set", f"{prefix}.{key}={json.dumps(_plain(value))}"]
        answer = json.loads(_call(*arguments))
    trace = answer.get("trace") or []
    answer["trace"] = {key: np.array([_number(record[key]) for record in trace], float) for key in (trace[0] if trace else ())}
    answer["design"] = _arrays(answer.get("design"))
    answer["certificate"] = _arrays(answer.get("certificate"))
    for key in ("bound", "gap", "violation"):
        answer[key] = _number(answer[key]) if answer.get(key) is not None else None
    answer["objective"]["value"] = _number(answer["objective"]["value"])
    return _metrics(answer)


def run(config, out=None, *, settings=None, threads=None, frame=True):
    """Runs an experiment. `config` is a TOML file's path, or a config as a dict (`{"scenario": {...}, "solver": [...]}`);
    `settings` replaces values by path (`{"scenario.users": 8}`). Gives one row a run: sweep values, trial, solver, status,
    objective, bound, gap, iterations, time and every scalar metric; metrics with several values are lists. The run folder is
    `out`, or a temporary one. With `frame=False` the rows are a list of dicts."""
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(config, dict):
            path = Path(folder) / "config.toml"
            path.write_text(_toml(config), encoding="utf-8")
            config = path
        target = Path(out) if out is not None else Path(folder) / "run"
        arguments = ["run", str(config), "--out", str(target)]
        for key, value in (settings or {}).items():
            arguments += ["--set", f"{key}={_toml_value(_plain(value))}"]
        if threads is not None:
            arguments += ["--threads", str(threads)]
        _call(*arguments)
        records = [json.loads(line) for line in (target / "results.jsonl").read_text(encoding="utf-8").splitlines()]
        timings = (target / "timings.jsonl").read_text(encoding="utf-8").splitlines()
        times = {entry["run"]: entry["time_s"] for entry in map(json.loads, timings)}
    rows = [_row(record, times) for record in records]
    return _frame(rows) if frame else rows


def _row(record, times):
    row = dict(record["sweep"])
    for key in ("trial", "instance", "solver", "type", "status", "feasible", "iterations", "evaluations"):
        if record.get(key) is not None:
            row[key] = record[key]
    row["objective"] = _number(record["objective"]["value"])
    for key in ("violation", "bound", "gap"):
        row[key] = _number(record.get(key))
    row["time_s"] = times.get(record["run"], float("nan"))
    for name, metric in record["metrics"].items():
        row[name] = _numbers(metric["value"])
    return row


def _frame(rows):
    try:
        import pandas
        return pandas.DataFrame(rows)
    except ImportError:
        pass
    try:
        import polars
        return polars.DataFrame(rows, infer_schema_length=None)
    except ImportError:
        raise Error("there is neither pandas nor polars: install one, or ask for rows with frame=False", 2) from None


def _call(*arguments):
    """Runs the program; its standard output."""
    done = subprocess.run([program(), *arguments], capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        message = "\n".join(line.removeprefix("error: ") for line in done.stderr.strip().splitlines())
        raise Error(message or f"isacopt ended with code {done.returncode}", done.returncode)
    return done.stdout


def _whole(file, scenario=None):
    """An instance file as a dict: given whole, or as its `instance` with the scenario's name."""
    if "instance" in file and "scenario" in file:
        return {"format": FORMAT, **file}
    if scenario is None:
        raise Error("name the scenario, or hand over a whole instance file with `scenario` and `instance`", 2)
    return {"format": FORMAT, "scenario": scenario, "instance": file}


def _file(instance, folder, scenario, designs, add=False):
    """The path of the instance file to hand to the program."""
    if not isinstance(instance, dict):
        if not designs:
            return str(instance)
        instance = load(instance)
    file = _whole(instance, scenario)
    if designs:
        file = {**file, "designs": {**(file.get("designs", {}) if add else {}), **designs}}
    path = Path(folder) / "instance.json"
    save(file, path)
    return str(path)


def _plain(value):
    """Arrays and numbers as isacopt's JSON."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        if np.iscomplexobj(value):
            return {"re": _plain(value.real), "im": _plain(value.imag)}
        return _plain(value.tolist())
    if isinstance(value, complex):
        return {"re": value.real, "im": value.imag}
    if isinstance(value, (list, tuple)):
        if any(isinstance(entry, (complex, np.complexfloating)) for entry in value):
            return _plain(np.asarray(value))
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _arrays(value):
    """Lists of numbers as arrays, `{"re", "im"}` as complex ones."""
    if isinstance(value, dict):
        if set(value) == {"re", "im"}:
            return np.asarray(value["re"], float) + 1j * np.asarray(value["im"], float)
        return {key: _arrays(entry) for key, entry in value.items()}
    if isinstance(value, list):
        array = _numbers(value)
        return np.asarray(array) if isinstance(array, list) and _is_full(array) else [_arrays(entry) for entry in value]
    return value


def _is_full(value):
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:
        return False


def _number(value):
    """A number, also where JSON has none for it."""
    if value is None or value == "nan":
        return float("nan")
    return float(value) if isinstance(value, str) else value


def _numbers(value):
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    return _number(value) if value is None or value in ("inf", "-inf", "nan") else value


def _metrics(judged):
    """`metrics` as values, with their units beside."""
    metrics = judged["metrics"]
    values = {name: _numbers(metric["value"]) for name, metric in metrics.items()}
    values = {name: np.asarray(value, float) if isinstance(value, list) else value for name, value in values.items()}
    units = {name: metric["unit"] for name, metric in metrics.items()}
    return {**judged, "metrics": values, "units": units, "violation": _number(judged["violation"])}


def _toml(config):
    """A config's text: plain keys first, then a table or a list of tables for each section."""
    plain = _plain(config)
    lines = [f"{key} = {_toml_value(value)}" for key, value in plain.items() if not _is_section(value)]
    for key, value in plain.items():
        if _is_section(value):
            tables = value if isinstance(value, list) else [value]
            head = f"[[{key}]]" if isinstance(value, list) else f"[{key}]"
            for table in tables:
                lines += ["", head, *(f"{json.dumps(name)} = {_toml_value(entry)}" for name, entry in table.items())]
    return "\n".join(lines) + "\n"


def _is_section(value):
    return isinstance(value, dict) or isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml_value(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if value is None:
        raise Error("a config holds no nan and no None", 2)
    return json.dumps(value)
