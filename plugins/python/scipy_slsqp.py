"""SciPy's SLSQP (Kraft 1988, sequential least squares programming) as a solver of isacopt. Needs NumPy and SciPy."""

import numpy as np
from scipy.optimize import minimize

from isacopt_plugin import Solver, run


class Slsqp(Solver):
    name = "scipy_slsqp"
    description = (
        "Sequential least squares programming of SciPy: each step solves a quadratic program with the linearised limits. "
        "Gradients are the problem's own where it offers them, else central differences. Hermitian blocks are searched "
        "over their coordinates, and moved into the cone by isacopt."
    )
    parameters = {
        "ftol": {"type": "number", "exclusiveMinimum": 0, "default": 1e-10,
                 "description": "It is done when the objective changes by less."},
        "steps": {"type": "integer", "minimum": 1, "default": 200, "description": "Steps at most."},
        "differences": {"type": "number", "exclusiveMinimum": 0, "default": 1e-6,
                        "description": "The step of central differences, relative to a coordinate's scale."},
    }
    needs = {"continuous": True}

    def solve(self, problem):
        sign = -1.0 if problem.maximize else 1.0
        free = np.array([h > l for l, h in zip(problem.lower, problem.upper)])
        lower, upper = np.array(problem.lower), np.array(problem.upper)
        scale = np.ones(problem.dimension)
        for block in problem.blocks:
            scale[slice(*block["range"])] = block["scale"]
        x = np.array(problem.start)
        known = {}

        def look(y):
            key = y.tobytes()
            if key not in known:
                known.clear()
                known[key] = self.derivatives(problem, full(y), free, lower, upper, scale)
            return known[key]

        def full(y):
            z = x.copy()
            z[free] = y
            return z

        limits = []
        if problem.rows:
            limits.append({
                "type": "ineq",
                "fun": lambda y: -look(y)[2],
                "jac": lambda y: -look(y)[3][:, free],
            })
        found = minimize(
            lambda y: sign * look(y)[0], x[free], jac=lambda y: sign * look(y)[1][free], method="SLSQP",
            bounds=list(zip(lower[free], upper[free])), constraints=limits, callback=lambda y: problem.report(),
            options={"ftol": self.parameters["ftol"], "maxiter": self.parameters["steps"]},
        )
        return ("converged" if found.success else "stuck"), found.message

    def derivatives(self, problem, z, free, lower, upper, scale):
        """Objective, its gradient, the limits written c <= 0, their Jacobian."""
        here = problem.evaluate(z, misses=True)
        if "gradient" in problem.offers:
            objective, gradient, misses, jacobian = problem.gradient(z)
            if len(misses) == problem.rows:
                return objective, np.array(gradient), finite(misses), finite(jacobian).reshape(problem.rows, len(z))
        step = self.parameters["differences"] * np.maximum(np.abs(z), 0.01 * scale)
        designs, widths = [], []
        for i in np.flatnonzero(free):
            low, high = max(z[i] - step[i], lower[i]), min(z[i] + step[i], upper[i])
            widths.append(high - low)
            for value in (low, high):
                moved = z.copy()
                moved[i] = value
                designs.append(moved)
        values = problem.evaluate_batch(designs, misses=True)
        gradient, jacobian = np.zeros(len(z)), np.zeros((problem.rows, len(z)))
        for k, i in enumerate(np.flatnonzero(free)):
            below, above = values[2 * k], values[2 * k + 1]
            gradient[i] = (above.objective - below.objective) / widths[k]
            jacobian[:, i] = (finite(above.misses) - finite(below.misses)) / widths[k]
        return here.objective, gradient, finite(here.misses), jacobian


def finite(values):
    """A limit that is infinite is held by far."""
    return np.nan_to_num(np.array(values, dtype=float), neginf=-1e9, posinf=1e9)


if __name__ == "__main__":
    run(Slsqp, name="scipy_slsqp", version="1.0.0", description="SciPy's SLSQP for isacopt")
