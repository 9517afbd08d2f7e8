#!/usr/bin/env python3
"""isacopt beside CVXPY on the very same multi-IRS instances: every subproblem of the alternation, and all of it.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    cargo build --release
    venv/bin/python benches/peers/multi_irs.py --write docs/performance.md

Peers: CVXPY with Clarabel and with SCS, which it gives real matrices of twice the size, and SCS itself with its cone of
complex matrices ("complex cone": transmit and reflect, the data laid out by hand), on
  transmit    (SDR2.3), the beams and the covariance at random phases, with the rank-one recovery
  reflect     (SDR3.2.l) of every IRS at the beams of that, SINR rows included, no candidates
  extended    (SDR5.1), the transmit side for extended targets
  alternation both in turn with 1000 Gaussian candidates an IRS, as the paper writes it, for a fixed number of rounds.
All are written in normal units (powers by the budget, rows by their channel, a centred D), without which these solvers call
wrong answers optimal. Problems are built anew each time: their data are complex and change in every round.

Instances come from `isacopt draw`. Before anything is timed, the formulas here are held against `isacopt evaluate`.
Both sides use one thread. A peer's time is the CPU time of this process. The program's is the smaller of two that are both
too long: the solver's own time by the wall clock, the least of a few runs, and the CPU time that a further run costs the
whole process, judging and bounds included. Rounds alternate between both sides; medians are shown.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import monostatic as beside  # first: it sets the number of threads

import cvxpy as cp
import numpy as np
import scipy.sparse
import scs

CONFIG = beside.ROOT / "configs" / "multi_irs" / "fig3-convergence.toml"
CANDIDATES = 1000
# Clarabel at its own tolerances; SCS at its default, which is looser.
SOLVERS = {"Clarabel": dict(solver=cp.CLARABEL), "SCS": dict(solver=cp.SCS)}
COMPLEX = "complex cone"


def complex_of(value):
    return np.asarray(value["re"]) + 1j * np.asarray(value["im"])


class System:
    """The numbers of an instance, and its closed forms."""

    def __init__(self, instance):
        self.g = complex_of(instance["base_station_irs_channel"])
        self.h = complex_of(instance["irs_user_channel"])
        self.irs, self.elements, self.antennas = self.g.shape
        self.users = self.h.shape[1]
        self.noise, self.budget = instance["communication_noise_power"], instance["transmit_power"]
        self.limit = np.asarray(instance["sinr_limit"]).reshape(-1)
        self.type2 = instance["receiver"] == "type2"
        self.extended = instance["target"] == "extended"
        spacing, sensors = instance["element_spacing_wavelengths"], instance["sensors"]
        theta = np.asarray(instance["target_direction"])
        n = np.arange(self.elements)
        self.steering = np.exp(2j * np.pi * spacing * np.sin(theta)[:, None] * n)
        self.centred = n - n.mean()
        self.c1 = instance["sensor_spacing_wavelengths"] ** 2 * sensors * (sensors**2 - 1) / 12
        self.c2 = spacing**2 * sensors
        reflected = np.abs(complex_of(instance["target_reflection"])) ** 2
        echo = instance["sensing_noise_power"] / instance["dwell_time"]
        self.kappa = echo / (8 * np.pi**2 * reflected * np.cos(theta) ** 2)
        self.response = sensors * echo

    def heard(self, phase):
        """g of every user, and v1 and v2 of every IRS, as rows."""
        turn = np.exp(1j * phase)
        users = np.einsum("lkn,ln,lnm->lkm", self.h.conj(), turn, self.g).reshape(-1, self.antennas).conj()
        seen = turn * self.steering
        one = np.einsum("ln,lnm->lm", seen, self.g).conj()
        two = np.einsum("ln,lnm->lm", seen * self.centred, self.g).conj()
        return users, one, two

    def sinr(self, phase, beams, sensing):
        users, _, _ = self.heard(phase)
        received = np.abs(users.conj() @ beams.T) ** 2
        own = np.diag(received)
        disturbed = received.sum(1) - own + self.noise
        if not self.type2:
            disturbed = disturbed + np.einsum("um,mn,un->u", users.conj(), sensing, users).real
        return own / disturbed

    def bounds(self, phase, total):
        if self.extended:
            seen = self.g @ total @ self.g.conj().transpose(0, 2, 1)
            return self.response * np.trace(np.linalg.inv(seen), axis1=1, axis2=2).real
        _, one, two = self.heard(phase)
        form = lambda a, b: np.einsum("lm,mn,ln->l", a.conj(), total, b)
        p, q, r = form(one, one).real, form(two, two).real, form(one, two)
        return self.kappa / (self.c1 * p + self.c2 * (q - np.abs(r) ** 2 / p))


def total_of(beams, sensing):
    return beams.T @ beams.conj() + sensing


def quadratic(a, matrix):
    return cp.real(cp.trace(np.outer(a, a.conj()) @ matrix))


def solve(program, solver, clock):
    began = time.process_time()
    program.solve(**SOLVERS[solver])
    clock["total"] += time.process_time() - began
    if program.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise RuntimeError(program.status)


def transmit(system, phase, solver, clock):
    """(SDR2.3) or (SDR5.1) with the recovery of Propositions 5 and 6; beams and covariance."""
    began, inside = time.process_time(), dict(clock)
    m, count = system.antennas, len(system.limit)
    users, one, two = system.heard(phase)
    size = np.linalg.norm(users, axis=1)
    # With receivers that cancel the covariance the beams are tiny: their unit is what a user alone would need.
    unit = (system.limit * system.noise / size**2).sum() / system.budget if system.type2 else 1.0
    beams = [cp.Variable((m, m), hermitian=True) for _ in range(count)]
    sensing, level = cp.Variable((m, m), hermitian=True), cp.Variable()
    all_beams = unit * sum(beams)
    total = all_beams + sensing
    disturbing = all_beams if system.type2 else total
    rules = [w >> 0 for w in beams] + [sensing >> 0, cp.real(cp.trace(total)) <= 1]
    for u in range(count):
        g = users[u] / size[u]
        own = (1 + 1 / system.limit[u]) * unit * quadratic(g, beams[u])
        noise = system.noise / (size[u] ** 2 * system.budget)
        rules.append((own - quadratic(g, disturbing)) / unit >= noise / unit)
    if system.extended:
        parts = [np.linalg.svd(channel) for channel in system.g]
        # In the unit of equal powers in all directions.
        largest = max(np.sqrt((s**-2.0).sum() * m) for _, s, _ in parts)
        for _, s, right in parts:
            n = len(s)
            image = right[:n] @ total @ right[:n].conj().T
            inverse = cp.Variable((n, n), hermitian=True)
            corner = np.diag(1 / (s * largest))
            rules += [cp.bmat([[inverse, corner], [corner, image]]) >> 0, cp.real(cp.trace(inverse)) <= level]
        goal = cp.Minimize(level)
    else:
        norms = np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1)
        most = (system.c1 * norms[0] ** 2 + system.c2 * norms[1] ** 2) / system.kappa
        for l in range(system.irs):
            a, b = one[l] / norms[0][l], two[l] / norms[1][l]
            corner = cp.Variable((2, 2), hermitian=True)
            rules += [corner >> 0, cp.real(corner[0, 0]) == quadratic(a, total)]
            rules.append(corner[0, 1] == cp.trace(np.outer(b, a.conj()) @ total))
            seen = system.c1 * norms[0][l] ** 2 * quadratic(a, total)
            seen += system.c2 * norms[1][l] ** 2 * (quadratic(b, total) - cp.real(corner[1, 1]))
            rules.append(seen / (system.kappa[l] * most.min()) >= level)
        goal = cp.Maximize(level)
    solve(cp.Problem(goal, rules), solver, clock)
    found = np.empty((count, m), complex)
    for u, w in enumerate(beams):
        image = unit * w.value @ users[u]
        found[u] = image / np.sqrt((users[u].conj() @ image).real)
    found *= np.sqrt(system.budget)
    rest = system.budget * total.value - total_of(found, 0)
    clock["total"] = inside["total"] + time.process_time() - began
    return found, rest


def relaxation(system, l, beams, sensing, solver, clock):
    """(SDR3.2.l): the matrix that stands for conj(phi) phi^T of one IRS."""
    n = system.elements
    total = total_of(beams, sensing)
    seen = np.diag(system.steering[l]) @ system.g[l]
    u = seen @ total @ seen.conj().T
    u /= n * np.trace(u).real
    d = np.diag(system.centred / np.abs(system.centred).max())
    theta, corner = cp.Variable((n, n), hermitian=True), cp.Variable((2, 2), hermitian=True)
    form = lambda matrix: cp.trace(matrix @ theta)
    rules = [theta >> 0, corner >> 0, cp.real(cp.diag(theta)) == 1]
    rules += [cp.real(corner[0, 0]) == cp.real(form(u)), corner[0, 1] == form(u @ d)]
    element = system.c2 * np.abs(system.centred).max() ** 2
    goal = system.c1 * cp.real(form(u)) + element * (cp.real(form(d @ u @ d)) - cp.real(corner[1, 1]))
    for k in range(system.users):
        user = l * system.users + k
        channel = np.diag(system.h[l, k].conj()) @ system.g[l]
        images = beams @ channel.T
        row = np.outer(images[user], images[user].conj()) * (1 + 1 / system.limit[user])
        row = row - images.T @ images.conj()
        if not system.type2:
            row = row - channel @ sensing @ channel.conj().T
        size = np.linalg.norm(row, 2)
        rules.append(cp.real(form(row / size)) >= system.noise / size)
    solve(cp.Problem(cp.Maximize(goal / (system.c1 + element)), rules), solver, clock)
    return theta.value, u


def vector(a):
    """A Hermitian matrix in the coordinates of SCS's complex cone, in which products of vectors are those of matrices."""
    n, root = len(a), np.sqrt(2.0)
    parts = []
    for j in range(n):
        parts += [[a[j, j].real], np.column_stack([root * a[j + 1 :, j].real, root * a[j + 1 :, j].imag]).ravel()]
    return np.concatenate(parts)


def matrix(x, n):
    a, at = np.zeros((n, n), complex), 0
    for j in range(n):
        a[j, j], below = x[at], x[at + 1 : at + 2 * (n - j) - 1].reshape(-1, 2) @ [1, 1j] / np.sqrt(2.0)
        a[j + 1 :, j], a[j, j + 1 :] = below, below.conj()
        at += 2 * (n - j) - 1
    return a


class Complex:
    """max <C_b, X_b> + c level, rows <A_b, X_b> + a level = or >= b, for SCS with complex blocks and one free scalar."""

    def __init__(self, sizes, scalars=0):
        self.sizes, self.starts = sizes, np.cumsum([0] + [n * n for n in sizes])
        self.columns = self.starts[-1] + scalars
        self.equal, self.least = [], []

    def row(self, matrices, scalar=0.0):
        out = np.zeros(self.columns)
        for block, a in matrices:
            out[self.starts[block] : self.starts[block + 1]] += vector((a + a.conj().T) / 2)
        if scalar:
            out[-1] = scalar
        return out

    def solve(self, cost):
        rows = self.equal + [(-a, -b) for a, b in self.least]
        cones = scipy.sparse.eye(self.starts[-1], self.columns)
        data = dict(
            A=scipy.sparse.vstack([scipy.sparse.csc_matrix(np.array([a for a, _ in rows])), -cones], format="csc"),
            b=np.concatenate([[b for _, b in rows], np.zeros(self.starts[-1])]),
            c=-cost,
        )
        cone = dict(z=len(self.equal), l=len(self.least), cs=list(self.sizes))
        found = scs.SCS(data, cone, verbose=False).solve()
        if found["info"]["status_val"] not in (1, 2):
            raise RuntimeError(found["info"]["status"])
        blocks = [matrix(found["x"][a:b], n) for n, a, b in zip(self.sizes, self.starts, self.starts[1:])]
        return blocks, -found["info"]["pobj"]


def outer(a, b=None):
    return np.outer(a, (a if b is None else b).conj())


def corner_rows(program, block, p, r):
    """[[p, r], [r^*, nu]] >= 0 of given functions of other blocks."""
    unit = np.zeros((3, 2, 2), complex)
    unit[0, 0, 0], unit[1, 1, 0], unit[2, 1, 0] = 1, 1, 1j
    # X_01 is what (1, 0) picks: tr(A X) = A_10 X_01.
    for pick, given in ((unit[0], p), (unit[1], r), (-1j * unit[1], [(b, -1j * a) for b, a in r])):
        program.equal.append((program.row([(block, pick)] + [(b, -a) for b, a in given]), 0.0))


def transmit_complex(system, phase, clock):
    """(SDR2.3) as in `transmit`, by SCS's complex cone."""
    began = time.process_time()
    m, count = system.antennas, len(system.limit)
    users, one, two = system.heard(phase)
    size = np.linalg.norm(users, axis=1)
    unit = (system.limit * system.noise / size**2).sum() / system.budget if system.type2 else 1.0
    program = Complex([m] * (count + 1) + [2] * system.irs, scalars=1)
    everything = lambda a: [(u, unit * a) for u in range(count)] + [(count, a)]
    program.least.append((program.row([(b, -a) for b, a in everything(np.eye(m))]), -1.0))
    for u in range(count):
        g = outer(users[u] / size[u])
        row = [(u, (1 + 1 / system.limit[u]) * g)] + [(j, -g) for j in range(count)]
        if not system.type2:
            row.append((count, -g / unit))
        program.least.append((program.row(row), system.noise / (size[u] ** 2 * system.budget * unit)))
    norms = np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1)
    most = (system.c1 * norms[0] ** 2 + system.c2 * norms[1] ** 2) / system.kappa
    for l in range(system.irs):
        a, b = one[l] / norms[0][l], two[l] / norms[1][l]
        block, scale = count + 1 + l, system.kappa[l] * most.min()
        corner_rows(program, block, everything(outer(a)), everything(outer(b, a)))
        seen = system.c1 * norms[0][l] ** 2 * outer(a) + system.c2 * norms[1][l] ** 2 * outer(b)
        lost = np.diag([0, system.c2 * norms[1][l] ** 2 / scale])
        program.least.append((program.row(everything(seen / scale) + [(block, -lost)], -1.0), 0.0))
    cost = np.zeros(program.columns)
    cost[-1] = 1.0
    blocks, _ = program.solve(cost)
    total = unit * sum(blocks[:count]) + blocks[count]
    found = np.empty((count, m), complex)
    for u in range(count):
        image = unit * blocks[u] @ users[u]
        found[u] = image / np.sqrt((users[u].conj() @ image).real)
    found *= np.sqrt(system.budget)
    rest = system.budget * total - total_of(found, 0)
    clock["total"] += time.process_time() - began
    return found, rest


def reflect_complex(system, beams, sensing, clock):
    """(SDR3.2.l) of every IRS as in `relaxation`, by SCS's complex cone; the values of the relaxations."""
    began, values = time.process_time(), []
    n = system.elements
    for l in range(system.irs):
        total = total_of(beams, sensing)
        seen = np.diag(system.steering[l]) @ system.g[l]
        u = seen @ total @ seen.conj().T
        u /= n * np.trace(u).real
        d = np.diag(system.centred / np.abs(system.centred).max())
        program = Complex([n, 2])
        for i in range(n):
            program.equal.append((program.row([(0, np.diag(np.eye(n)[i]))]), 1.0))
        corner_rows(program, 1, [(0, u)], [(0, u @ d)])
        element = system.c2 * np.abs(system.centred).max() ** 2
        for k in range(system.users):
            user = l * system.users + k
            channel = np.diag(system.h[l, k].conj()) @ system.g[l]
            images = beams @ channel.T
            row = outer(images[user]) * (1 + 1 / system.limit[user]) - images.T @ images.conj()
            if not system.type2:
                row = row - channel @ sensing @ channel.conj().T
            size = np.linalg.norm(row, 2)
            program.least.append((program.row([(0, row / size)]), system.noise / size))
        whole = system.c1 + element
        cost = program.row([(0, (system.c1 * u + element * d @ u @ d) / whole), (1, np.diag([0, -element / whole]))])
        values.append(program.solve(cost)[1])
    clock["total"] += time.process_time() - began
    return values


def reflect(system, beams, sensing, solver, clock, random=None):
    """The phases of all IRSs: the best of the candidates by the bound alone, as the paper has it."""
    began, inside = time.process_time(), dict(clock)
    phases = np.empty((system.irs, system.elements))
    for l in range(system.irs):
        theta, u = relaxation(system, l, beams, sensing, solver, clock)
        values, vectors = np.linalg.eigh(theta)
        factor = vectors * np.sqrt(np.maximum(values, 0))
        draws = vectors[:, -1:]
        if random is not None:
            noise = random.standard_normal((system.elements, CANDIDATES, 2)) @ [1, 1j]
            draws = np.hstack([draws, factor @ noise])
        x = np.exp(1j * np.angle(draws))
        weighted = system.centred[:, None] * x
        p = np.einsum("ns,ns->s", x.conj(), u @ x).real
        q = np.einsum("ns,ns->s", weighted.conj(), u @ weighted).real
        r = np.einsum("ns,ns->s", x.conj(), u @ weighted)
        best = np.argmax(system.c1 * p + system.c2 * (q - np.abs(r) ** 2 / p))
        phases[l] = -np.angle(x[:, best])
    clock["total"] = inside["total"] + time.process_time() - began
    return phases


def alternation(system, phase, beams, sensing, solver, clock, rounds, random):
    """Rounds of a reflecting and a transmit step, from beams that are best for the first phases."""
    for _ in range(rounds):
        phase = reflect(system, beams, sensing, solver, clock, random)
        beams, sensing = transmit(system, phase, solver, clock)
    return phase, beams, sensing


def shortfall(system, phase, beams, sensing):
    return max(0.0, 1 - (system.sinr(phase, beams, sensing) / system.limit).min())


class Program(beside.Program):
    def draw(self, trial, **keys):
        path = self.folder / ("-".join([*map(str, keys.values()), str(trial)]) + ".json")
        receiver = keys.pop("receiver")
        sets = [("--set", f'sweep."scenario.receiver"=["{receiver}"]')]
        sets += [("--set", f"scenario.{key}={json.dumps(value)}") for key, value in keys.items()]
        self.call("draw", CONFIG, "--trial", trial, "--out", path, *[part for pair in sets for part in pair])
        return path

    def fastest(self, path, label, table, copies):
        """How long a run takes, and one of the records."""
        spent = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        began = spent()
        records = self.run(path, label, table, copies + 1)
        middle = spent()
        self.run(path, label, table, 1)
        cpu = ((middle - began) - (spent() - middle)) / copies
        wall = min(record["time_s"] for record in records)
        return min(cpu, wall) if cpu > 0.0 else wall, records[0]

    def design(self, path, solver, start):
        """A design of the program's, in its own form and as numbers."""
        answer = json.loads(self.call("solve", path, "--solver", solver, "--start", start, "--json"))["design"]
        phase = np.asarray(answer["irs_phase"])
        beams = complex_of(answer["beamformer"]).reshape(-1, complex_of(answer["beamformer"]).shape[-1])
        return answer, (phase, beams, complex_of(answer["sensing_covariance"]))


def check(program, path, system, design, numbers):
    """The formulas here are those of the program, or nothing is compared; the path with the design inside."""
    document = json.loads(path.read_text())
    document["designs"] = {"start": design}
    path.write_text(json.dumps(document))
    theirs = json.loads(program.call("evaluate", path, "--json"))["designs"]["start"]["metrics"]
    phase, beams, sensing = numbers
    bound = "crlb_response" if system.extended else "crlb_direction"
    mine = {"sinr": system.sinr(*numbers), bound: system.bounds(phase, total_of(beams, sensing))}
    for name, value in mine.items():
        given = np.asarray(theirs[name]["value"]).reshape(-1)
        if np.abs(given / value - 1).max() > 1e-8:
            raise SystemExit(f"{name}: {value} here, {given} in the program")


def table_of(kind, options):
    """How the program does the same."""
    literal = f'candidates = {CANDIDATES}, selection = "literal"'
    return {
        "transmit": 'type = "sdr"\nblock = "transmit"\nstart = "start"',
        "extended": 'type = "sdr"\nblock = "transmit"\nstart = "start"',
        "reflect": 'type = "sdr"\nblock = "irs_phase"\ncandidates = 0\nstart = "start"',
        "alternation": f'type = "alternating"\naccept = "literal"\nmax_iterations = {options.rounds}\n'
        f'idle_rounds = 1000\nstart = "start"\nblocks = [{{ block = "irs_phase", solver = {{ type = "sdr", {literal} }} }}, '
        '{ block = "transmit", solver = { type = "sdr" } }]',
        "joint": 'type = "manifold"\nstarts = 1',
        "certified": 'type = "exact"',
    }[kind]


def measure(program, options):
    """Seconds and values, by task and method."""
    times, values = {}, {}

    def note(key, method, seconds, value):
        times.setdefault((key, method), []).append(seconds)
        values.setdefault((key, method), []).append(value)

    cases = [(kind, receiver, 8) for kind in ("transmit", "reflect", "alternation") for receiver in ("type1", "type2")]
    cases += [("reflect", "type1", n) for n in options.elements]
    cases += [(kind, receiver, 8) for receiver in ("type1", "type2") for kind in ("extended",)]
    for turn in range(options.rounds_of_all):
        for trial in range(options.drops):
            for kind, receiver, elements in cases:
                print(f"round {turn + 1}, drop {trial}: {kind}, {receiver}, N = {elements}", file=sys.stderr)
                keys = dict(receiver=receiver, elements=elements, target="extended" if kind == "extended" else "point")
                path = program.draw(trial, **keys)
                system = System(json.loads(path.read_text())["instance"])
                design, numbers = program.design(path, "transmit_only", "random_phases")
                check(program, path, system, design, numbers)
                phase, beams, sensing = numbers
                key = (kind, receiver, elements)
                own = [kind] + (["joint"] if kind == "alternation" else []) + (["certified"] if kind == "extended" else [])
                for name in own:
                    seconds, record = program.fastest(path, name, table_of(name, options), options.copies)
                    note(key, name, seconds, record["objective"]["value"])
                for solver in [*SOLVERS, COMPLEX]:
                    if solver == COMPLEX and kind not in ("transmit", "reflect"):
                        continue
                    if solver != COMPLEX and elements > options.largest or kind == "alternation" and turn > 0:
                        continue
                    clock = {"total": 0.0}
                    try:
                        if solver == COMPLEX and kind == "transmit":
                            found = transmit_complex(system, phase, clock)
                            value = system.bounds(phase, total_of(*found)).max(), shortfall(system, phase, *found)
                        elif solver == COMPLEX:
                            reflect_complex(system, beams, sensing, clock)
                            value = None, 0.0
                        elif kind in ("transmit", "extended"):
                            found = transmit(system, phase, solver, clock)
                            value = system.bounds(phase, total_of(*found)).max(), shortfall(system, phase, *found)
                        elif kind == "reflect":
                            reflect(system, beams, sensing, solver, clock)
                            value = None, 0.0
                        else:
                            random = np.random.default_rng(trial)
                            found = alternation(system, *numbers, solver, clock, options.rounds, random)
                            value = system.bounds(found[0], total_of(*found[1:])).max(), shortfall(system, *found)
                        note(key, solver, clock["total"], value)
                    except (RuntimeError, cp.SolverError) as error:
                        note(key, solver, None, str(error))
    return times, values


GOALS = {"transmit": "3 ms", "alternation": "30 times", "certified": "3 ms"}


def report(times, values, options):
    def median(key, method):
        found = [t for t in times.get((key, method), []) if t is not None]
        return statistics.median(found) if found else None

    text = lambda t: "-" if t is None else beside.seconds(t)
    lines = [
        beside.machine(f"CVXPY {cp.__version__}, Clarabel and SCS {scs.__version__}, NumPy {np.__version__}"),
        f"L = K = 2, M = N_s = 8, 40 W, 10 dB; medians over {options.drops} drops and {options.rounds_of_all} alternating "
        f"rounds (the alternation of the peers once a drop), {options.rounds} rounds of the alternation.",
        "",
        "| task | receiver | N | isacopt | goal | CVXPY + Clarabel | ratio | CVXPY + SCS | ratio | SCS, complex cone | ratio | off by, in this order |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys(key for key, _ in times):
        kind, receiver, elements = key
        for name in [kind, "joint", "certified"]:
            mine = median(key, name)
            if mine is None:
                continue
            goal = {8: "0.5 ms an IRS", 64: "30 ms an IRS"}.get(elements, "") if kind == "reflect" else GOALS.get(name, "")
            goal = "50 ms" if (name, receiver) == ("joint", "type2") else goal
            cells = [name, receiver, str(elements), text(mine), goal]
            off = []
            for solver in [*SOLVERS, COMPLEX]:
                theirs = median(key, solver)
                ratio = "-" if theirs is None else f"{theirs / mine:.3g}"
                cells += [text(theirs), ratio]
                found = [v for v in values.get((key, solver), []) if isinstance(v, tuple) and v[0] is not None]
                if found and name == kind:
                    ours = values[(key, name)]
                    ours = [ours[i * len(ours) // len(found)] for i in range(len(found))]
                    bound = max((v[0] / o - 1 for v, o in zip(found, ours)), key=abs)
                    off.append(f"{bound:+.0e}, " * (kind != "alternation") + f"SINRs {max(v[1] for v in found):.0e}")
                failed = sum(t is None for t in times.get((key, solver), []))
                if failed:
                    off.append(f"failed {failed} times")
            lines.append("| " + " | ".join(cells + ["; ".join(off)]) + " |")
    return "\n".join(lines)


MARKS = ("<!-- peers/multi_irs.py writes below -->", "<!-- and above: multi_irs -->")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isacopt", default=str(beside.ROOT / "target" / "release" / "isacopt"), help="the program")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the alternation")
    parser.add_argument("--rounds-of-all", type=int, default=3, help="alternating rounds of both sides")
    parser.add_argument("--drops", type=int, default=3, help="drops of the channels")
    parser.add_argument("--copies", type=int, default=5, help="runs of each own solver a round")
    parser.add_argument("--elements", type=int, nargs="*", default=[16, 64], help="sizes of the reflecting step beyond 8")
    parser.add_argument("--largest", type=int, default=16, help="elements up to which the peers take part")
    parser.add_argument("--write", type=Path, help="the document to put the table into")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = report(*measure(Program(options.isacopt, Path(folder)), options), options)
    print(text)
    if options.write:
        beside.write(options.write, text, MARKS)


if __name__ == "__main__":
    main()
