#!/usr/bin/env python3
"""isacopt beside what a researcher would otherwise use, on the very same monostatic instances.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    cargo build --release
    venv/bin/python benches/peers/monostatic.py --write docs/performance.md

Peers: successive convex approximation in CVXPY with Clarabel (the problem compiled once with parameters, DPP, and built
anew each iteration), SciPy's differential evolution and multi-start SLSQP with gradients, and the exact method in NumPy.
Instances come from `isacopt draw`. Before anything is timed, the formulas here are held against `isacopt evaluate`.

Both sides use one thread. A peer's time is the CPU time of this process; the program's is the solver's own time, wall
clock of its one thread, so a busy machine counts against the program only. Rounds alternate between both; medians are
shown. Searches are timed until they first hold a feasible design within 0.1 % of the proven optimum. On both sides the
coefficients of the instance are there before the clock starts, except where a row says otherwise.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import datetime
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cvxpy as cp
import numpy as np
import scipy
from scipy.optimize import differential_evolution, minimize

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "monostatic" / "fig3-convergence.toml"
ITERATIONS = 15
SHORTFALL = 1e-3
SLACK = 1e-9


class System:
    """Rates and bounds of an instance with an aligned sensing beam, in powers p_k and q."""

    def __init__(self, instance):
        number = lambda key: float(instance[key])
        self.beta = np.array(instance["large_scale_fading"], float)
        pilots = np.array(instance["pilot_index"])
        size = lambda array: instance[array]["horizontal"] * instance[array]["vertical"]
        antennas, self.users = size("transmit_array"), len(self.beta)
        self.shared = pilots[:, None] == pilots[None, :]
        self.groups = [np.flatnonzero(pilots == g) for g in np.unique(pilots)]
        energy = number("pilot_length") * number("pilot_power")
        noise = number("communication_noise_power")
        variance = energy * self.beta**2 / (energy * self.shared @ self.beta + noise)
        zero_forcing = instance["precoder"] == "zf"
        self.gain = (antennas - len(self.groups) * zero_forcing) * variance
        self.leak = self.beta - variance * zero_forcing
        # Interference and noise of all users: mixing @ p + beta q + noise.
        self.mixing = self.leak[:, None] + self.gain[:, None] * (self.shared & ~np.eye(self.users, dtype=bool))
        self.noise = noise
        # Shares of the communication power at equal gamma_k: p_k is proportional to the precoder's mean power.
        power = 1.0 / variance if zero_forcing else variance
        self.equal = power / power.sum()
        self.prelog = 1.0 - number("pilot_length") / number("coherence_length")
        self.budget = number("transmit_power")
        self.limits = [instance.get("crlb_azimuth_limit"), instance.get("crlb_elevation_limit")]
        self.by_communication, self.by_sensing = information(instance)

    def rates(self, p, q):
        interference = self.mixing @ p + self.beta * q + self.noise
        return self.prelog * np.log2(1.0 + self.gain * p / interference)

    def sum_rate(self, p, q):
        return float(self.rates(p, q).sum())

    def gradient(self, p, q):
        """Of the sum rate, in p and then q."""
        signal, interference = self.gain * p, self.mixing @ p + self.beta * q + self.noise
        outer = self.prelog / np.log(2.0) / (interference + signal)
        weight = outer * signal / interference
        return np.append(outer * self.gain - weight @ self.mixing, -(weight @ self.beta))

    def crlbs(self, communication, sensing):
        (tt, tp), (_, pp) = communication * self.by_communication + sensing * self.by_sensing
        determinant = tt * pp - tp * tp
        return np.array([pp, tt]) / determinant

    def miss(self, communication, sensing):
        """The largest relative amount by which a bound misses its limit; at most 0 where none does."""
        pairs = zip(self.crlbs(communication, sensing), self.limits)
        return max([crlb / limit - 1.0 for crlb, limit in pairs if limit is not None], default=0.0)

    def margins(self, communication, sensing):
        """J_ii - 1/c_i and (J_ii - 1/c_i) J_jj - J_ij^2, scaled: at least 0 where limit i holds. With derivatives."""
        values, slopes = [], []
        scale = np.sqrt(np.diag(self.budget * self.by_sensing + self.budget * self.by_communication))
        s, u = (m / np.outer(scale, scale) for m in (self.by_communication, self.by_sensing))
        j = communication * s + sensing * u
        for i, limit in enumerate(self.limits):
            if limit is None:
                continue
            other = 1 - i
            own = j[i, i] - 1.0 / limit / scale[i] ** 2
            values += [own, own * j[other, other] - j[0, 1] ** 2]
            slope = lambda d: d[i, i] * j[other, other] + own * d[other, other] - 2.0 * j[0, 1] * d[0, 1]
            slopes += [[s[i, i], u[i, i]], [slope(s), slope(u)]]
        return np.array(values), np.array(slopes)


def information(instance):
    """What one unit of communication and one of sensing power tell about (azimuth, elevation), alpha eliminated."""
    theta, phi = instance["target_direction"]["azimuth"], instance["target_direction"]["elevation"]

    def norms(array):
        h, v = instance[array]["horizontal"], instance[array]["vertical"]
        unit = h * v * np.pi**2 / 12.0
        azimuth = (h * h - 1) * (np.cos(theta) * np.sin(phi)) ** 2
        elevation = (h * h - 1) * (np.sin(theta) * np.cos(phi)) ** 2 + (v * v - 1) * np.sin(phi) ** 2
        cross = (h * h - 1) * np.sin(theta) * np.cos(theta) * np.sin(phi) * np.cos(phi)
        return h * v, unit * np.array([[azimuth, cross], [cross, elevation]])

    (nt, a), (nr, b) = norms("transmit_array"), norms("receive_array")
    alpha = instance["target_reflection"]
    square = alpha["re"] ** 2 + alpha["im"] ** 2
    kappa = 2.0 * instance["frame_length"] / instance["sensing_noise_power"] * square
    return kappa * (nr / nt * a + b), kappa * nt * b


def exact(system):
    """The optimum in NumPy: the smallest feasible sensing power, one user a pilot, water-filling."""
    q = smallest_sensing_power(system)
    rest = system.budget - q
    # Noise over gain; the interference of the users' own sum is fixed by the budget.
    floor = (system.beta * q + system.leak * rest + system.noise) / system.gain
    served = np.array([group[np.argmin(floor[group])] for group in system.groups])
    served = served[np.argsort(floor[served])]
    levels = (rest + np.cumsum(floor[served])) / np.arange(1, len(served) + 1)
    count = np.flatnonzero(levels > floor[served])[-1] + 1
    p = np.zeros(system.users)
    p[served[:count]] = levels[count - 1] - floor[served[:count]]
    return p, q


def smallest_sensing_power(system):
    """Both limits are quadratic inequalities in q on S + q = P; the least q that meets them."""
    least, s, u, budget = 0.0, system.by_communication, system.by_sensing, system.budget
    for i, limit in enumerate(system.limits):
        if limit is None:
            continue
        at, by = budget * s, u - s
        own = at[i, i] - 1.0 / limit
        other = 1 - i
        roots = np.roots([
            by[i, i] * by[other, other] - by[0, 1] ** 2,
            own * by[other, other] + at[other, other] * by[i, i] - 2.0 * at[0, 1] * by[0, 1],
            own * at[other, other] - at[0, 1] ** 2,
        ])
        holds = lambda q: system.crlbs(budget - q, q)[i] <= limit * (1.0 + SLACK)
        candidates = [0.0] + [float(r.real) for r in roots if abs(r.imag) < 1e-9 and 0.0 < r.real < budget]
        found = [q for q in sorted(candidates) if holds(q)]
        if not found:
            raise SystemExit("an instance whose limits cannot be met: draw another")
        least = max(least, found[0])
    return least


def start(system):
    """p0*: the smallest feasible sensing power, equal gamma_k."""
    q = smallest_sensing_power(system)
    return (system.budget - q) * system.equal, q


class Subproblem:
    """The convex subproblem of the method, in powers relative to the current ones."""

    def __init__(self, system, compiled):
        self.system, self.inside = system, 0.0
        if compiled:
            k = system.users
            self.weight, self.cost = cp.Parameter(k, nonneg=True), cp.Parameter(k, nonneg=True)
            self.sensing_cost, self.current = cp.Parameter(nonneg=True), cp.Parameter(k, nonneg=True)
            self.problem = self.build(self.weight, self.cost, self.sensing_cost, self.current)

    def build(self, weight, cost, sensing_cost, current):
        system = self.system
        self.z, self.u = cp.Variable(system.users), cp.Variable()
        s = current @ self.z
        constraints = [self.z >= 0, self.u >= 0, s + self.u <= 1]
        scale = np.sqrt(np.diag(system.budget * (system.by_sensing + system.by_communication)))
        by_s, by_u = (system.budget * m / np.outer(scale, scale) for m in (system.by_communication, system.by_sensing))
        j = lambda a, b: by_s[a, b] * s + by_u[a, b] * self.u
        for i, limit in enumerate(system.limits):
            if limit is not None:
                x, y = j(i, i) - 1.0 / limit / scale[i] ** 2, j(1 - i, 1 - i)
                constraints.append(cp.SOC(0.5 * (x + y), cp.hstack([j(0, 1), 0.5 * (x - y)])))
        losses = weight @ cp.inv_pos(self.z) + cost @ self.z + sensing_cost * self.u
        return cp.Problem(cp.Minimize(losses), constraints)

    def step(self, p, q, compiled):
        system = self.system
        signal, interference = system.gain * p, system.mixing @ p + system.beta * q + system.noise
        weight = signal / (signal + interference)
        cost = (weight / interference) @ system.mixing * p
        sensing_cost = (weight / interference) @ system.beta * system.budget
        if compiled:
            self.weight.value, self.cost.value = weight, cost
            self.sensing_cost.value, self.current.value = sensing_cost, p / system.budget
            problem = self.problem
        else:
            problem = self.build(weight, cost, sensing_cost, p / system.budget)
        problem.solve(solver=cp.CLARABEL)
        self.inside += problem.solver_stats.solve_time or 0.0
        return np.maximum(self.z.value, 0.0) * p, max(float(self.u.value), 0.0) * system.budget


def sca(system, compiled):
    """Gives the time of all iterations, that without the first (where CVXPY compiles), that of Clarabel alone by its
    own clock, and the last design."""
    p, q = start(system)
    began = time.process_time()
    subproblem, first = Subproblem(system, compiled), 0.0
    for iteration in range(ITERATIONS):
        p, q = subproblem.step(p, q, compiled)
        if iteration == 0:
            first = time.process_time() - began
    total = time.process_time() - began
    return total, (total - first) * ITERATIONS / (ITERATIONS - 1), subproblem.inside, (p, q)


def good(system, p, q, optimum):
    """Whether a design is feasible and within 0.1 % of the optimum."""
    holds = p.sum() + q <= system.budget * (1.0 + SLACK) and system.miss(p.sum(), q) <= SLACK
    return holds and system.sum_rate(p, q) >= (1.0 - SHORTFALL) * optimum


def slsqp(system, optimum, seed, limit):
    """Local searches from random designs until one is within 0.1 %; its time, or none by the limit."""
    random = np.random.default_rng(seed)
    budget, k = system.budget, system.users
    split = lambda x: (budget * x[:k], budget * x[k])
    total = lambda x: budget * x[:k].sum()
    margins = lambda x: system.margins(total(x), budget * x[k])

    def slopes(x):
        by = margins(x)[1] * budget
        return np.hstack([np.repeat(by[:, :1], k, axis=1), by[:, 1:]])

    constraints = [
        {"type": "ineq", "fun": lambda x: 1.0 - x.sum(), "jac": lambda x: -np.ones(k + 1)},
        {"type": "ineq", "fun": lambda x: margins(x)[0], "jac": slopes},
    ]
    began = time.process_time()
    while time.process_time() - began < limit:
        share = random.uniform()
        x = np.append((1.0 - share) * random.dirichlet(np.ones(k)), share)
        found = minimize(
            lambda x: -system.sum_rate(*split(x)), x, jac=lambda x: -budget * system.gradient(*split(x)),
            method="SLSQP", bounds=[(0.0, 1.0)] * (k + 1), constraints=constraints,
            options={"ftol": 1e-10, "maxiter": 500},
        )
        # A design that misses a limit by rounding is moved to more sensing power.
        p, q = split(np.clip(found.x, 0.0, 1.0))
        q += 1e-7 * budget
        p = p * (budget - q) / max(p.sum(), 1e-300)
        if good(system, p, q, optimum):
            return time.process_time() - began
    return None


def evolution(system, optimum, seed, limit, vectorized):
    """SciPy's differential evolution over shares of the whole budget with a penalty; time to 0.1 %, or none."""
    budget, k = system.budget, system.users

    def split(x):
        x = budget * x / x.sum(axis=0)
        return x[:k], x[k]

    def cost(x):
        p, q = split(np.maximum(x, 1e-12))
        communication = p.sum(axis=0)
        j = [communication * system.by_communication[i] + q * system.by_sensing[i] for i in ((0, 0), (0, 1), (1, 1))]
        determinant = j[0] * j[2] - j[1] ** 2
        miss = 0.0
        for own, limit in ((j[2], system.limits[0]), (j[0], system.limits[1])):
            if limit is not None:
                miss = miss + np.maximum(own / determinant / limit - 1.0, 0.0)
        beta, gain = (v[:, None] if x.ndim == 2 else v for v in (system.beta, system.gain))
        sinr = gain * p / (system.mixing @ p + beta * q + system.noise)
        rate = system.prelog * np.log2(1.0 + sinr).sum(axis=0)
        return 100.0 * miss - rate

    began, reached = time.process_time(), []

    def watch(x, convergence=0.0):
        spent = time.process_time() - began
        if good(system, *split(np.maximum(x, 1e-12)), optimum):
            reached.append(spent)
        return bool(reached) or spent > limit

    differential_evolution(
        cost, [(0.0, 1.0)] * (k + 1), seed=seed, tol=0.0, atol=0.0, maxiter=10**6, polish=False, callback=watch,
        vectorized=vectorized, updating="deferred" if vectorized else "immediate",
    )
    return reached[0] if reached else None


class Program:
    """The program, and how its solvers are timed."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def call(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def draw(self, precoder, pilots, trial):
        path = self.folder / f"{precoder}-{trial}.json"
        self.call(
            "draw", CONFIG, "--trial", trial, "--out", path, "--set", f'sweep."scenario.precoder"=["{precoder}"]',
            "--set", f"scenario.pilot_length={pilots}",
        )
        return path

    def refusal(self, instance, solver):
        """Why a solver cannot serve an instance; none where it can."""
        try:
            self.call("solve", instance, "--solver", solver, "--set", "solver.max_iterations=1", "--json")
        except RuntimeError as error:
            return str(error).splitlines()[0]

    def run(self, instance, label, table, copies):
        """Runs a solver on copies of an instance in one process; the records with their time and trace."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for copy in range(copies):
            shutil.copy(instance, folder / f"copy-{copy:03}.json")
        (folder / "bench.toml").write_text(f'instances = "copy-*.json"\n[[solver]]\nlabel = "{label}"\n{table}\n')
        self.call("run", folder / "bench.toml", "--threads", 1, "--out", folder / "out")
        lines = lambda name: [json.loads(line) for line in (folder / "out" / name).read_text().splitlines()]
        times = {line["run"]: line["time_s"] for line in lines("timings.jsonl")}
        found = []
        for record in lines("results.jsonl"):
            trace = folder / "out" / "traces" / f"{record['run']}.json"
            trace = json.loads(trace.read_text()) if trace.exists() else []
            found.append({**record, "time_s": times[record["run"]], "trace": trace})
        shutil.rmtree(folder)
        return found


FIFTEEN = f'start = "smallest_sensing_power"\nmax_iterations = {ITERATIONS}\ntolerance = 1e-300'
SOLVERS = {
    "sca": f'type = "sca"\n{FIFTEEN}',
    "majorization_minimization": f'type = "majorization_minimization"\n{FIFTEEN}',
    "global_search": 'type = "global_search"\nmax_evaluations = 200_000',
    "exact": 'type = "exact"',
}


def check(program, path, instance, system):
    """The formulas here are those of the program, or nothing is compared."""
    p, q = start(system)
    document = json.loads(path.read_text())
    document["designs"] = {"start": {"communication_power": list(p), "sensing_power": q}}
    held = path.with_suffix(".check.json")
    held.write_text(json.dumps(document))
    metrics = json.loads(program.call("evaluate", held, "--json"))["designs"]["start"]["metrics"]
    mine = dict(zip(("crlb_azimuth", "crlb_elevation"), system.crlbs(p.sum(), q)), sum_rate=system.sum_rate(p, q))
    for name, value in mine.items():
        theirs = metrics[name]["value"]
        if abs(value - theirs) > 1e-9 * abs(theirs):
            raise SystemExit(f"{name}: {value} here, {theirs} in the program")


def first_within(record, optimum):
    """When a run first held a feasible design within 0.1 % of the optimum."""
    for step in record["trace"]:
        objective, violation = step["objective"], step["violation"]
        if isinstance(violation, float | int) and violation <= 1e-6 and objective >= (1.0 - SHORTFALL) * optimum:
            return step["time_s"]
    return None


def measure(program, options):
    times, values = {}, {}

    def note(precoder, method, seconds):
        times.setdefault((precoder, method), []).append(seconds)

    refused = {}
    for precoder in ("mrt", "zf"):
        drawn = []
        for trial in range(options.drops):
            path = program.draw(precoder, options.pilots, trial)
            instance = json.loads(path.read_text())["instance"]
            check(program, path, instance, System(instance))
            drawn.append((path, instance))
        solvers = dict(SOLVERS)
        for name in SOLVERS:
            why = program.refusal(drawn[0][0], name)
            if why:
                refused[name] = why
                solvers.pop(name)
        for turn in range(options.rounds):
            for trial, (path, instance) in enumerate(drawn):
                print(f"{precoder}, drop {trial}, round {turn + 1}", file=sys.stderr)
                system = System(instance)
                optimum = system.sum_rate(*exact(system))
                for label, table in solvers.items():
                    # What takes microseconds is repeated as often as its peer, so that both find warm caches.
                    copies = options.copies * (40 if label in ("exact", "majorization_minimization") else 1)
                    for record in program.run(path, label, table, copies):
                        if label == "global_search":
                            note(precoder, label, first_within(record, optimum))
                        else:
                            note(precoder, label, record["time_s"])
                        shortfall = 1.0 - record["objective"]["value"] / optimum
                        values.setdefault((precoder, label), []).append(shortfall)
                for compiled, label in ((True, "CVXPY, DPP"), (False, "CVXPY, rebuilt")):
                    total, steady, inside, (p, q) = sca(system, compiled)
                    note(precoder, label, total)
                    if compiled:
                        note(precoder, "CVXPY, DPP, compiled before", steady)
                        note(precoder, "Clarabel in CVXPY, DPP", inside)
                    values.setdefault((precoder, label), []).append(1.0 - system.sum_rate(p, q) / optimum)
                repeats = 200
                began = time.process_time()
                for _ in range(repeats):
                    exact(system)
                middle = time.process_time()
                for _ in range(repeats):
                    exact(System(instance))
                note(precoder, "NumPy, exact", (middle - began) / repeats)
                note(precoder, "NumPy, set-up and exact", (time.process_time() - middle) / repeats)
                note(precoder, "SciPy, SLSQP", slsqp(system, optimum, turn, options.limit))
                if turn < options.slow_rounds:
                    note(precoder, "SciPy, DE", evolution(system, optimum, turn, options.limit, False))
                    note(precoder, "SciPy, DE vectorized", evolution(system, optimum, turn, options.limit, True))
    return times, values, refused


ROWS = [
    ("SCA, 15 conic subproblems", "sca", [
        ("CVXPY, rebuilt", "CVXPY + Clarabel, rebuilt each iteration", 80),
        ("CVXPY, DPP", "CVXPY + Clarabel, DPP", 15),
        ("CVXPY, DPP, compiled before", "the same without its first iteration (compiling)", None),
        ("Clarabel in CVXPY, DPP", "the same, Clarabel alone by its own clock", None),
    ]),
    ("SCA, 15 closed-form subproblems", "majorization_minimization", [
        ("CVXPY, DPP", "CVXPY + Clarabel, DPP", 500),
        ("CVXPY, DPP, compiled before", "the same without its first iteration (compiling)", None),
    ]),
    ("search to 0.1 %", "global_search", [
        ("SciPy, DE", "SciPy differential_evolution", 50),
        ("SciPy, DE vectorized", "the same, vectorized", None),
        ("SciPy, SLSQP", "SciPy multi-start SLSQP with gradients", 1),
    ]),
    ("proven optimum", "exact", [
        ("NumPy, exact", "the same method in NumPy", 100),
        ("NumPy, set-up and exact", "the same, coefficients of the instance included", None),
    ]),
]


def seconds(x):
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if x >= scale:
            return f"{x / scale:.3g} {unit}"
    return f"{x / 1e-9:.3g} ns"


def machine(versions):
    """What was measured where."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"model name\s*:\s*(.+)", info.read_text())
        cpu = names[0] if names else cpu
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return (
        f"Measured {datetime.date.today()} at commit {commit.stdout.strip()} on {cpu}, one thread each, load average "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {platform.python_version()}, {versions}."
    )


def report(times, values, refused, options):
    def median(precoder, method):
        """Runs that did not get there count as longer than all others."""
        found = times.get((precoder, method))
        if not found:
            return None
        return statistics.median([float("inf") if t is None else t for t in found])

    versions = f"CVXPY {cp.__version__}, SciPy {scipy.__version__}, NumPy {np.__version__}"
    lines = [
        machine(versions),
        f"N_t = 225, N_r = 25, K = 12, {options.pilots} pilots, 10 dB, both limits -35 dB; medians over {options.drops} "
        f"drops and {options.rounds} alternating rounds.",
        "",
        "| task | peer | precoder | peer (CPU) | isacopt | ratio | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, own, peers in ROWS:
        for peer, name, goal in peers:
            for precoder in ("mrt", "zf"):
                theirs, mine = median(precoder, peer), median(precoder, own)
                if theirs is None or mine is None:
                    cells = ["not run" if t is None else seconds(t) for t in (theirs, mine)]
                    ratio = "-"
                elif theirs == float("inf"):
                    cells = [f"not within {options.limit:g} s", seconds(mine)]
                    ratio = f"> {options.limit / mine:.0f}" if mine < float("inf") else "-"
                elif mine == float("inf"):
                    cells, ratio = [seconds(theirs), "not reached"], "-"
                else:
                    cells, ratio = [seconds(theirs), seconds(mine)], f"{theirs / mine:.3g}"
                goal_text = "" if goal is None else f"{goal}"
                lines.append(f"| {task} | {name} | {precoder.upper()} | {cells[0]} | {cells[1]} | {ratio} | {goal_text} |")
    lines += ["", "How far each is from the proven optimum at its end (largest of all runs):"]
    for precoder in ("mrt", "zf"):
        ends = [f"{label} {max(found):.1e}" for (p, label), found in values.items() if p == precoder]
        lines.append(f"- {precoder.upper()}: {', '.join(ends)}")
    for name, why in refused.items():
        lines.append(f"- `{name}` was left out: {why}")
    return "\n".join(lines)


MARKS = ("<!-- peers/monostatic.py writes below -->", "<!-- and above -->")


def write(path, text, marks=MARKS):
    """Puts the table between its marks in a document, or behind it where it has none yet."""
    block = f"{marks[0]}\n{text}\n{marks[1]}"
    old = path.read_text() if path.exists() else "# Performance\n"
    pattern = re.compile(f"{re.escape(marks[0])}.*?{re.escape(marks[1])}", re.S)
    new = pattern.sub(lambda _: block, old) if pattern.search(old) else f"{old.rstrip()}\n\n{block}\n"
    path.write_text(new)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isacopt", default=str(ROOT / "target" / "release" / "isacopt"), help="the program")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds in which differential evolution takes part")
    parser.add_argument("--drops", type=int, default=3, help="drops of the users")
    parser.add_argument("--copies", type=int, default=5, help="runs of each own solver a round; 40 times as many of those that take microseconds")
    parser.add_argument("--pilots", type=int, default=12, help="pilots; fewer than the 12 users are reused")
    parser.add_argument("--limit", type=float, default=60.0, help="CPU seconds after which a search is given up")
    parser.add_argument("--write", type=Path, help="the document to put the table into")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = Program(options.isacopt, Path(folder))
        text = report(*measure(program, options), options)
    print(text)
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()
