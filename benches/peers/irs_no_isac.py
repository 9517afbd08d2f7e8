"""The cross-entropy search of the IRS-aided system as a researcher writes it in NumPy, beside isacopt.

    python benches/peers/irs_no_isac.py [--isacopt PATH] [INSTANCE.json]

Two peers on the same instance, one thread each:
  naive    for each candidate: the channel, J by its T + 2 parameters, its inverse (the paper's (22)-(38))
  batched  all candidates of an iteration at once, through three inner products
Both draw the same candidates, so their trajectories agree. The design that isacopt finds is judged by the naive
formulas, too: the two programs share no code.
"""

import argparse
import json
import math
import os
import subprocess
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = os.path.join(HERE, "..", "..", "tests", "data", "irs_no_isac", "c01_default_4x4.json")


def complex_of(value):
    return np.asarray(value["re"]) + 1j * np.asarray(value["im"])


class System:
    """One instance with drawn symbols."""

    def __init__(self, instance):
        side = lambda key: (instance[key]["horizontal"], instance[key]["vertical"])
        (self.ly, self.lz), (self.my, self.mz) = side("irs"), side("user_array")
        self.elements, self.antennas = self.ly * self.lz, self.my * self.mz
        angles = instance["angles"]
        self.elevation, self.azimuth = angles["user_elevation"], angles["user_azimuth"]
        self.irs_elevation, self.irs_azimuth = angles["irs_elevation"], angles["irs_azimuth"]
        self.gain = complex_of(instance["gain_base_station_irs"]) * complex_of(instance["gain_irs_user"])
        self.noise = instance["noise_power"]
        self.symbols = complex_of(instance["symbols"])
        self.weight = instance["communication_weight"]
        self.levels = 2 ** instance["phase_bits"]
        self.l = np.divmod(np.arange(self.elements), self.lz)
        self.m = np.divmod(np.arange(self.antennas), self.mz)

    def naive(self, levels):
        """(38), corrected: J from the channel and its derivatives, inverted."""
        sg, cg = math.sin(self.elevation), math.cos(self.elevation)
        sp, cp = math.sin(self.azimuth), math.cos(self.azimuth)
        dy = self.m[0][:, None] - self.l[0][None, :]
        dz = self.m[1][:, None] - self.l[1][None, :]
        channel = self.gain * np.exp(1j * np.pi * (dy * cg * sp + dz * sg))
        by_elevation = 1j * np.pi * (dz * cg - dy * sg * sp) * channel
        by_azimuth = 1j * np.pi * dy * cg * cp * channel
        y, z = math.cos(self.irs_elevation) * math.sin(self.irs_azimuth), math.sin(self.irs_elevation)
        arriving = np.exp(1j * np.pi * (self.l[0] * y + self.l[1] * z))
        reflected = np.exp(2j * np.pi * levels / self.levels) * arriving
        beta, gamma, phi = channel @ reflected, by_elevation @ reflected, by_azimuth @ reflected
        slots = len(self.symbols)
        j = np.zeros((slots + 2, slots + 2))
        for t, x in enumerate(self.symbols):
            columns = [beta, gamma * x, phi * x]
            places = [t, slots, slots + 1]
            for a, first in zip(places, columns):
                for b, second in zip(places, columns):
                    j[a, b] += 2 / self.noise * np.vdot(first, second).real
        try:
            crlb = np.diag(np.linalg.inv(j))
        except np.linalg.LinAlgError:
            return math.inf
        symbol, angle = crlb[:slots].mean(), crlb[slots:].mean()
        return self.weight * np.log10(symbol) + (1 - self.weight) * np.log10(angle)

    def prepare(self):
        """What the batched form needs once."""
        sg, cg = math.sin(self.elevation), math.cos(self.elevation)
        sp, cp = math.sin(self.azimuth), math.cos(self.azimuth)
        y = math.cos(self.irs_elevation) * math.sin(self.irs_azimuth) - cg * sp
        z = math.sin(self.irs_elevation) - sg
        c = np.exp(1j * np.pi * (self.l[0] * y + self.l[1] * z))
        self.table = np.stack([c, c * self.l[0], c * self.l[1]], axis=1)
        inverse = np.linalg.inv(np.pi * np.array([[-sg * sp, cg * cp], [cg, 0.0]]))
        self.metric = inverse.T @ inverse
        self.phasors = np.exp(2j * np.pi * np.arange(self.levels) / self.levels)
        return self

    def batched(self, levels):
        """The same for rows of levels at once."""
        g0, gy, gz = (self.phasors[levels] @ self.table).T
        d = np.stack([(self.my - 1) / 2 - gy / g0, (self.mz - 1) / 2 - gz / g0], axis=1)
        seen = (self.symbols[None, :, None] * d[:, None, :]).real
        hidden = (self.symbols[None, :, None] * d[:, None, :]).imag
        energy = np.sum(np.abs(self.symbols) ** 2)
        spread = np.diag([(self.my**2 - 1) / 12, (self.mz**2 - 1) / 12])
        q = energy * spread + np.einsum("ctj,ctk->cjk", seen, seen)
        strength = 2 * self.antennas * abs(self.gain) ** 2 / self.noise * np.abs(g0) ** 2
        inverse = np.linalg.inv(q)
        symbol = (1 + np.einsum("ctj,cjk,ctk->ct", hidden, inverse, hidden).mean(axis=1)) / strength
        angle = np.einsum("jk,ckj->c", self.metric, inverse) / strength / 2
        return self.weight * np.log10(symbol) + (1 - self.weight) * np.log10(angle)


def cross_entropy(system, judge, seed, kappa=1e-3):
    """Algorithm 1 with the best candidate kept: its value, the design, and the number of candidates."""
    random = np.random.default_rng(seed)
    count = 5 * system.elements
    elite = max(1, count // 10)
    share = np.full((system.elements, system.levels), 1 / system.levels)
    best, design, judged = math.inf, None, 0
    for _ in range(1000):
        drawn = random.random((count, system.elements, 1))
        levels = np.minimum((drawn > np.cumsum(share, axis=1)[None]).sum(axis=2), system.levels - 1)
        values = judge(levels)
        judged += count
        order = np.argsort(values, kind="stable")
        if values[order[0]] < best:
            best, design = values[order[0]], levels[order[0]]
        if values.max() - values.min() < kappa:
            break
        share = (levels[order[:elite], :, None] == np.arange(system.levels)).mean(axis=0)
    return best, design, judged


def timed(work, repeats):
    """The least time of some repeats, and the last result."""
    least = math.inf
    for _ in range(repeats):
        begin = time.perf_counter()
        result = work()
        least = min(least, time.perf_counter() - begin)
    return least, result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instance", nargs="?", default=DEFAULT)
    parser.add_argument("--isacopt", default="isacopt", help="the program")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with open(arguments.instance) as file:
        system = System(json.load(file)["instance"]).prepare()

    one_by_one = lambda rows: np.array([system.naive(row) for row in rows])
    rows = []
    for name, judge in (("NumPy, naive", one_by_one), ("NumPy, batched", system.batched)):
        seconds, (value, _, judged) = timed(lambda: cross_entropy(system, judge, 1), arguments.repeats)
        rows.append((name, seconds, judged, value))
    assert abs(rows[0][3] - rows[1][3]) < 1e-8, "the two forms disagree"

    def solve(*settings):
        command = [arguments.isacopt, "solve", arguments.instance, "--solver", "cross_entropy", "--json"]
        best = None
        for _ in range(arguments.repeats):
            answer = json.loads(subprocess.run(command + list(settings), check=True, capture_output=True).stdout)
            best = answer if best is None or answer["time_s"] < best["time_s"] else best
        return best

    for name, settings in (("isacopt", []), ("isacopt, 10 000 samples", ["--set", "solver.samples=10000"])):
        answer = solve(*settings)
        value = answer["objective"]["value"]
        again = system.naive(np.array(answer["design"]["phase_level"]))
        assert abs(again - value) < 1e-7, f"isacopt says {value}, the naive formulas {again}"
        rows.append((name, answer["time_s"], answer["evaluations"], value))

    print(f"{'':26}{'whole run':>12}{'candidates':>12}{'a candidate':>14}{'ratio':>9}{'best':>11}")
    base = rows[0][1] / rows[0][2]
    for name, seconds, judged, value in rows:
        each = seconds / judged
        print(f"{name:26}{1e3 * seconds:9.3f} ms{judged:12}{1e9 * each:11.1f} ns{base / each:9.0f}{value:11.5f}")


if __name__ == "__main__":
    main()
