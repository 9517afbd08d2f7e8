"""The peers of benches/cell_free.rs: cell-free power allocation in CVXPY (Clarabel) and NumPy, one thread.

    isacopt draw CONFIG --out drop.json          # or any cell_free instance file with orthogonal pilots
    OMP_NUM_THREADS=1 python benches/peers/cell_free.py drop.json [--seconds 20]

Prints seconds and sum rate of a complete solve (relative change of the sum rate below 1e-4; the fixed point 1e-9):
  linear    CRLB limits linear, as they are
  printed   (24)-(25): an auxiliary variable, a cone, successive approximation
each rebuilt in every iteration, and as one problem with parameters (DPP), and
  fixed point   the closed-form maximiser of the same surrogate, unaccelerated, in NumPy.
Needs cvxpy, clarabel and numpy.
"""

import argparse
import json
import subprocess
import time

import cvxpy as cp
import numpy as np


class System:
    """The coefficients of an instance, in powers relative to the budget."""

    def __init__(self, instance):
        self.nt, self.nr = instance["transmit_antennas"], instance["receive_antennas"]
        beta = np.array(instance["large_scale_fading"])
        pilots = np.array(instance["pilots"]["re"]) + 1j * np.array(instance["pilots"]["im"])
        gram = np.abs(pilots.conj().T @ pilots) ** 2
        if np.abs(gram - np.diag(np.diag(gram))).max() > 1e-12:
            raise SystemExit("orthogonal pilots are needed here")
        symbols, noise = pilots.shape[0], instance["communication_noise_power"]
        energy = symbols * instance["pilot_power"]
        xi = energy * beta**2 / (energy * gram @ beta + noise)
        self.budget = instance["transmit_power"]
        self.beta = beta * self.budget
        self.gain = self.nt * xi * self.budget
        self.noise = noise
        self.unit = (1 - symbols / instance["coherence_length"]) / np.log(2)
        theta = np.array(instance["target_direction"])
        gains = np.array(instance["target_reflection"]["re"]) + 1j * np.array(instance["target_reflection"]["im"])
        own = np.abs(np.diag(np.atleast_2d(gains))) ** 2
        s = instance["sensing_noise_power"] / (2 * instance["frame_length"])
        curve = lambda n: np.pi**2 * np.cos(theta) ** 2 * n * (n * n - 1) / 12
        need = np.array([0.0 if c is None else 1 / c for c in instance["crlb_limit"]])
        scale = np.where(need > 0, self.budget / np.where(need > 0, need, 1), 0)
        self.limited = np.flatnonzero(need)
        self.a = own * (curve(self.nr) + self.nr * curve(self.nt) / self.nt) / s * scale
        self.b = own * self.nt * curve(self.nr) / s * scale
        n, m = np.arange(1, self.nt + 1), np.arange(1, self.nr + 1)
        difference = n[None, :] - m[:, None]
        slope = np.pi * np.cos(theta)
        nt, nr = self.nt, self.nr
        tau = np.array([[nr, nr * nt]]).repeat(len(theta), 0).astype(float)
        rows = (difference.sum(1) ** 2).sum()
        curved = slope[:, None] ** 2 * np.array([[(difference**2).sum() / nt, rows]])
        cross = np.abs(slope[:, None] * difference.sum()) * np.array([[1 / nt, 1.0]])
        size = np.maximum(tau.max(1), curved.max(1))[:, None]
        self.tau, self.curved, self.cross = tau / size, curved / size, cross / size
        with np.errstate(divide="ignore"):
            self.threshold = s * need / (own * size[:, 0] * self.budget)

    def start(self):
        """The paper's heuristic at rho = 0.3, communication scaled to the budget."""
        k, l = self.gain.shape
        p = 0.7 * self.gain / self.gain.sum()
        scale = 1.0
        for _ in range(60):
            q = np.full(l, 0.3 / l)
            c = scale * p.sum(0)
            q[self.limited] = np.maximum(q, (1 - self.a * c) / np.where(self.b > 0, self.b, 1))[self.limited]
            if c.sum() + q.sum() <= 1 + 1e-12:
                break
            scale *= 0.98
        return scale * p, q

    def parts(self, p, q):
        x = (np.sqrt(self.gain * p)).sum(1)
        i = self.noise + self.beta @ (p.sum(0) + q)
        return x, i

    def rate(self, p, q):
        x, i = self.parts(p, q)
        return self.unit * np.log1p(x**2 / i).sum()


def program(system, form):
    """The subproblem with parameters."""
    k, l = system.gain.shape
    z, c, q, x = cp.Variable((k, l)), cp.Variable(l), cp.Variable(l), cp.Variable(k)
    linear, root, cost = cp.Parameter(k), cp.Parameter(k, nonneg=True), cp.Parameter(l, nonneg=True)
    norm = np.linalg.norm(np.sqrt(system.gain), axis=1)
    constraints = [x == cp.sum(cp.multiply(np.sqrt(system.gain) / norm[:, None], z), axis=1), q >= 0]
    constraints += [cp.sum_squares(z[:, j]) <= c[j] for j in range(l)] + [cp.sum(c + q) <= 1]
    extra = []
    if form == "linear":
        n = system.limited
        constraints += [cp.multiply(system.a, c)[n] + cp.multiply(system.b, q)[n] >= 1]
    else:
        v, slope, square = cp.Variable(l), cp.Parameter(l, nonneg=True), cp.Parameter(l, nonneg=True)
        extra = [slope, square]
        for j in system.limited:
            tau = system.tau[j, 0] * c[j] + system.tau[j, 1] * q[j]
            curved = system.curved[j, 0] * c[j] + system.curved[j, 1] * q[j]
            cross = system.cross[j, 0] * c[j] + system.cross[j, 1] * q[j]
            constraints += [system.threshold[j] * tau + cp.square(cross) <= slope[j] * v[j] - square[j]]
            constraints += [cp.norm(cp.hstack([v[j], (tau - curved) / 2])) <= (tau + curved) / 2]
    objective = linear @ x - cp.sum_squares(cp.multiply(root, x)) - cost @ (c + q)
    return cp.Problem(cp.Maximize(objective), constraints), (z, c, q), (linear, root, cost, *extra), norm


def conic(system, form, rebuild, limit):
    p, q = system.start()
    values, begin, built = [system.rate(p, q)], time.perf_counter(), None
    for iteration in range(200):
        if built is None or rebuild:
            built = program(system, form)
        problem, variables, parameters, norm = built
        x, i = system.parts(p, q)
        sinr = x**2 / i
        weight = sinr / (i * (1 + sinr))
        parameters[0].value = 2 * x / i * norm
        parameters[1].value = np.sqrt(weight) * norm
        parameters[2].value = weight @ system.beta
        if form != "linear":
            c = p.sum(0)
            line = lambda part: part[:, 0] * c + part[:, 1] * q
            v = np.sqrt(line(system.tau) * line(system.curved))
            parameters[3].value, parameters[4].value = 2 * v, v**2
        problem.solve(solver=cp.CLARABEL)
        z, c, q = (np.maximum(v.value, 0) for v in variables)
        used = (z**2).sum(0)
        p = z**2 * np.where(used > 0, np.maximum(c, used) / np.where(used > 0, used, 1), 1)
        values.append(system.rate(p, q))
        if abs(values[-1] - values[-2]) < 1e-4 * values[-1] or time.perf_counter() - begin > limit:
            break
    return time.perf_counter() - begin, values[-1], len(values) - 1


def fixed_point(system):
    p, q = system.start()
    ratio = np.maximum(1 - system.a / np.where(system.b > 0, system.b, np.inf), 0)
    values, begin, d, price = [system.rate(p, q)], time.perf_counter(), None, None
    for iteration in range(1000):
        x, i = system.parts(p, q)
        sinr = x**2 / i
        b, weight = x / i, sinr / (i * (1 + sinr))
        cost = weight @ system.beta

        def settle(price, d):
            e = price + cost
            d = e if d is None else d
            for _ in range(500):
                s = b / (1 + weight * (system.gain / d).sum(1))
                big = system.gain.T @ s**2
                corner = np.where(system.a > 0, np.sqrt(system.a * big), np.inf)
                new = np.minimum(e, np.maximum(e * ratio, corner))
                done = np.abs(new / d - 1).max() < 1e-12
                d = new
                if done:
                    break
            c = big / d**2
            q = np.zeros_like(c)
            n = system.limited
            q[n] = np.maximum(0, (1 - system.a * c * (1 + 1e-13))[n] / system.b[n])
            return d, s, c, q

        low, high, price = 0.0, None, price or cost.mean()
        for _ in range(60):
            d, s, c, q = settle(price, d)
            spent = c.sum() + q.sum()
            if abs(spent - 1) < 1e-10:
                break
            low, high = (price, high) if spent > 1 else (low, price)
            price = 2 * price if high is None else (low + high) / 2
            if high is not None and high - low < 1e-13 * cost.mean():
                break
        p = s[:, None] ** 2 * system.gain / d**2
        values.append(system.rate(p, q))
        if abs(values[-1] - values[-2]) < 1e-9 * values[-1]:
            break
    return time.perf_counter() - begin, values[-1], len(values) - 1


def isacopt(program, file, solver):
    """The program's own time, the least of five runs."""
    command = [program, "solve", file, "--solver", solver, "--json"]
    if solver == "sca":
        command += ["--set", "solver.tolerance=1e-4", "--set", "solver.patience=1"]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(5)]
    best = min(runs, key=lambda run: run["time_s"])
    return best["time_s"], best["objective"]["value"], best["iterations"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--isacopt", help="the program, to be timed on the same file")
    parser.add_argument("--skip-conic", action="store_true", help="leave CVXPY out, for large systems")
    arguments = parser.parse_args()
    with open(arguments.file) as file:
        system = System(json.load(file)["instance"])
    for form in [] if arguments.skip_conic else ["linear", "printed"]:
        for rebuild in [False, True]:
            how = "rebuilt" if rebuild else "DPP"
            try:
                if not rebuild:
                    # The first solve of a parametrized problem compiles it: that is part of no iteration.
                    conic(system, form, False, 0)
                seconds, rate, iterations = conic(system, form, rebuild, arguments.seconds)
            except cp.error.SolverError as failure:
                print(f"{form:8} {how:8} failed: {failure}")
                continue
            print(f"{form:8} {how:8} {seconds:9.4f} s  {iterations:3} iterations  {rate:.6f}")
    seconds, rate, iterations = fixed_point(system)
    print(f"fixed point       {seconds:9.4f} s  {iterations:3} iterations  {rate:.6f}")
    for solver in ["majorization_minimization"] if arguments.skip_conic else ["majorization_minimization", "sca"]:
        if arguments.isacopt:
            seconds, rate, iterations = isacopt(arguments.isacopt, arguments.file, solver)
            print(f"isacopt {solver:26} {seconds:9.6f} s  {iterations:3} iterations  {rate:.6f}")


if __name__ == "__main__":
    main()
