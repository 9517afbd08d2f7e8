"""isacopt beside CVXPY (Clarabel) and NumPy: phases and rates of IRS-aided massive MIMO.

    cargo bench --bench irs_massive_mimo                                    # isacopt's side, read by this script
    isacopt draw configs/irs_massive_mimo/fig2-snr.toml --out drop.json     # or any such instance file without measurements
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benches/peers/irs_massive_mimo.py drop.json --write docs/performance.md

Peers, in CPU seconds:
  Algorithm 1 in CVXPY, rebuilt     the paper's program, one limit a user, built anew in every iteration
  Algorithm 1 in CVXPY, DPP         the same with all users' limits as the one that they are, compiled once
  power iteration                   the closed form of the same step in NumPy, from the same start
  rates by five scalars             one design's rates, everything in the eigenbasis of the base station's covariance
  rates by full matrices            the same rates, each trace as a product of matrices
  MUSIC, 181 x 181                  one scan with each steering vector written out
Both forms of the rates must agree, and with `isacopt evaluate`. Requirements: benches/peers/requirements.txt.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import monostatic as beside

MARKS = ("<!-- peers/irs_massive_mimo.py writes below -->", "<!-- and above: irs_massive_mimo -->")
GOALS = {"algorithm": "1.5 ms", "rates": "0.5 ms", "scan": "20 ms", "400": "20 ms", "10000": "5 s"}


def clock(function, rounds=5):
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        result = function()
        times.append(time.process_time() - begin)
    return float(np.median(times)), result


class System:
    def __init__(self, instance):
        if any(key in instance for key in ("irs_covariance", "irs_user_covariance", "irs_base_station_los")):
            raise SystemExit("an instance without measured statistics is needed here")
        number = lambda key: float(instance[key])
        value = lambda key: complex(instance[key]["re"], instance[key]["im"]) if isinstance(instance[key], dict) else instance[key]
        angles, self.sign = instance["angles"], 1 if instance["steering_convention"] == "H" else -1
        base, surface = instance["base_station_array"], instance["irs_array"]
        self.base, self.surface = base, surface
        self.a_b = self.steering(base, angles["base_station_azimuth"], angles["base_station_elevation"])
        self.a_i = self.steering(surface, angles["irs_azimuth"], angles["irs_elevation"])
        self.p = self.steering(base, angles["target_azimuth_from_base_station"], angles["target_elevation_from_base_station"])
        self.q = self.steering(surface, angles["target_azimuth_from_irs"], angles["target_elevation_from_irs"])
        self.r_b = instance["base_station_element_area"] * self.correlation(base)
        self.r_i = instance["irs_element_area"] * self.correlation(surface)
        zeta, rician = number("fading_irs_base_station"), number("rician_factor")
        self.c, self.z = np.sqrt(zeta * rician / (rician + 1)), zeta / (rician + 1)
        self.f, self.g = np.array(instance["fading_user_base_station"]), np.array(instance["fading_user_irs"])
        self.alpha_p, self.alpha_q = value("target_reflection_base_station"), value("target_reflection_irs")
        self.rho, self.xi = number("transmit_snr"), number("pilot_snr") * number("pilot_length")
        self.pre_log = 1 - number("pilot_length") / number("coherence_length")
        self.shares = np.array(instance["communication_share"]), np.array(instance["sensing_share"])
        self.los = self.c * np.outer(self.a_b, self.a_i.conj())
        # theta^H Q theta: the part of every user's average gain that the phases move.
        line = self.los.conj().T @ self.los
        scattered = self.z * np.trace(self.r_b).real
        self.form = line * self.r_i.T + scattered * self.r_i * self.r_i.T
        self.basis = np.linalg.eigh(self.r_b)
        self.a_rotated, self.p_rotated = (self.basis[1].conj().T @ x for x in (self.a_b, self.p))

    def steering(self, array, azimuth, elevation):
        slope = 2 * np.pi * array["spacing_wavelengths"] * np.sin(elevation)
        first = np.exp(-1j * slope * np.cos(azimuth) * np.arange(array["rows"]))
        second = np.exp(1j * self.sign * slope * np.sin(azimuth) * np.arange(array["columns"]))
        return np.kron(second, first)

    @staticmethod
    def correlation(array):
        element = np.arange(array["rows"] * array["columns"])
        row, column = element % array["rows"], element // array["rows"]
        distance = np.hypot(row[:, None] - row, column[:, None] - column)
        return np.sinc(2 * array["spacing_wavelengths"] * distance)

    def echo(self, theta):
        return self.alpha_p * self.p + self.alpha_q * self.los @ (theta * self.q)

    def sum_rate(self, signal, noise):
        return self.pre_log * np.log2(1 + signal / (noise + 1)).sum()

    def fast(self, theta):
        """O(K² M) after five scalars of the phases."""
        b = theta[:, None] * self.r_i * theta.conj()
        b_a, r_b = b @ self.a_i, self.r_i @ b
        h, t = (self.a_i.conj() @ b_a).real, np.trace(r_b).real
        h2, t2 = (b_a.conj() @ self.r_i @ b_a).real, (r_b * r_b.T).sum().real
        values, weight = self.basis[0].clip(0), np.abs(self.a_rotated) ** 2
        x, y = self.f + self.g * self.z * t, self.c**2 * self.g * h
        u = self.alpha_p * self.p_rotated + self.alpha_q * self.c * (self.a_i.conj() @ (theta * self.q)) * self.a_rotated
        gain = np.vdot(u, u).real
        # C_v = D + y a a^H, and C = xi^-1/2 (I - (xi C_v + I)^-1) by the formula of Sherman and Morrison.
        diagonal = x[:, None] * values
        inverse = 1 / (1 + self.xi * diagonal)
        factor = self.xi * y / (1 + self.xi * y * (inverse @ weight))
        root = np.sqrt(self.xi)
        c_diagonal = (1 - inverse) / root
        c_rank = factor[:, None] * inverse**2 * weight / root
        # C = diag(c_diagonal) + w w^H scaled, w = inverse o a.
        def trace(k, j):  # Tr(C_vk C_j)
            return (diagonal[k] * (c_diagonal[j] + c_rank[j])).sum() + y[k] * self.seen(c_diagonal[j], inverse[j], factor[j], weight)

        users = range(len(self.f))
        total = np.array([[trace(k, j) for j in users] for k in users])
        own = np.diag(total)
        seen = np.array([self.seen(c_diagonal[j], inverse[j], factor[j], weight) for j in users])
        scatter = self.z * (c_diagonal + c_rank) @ values
        communication = self.shares[0] / (root * own)
        sensing = self.shares[1] / gain
        heard = diagonal @ np.abs(u) ** 2 + y * np.abs(np.vdot(self.a_rotated, u)) ** 2
        noise = np.zeros(len(self.f))
        for k in users:
            for j in users:
                # Tr(C_vk C_vhat_j), C_vhat_j = C_vj - (C_vj - sqrt(xi) C_vj C_j) = C_vj - C_j / sqrt(xi).
                both = (diagonal[k] * diagonal[j]).sum() + (y[j] * diagonal[k] + y[k] * diagonal[j]) @ weight
                both += y[k] * y[j] * weight.sum() ** 2 - total[k, j] / root
                cross = self.g[k] * self.g[j] * (2 * scatter[j] * self.c**2 * seen[j] * h2 + scatter[j] ** 2 * t2)
                noise[k] += communication[j] * (both + self.xi * cross) + sensing[j] * heard[k]
            w = inverse[k] * factor[k] / root
            inner = weight @ inverse[k]
            # C a, and Tr((R_T C)²) with C = diagonal + rank one.
            image = c_diagonal[k] + w * inner
            squares = self.z * (values * image**2) @ weight
            rank = factor[k] / root
            d, v = c_diagonal[k] * values, inverse[k] ** 2 * weight * values
            square = self.z**2 * ((d**2).sum() + 2 * rank * (d * v).sum() + rank**2 * v.sum() ** 2)
            noise[k] += communication[k] * self.xi * self.g[k] ** 2 * (2 * self.c**2 * squares * h2 + square * t2)
        return self.sum_rate(self.rho * communication * self.xi * own**2, self.rho * noise)

    def seen(self, c_diagonal, inverse, factor, weight):
        """a_B^H C a_B."""
        return c_diagonal @ weight + factor / np.sqrt(self.xi) * (inverse @ weight) ** 2

    def full(self, theta):
        """Every trace as matrices multiplied."""
        one, users = np.eye(len(self.r_b)), range(len(self.f))
        r_t, b = self.z * self.r_b, [g * theta[:, None] * self.r_i * theta.conj() for g in self.g]
        cov = [f * self.r_b + self.los @ b_k @ self.los.conj().T + np.trace(self.r_i @ b_k) * r_t for f, b_k in zip(self.f, b)]
        filters = [np.sqrt(self.xi) * c @ np.linalg.inv(self.xi * c + one) for c in cov]
        estimate = [np.sqrt(self.xi) * c @ a for c, a in zip(cov, filters)]
        u = self.echo(theta)
        communication = self.shares[0] / np.array([np.trace(e).real for e in estimate])
        sensing = self.shares[1] / np.vdot(u, u).real
        signal, noise = np.zeros(len(users)), np.zeros(len(users))
        for k in users:
            for j in users:
                scatter = np.trace(r_t @ filters[j])
                line = np.trace(b[k] @ self.los.conj().T @ filters[j] @ self.los @ b[j] @ self.r_i)
                cross = 2 * (scatter.conj() * line).real
                cross += abs(scatter) ** 2 * np.trace(self.r_i @ b[k] @ self.r_i @ b[j]).real
                noise[k] += communication[j] * (np.trace(cov[k] @ estimate[j]).real + self.xi * cross)
                noise[k] += sensing[j] * np.vdot(u, cov[k] @ u).real
            c, both = filters[k], self.r_i @ b[k]
            more = 2 * np.trace(b[k] @ self.los.conj().T @ c @ r_t @ c @ self.los @ b[k] @ self.r_i)
            more += np.trace(r_t @ c @ r_t @ c) * np.trace(both @ both)
            noise[k] += communication[k] * self.xi * more.real
            signal[k] = communication[k] * self.xi * np.trace(cov[k] @ c).real ** 2
        return self.sum_rate(self.rho * signal, self.rho * noise)

    def scan(self, points=181):
        """The spectrum over the base station's angles, u written out in each direction."""
        rng = np.random.default_rng(0)
        e = rng.standard_normal(len(self.a_b)) + 1j * rng.standard_normal(len(self.a_b))
        e /= np.linalg.norm(e)
        axis, spectrum = np.linspace(-np.pi / 2, np.pi / 2, points), np.empty((points, points))
        for i, azimuth in enumerate(axis):
            for j, elevation in enumerate(axis):
                u = self.alpha_p * self.steering(self.base, azimuth, elevation) + self.a_b
                norm = np.vdot(u, u).real
                spectrum[i, j] = norm / (norm - abs(np.vdot(e, u)) ** 2)
        return spectrum


def power_iteration(form, theta, iterations):
    for _ in range(iterations):
        image = form @ theta
        theta = np.where(image == 0, theta, image / np.abs(image))
    return (theta.conj() @ form @ theta).real, iterations


def conic(system, theta, iterations, rebuild, limit):
    import cvxpy as cp

    size = np.abs(system.form).sum() / len(theta)
    form = system.form / size

    def build():
        x, g = cp.Variable(len(theta), complex=True), cp.Parameter(len(theta), complex=True)
        if not rebuild:
            return cp.Problem(cp.Maximize(cp.real(cp.sum(cp.multiply(g, x)))), [cp.abs(x) <= 1]), x, g
        least = cp.Variable()
        share = system.g / system.g.max()
        line = lambda s: 2 * s * cp.real((form @ theta).conj() @ x) - s * (theta.conj() @ form @ theta).real
        offset = system.f / system.g.max() * np.trace(system.r_b) / size
        limits = [line(s) + o >= least for s, o in zip(share, offset)]
        return cp.Problem(cp.Maximize(least), [cp.abs(x) <= 1, *limits]), x, g

    built, begin, done = None, time.process_time(), 0
    if not rebuild:
        built = build()
        built[2].value = (form @ theta).conj()
        built[0].solve(solver=cp.CLARABEL)
    for done in range(1, iterations + 1):
        problem, x, g = build() if rebuild else built
        if not rebuild:
            g.value = (form @ theta).conj()
        problem.solve(solver=cp.CLARABEL)
        theta = x.value / np.abs(x.value)
        if time.process_time() - begin > limit:
            break
    return time.process_time() - begin, (theta.conj() @ system.form @ theta).real, done


def program_rate(program, file, theta):
    """What the program says of the same phases."""
    file = {**file, "designs": {"peer": {"irs_phase": list(np.angle(theta))}}}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as out:
        json.dump(file, out)
        out.flush()
        answer = json.loads(program.call("evaluate", out.name, "--json"))
    return answer["designs"]["peer"]["metrics"]["sum_rate"]["value"]


class Criterion:
    """What `cargo bench` has measured: wall clock of one thread, in seconds."""

    def __init__(self, folder):
        self.folder = folder

    def median(self, *name):
        path = self.folder.joinpath(*name, "new", "estimates.json")
        if not path.exists():
            raise SystemExit(f"no {path}: run `cargo bench --bench irs_massive_mimo` first")
        return json.loads(path.read_text())["median"]["point_estimate"] * 1e-9


def measure(system, theta, options):
    """Rows: task, peer, its seconds, what it reached."""
    rows = []
    rate_seconds, rate = clock(lambda: system.fast(theta))
    slow_seconds, slow_rate = clock(lambda: system.full(theta), 1)
    if abs(rate / slow_rate - 1) > 1e-9:
        raise SystemExit(f"rates disagree: {rate!r} by scalars, {slow_rate!r} by matrices")
    for rebuild, name in [(True, "one limit a user, rebuilt each iteration"), (False, "one quadratic, DPP, compiling included")]:
        seconds, value, done = conic(system, theta, options.iterations, rebuild, options.seconds)
        rows.append(("algorithm", f"CVXPY + Clarabel, {name}", seconds, f"{done} iterations, {value:.9e}"))
    seconds, (value, _) = clock(lambda: power_iteration(system.form, theta, options.iterations))
    rows.append(("algorithm", "the closed form of the step in NumPy", seconds, f"{options.iterations} iterations, {value:.9e}"))
    rows.append(("rates", "NumPy, five scalars of the phases", rate_seconds, f"{rate:.9f} bit/s/Hz"))
    rows.append(("rates", "NumPy, each trace as a product of matrices", slow_seconds, f"{slow_rate:.9f} bit/s/Hz"))
    seconds, _ = clock(system.scan, 1)
    rows.append(("scan", "NumPy, each steering vector written out", seconds, ""))
    return rate, rows


def report(rows, own, system, options):
    import cvxpy as cp

    size = f"M = {len(system.a_b)}, N = {len(system.a_i)}, K = {len(system.f)}"
    tasks = {
        "algorithm": f"Algorithm 1, {options.iterations} iterations",
        "rates": "all rates of one design",
        "scan": "MUSIC, 181 x 181 directions",
        "400": "accelerated, N = 400, to 1e-9",
        "10000": "accelerated, N = 10,000, to 1e-9",
    }
    lines = [
        beside.machine(f"CVXPY {cp.__version__}, NumPy {np.__version__}"),
        f"{size} where nothing else stands. Peers in CPU time, isacopt in wall clock of one thread as Criterion measures it, judging for the record included.",
        "",
        "| task | peer | peer (CPU) | reached | isacopt | ratio | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, peer, seconds, reached in rows:
        mine = own[task]
        lines.append(
            f"| {tasks[task]} | {peer} | {beside.seconds(seconds)} | {reached} | {beside.seconds(mine)} "
            f"| {seconds / mine:.3g} | {GOALS[task]} |"
        )
    for task in ("400", "10000"):
        lines.append(f"| {tasks[task]} | | | | {beside.seconds(own[task])} | | {GOALS[task]} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--iterations", type=int, default=177)
    parser.add_argument("--seconds", type=float, default=60.0, help="the longest that CVXPY may take")
    parser.add_argument("--isacopt", default=str(beside.ROOT / "target" / "release" / "isacopt"), help="the program")
    parser.add_argument("--criterion", type=Path, default=beside.ROOT / "target" / "criterion", help="what `cargo bench` left")
    parser.add_argument("--write", type=Path, help="the document to put the table into")
    options = parser.parse_args()
    with open(options.file) as text:
        file = json.load(text)
    system = System(file["instance"])
    theta = np.exp(2j * np.pi * np.random.default_rng(0).random(len(system.a_i)))
    bench = Criterion(options.criterion)
    own = {
        "algorithm": bench.median("algorithm 1, 100 elements", "177 plain iterations"),
        "400": bench.median("algorithm 1, 400 elements", "accelerated, to 1e-9"),
        "10000": bench.median("algorithm 1, 10000 elements", "accelerated, to 1e-9"),
        "rates": bench.median("all metrics, M = 400, N = 100"),
        "scan": bench.median("MUSIC, 181 x 181, M = 400"),
    }
    rate, rows = measure(system, theta, options)
    with tempfile.TemporaryDirectory() as folder:
        said = program_rate(beside.Program(options.isacopt, Path(folder)), file, theta)
    if abs(said / rate - 1) > 1e-9:
        raise SystemExit(f"rates disagree: {rate!r} here, {said!r} by isacopt")
    text = report(rows, own, system, options)
    print(text)
    if options.write:
        beside.write(options.write, text, MARKS)


if __name__ == "__main__":
    main()
