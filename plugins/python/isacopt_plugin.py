"""Write a plugin of isacopt in Python: subclass Solver, Metric or Model, and end the file with run(...).

This file needs nothing but Python 3.8 and stands beside the plugin. It speaks version 1 of the wire protocol.

    from isacopt_plugin import Solver, run

    class Halving(Solver):
        name = "halving"
        description = "Random steps around the best design, half as long after each failure."
        parameters = {"step": {"type": "number", "exclusiveMinimum": 0, "default": 0.5}}
        needs = {"continuous": True}

        def solve(self, problem):
            best, step = problem.start, self.parameters["step"]
            value = problem.evaluate(best)
            while step > 1e-6:
                trial = [x + step * n for x, n in zip(best, problem.random.normal(problem.dimension))]
                new = problem.evaluate(trial)
                if problem.better(new, value):
                    best, value = trial, new
                else:
                    step /= 2
                problem.report(best)
            return "converged"

    if __name__ == "__main__":
        run(Halving, name="halving", version="1.0.0")

Designs are lists of floats in isacopt's order (anything that can be iterated over is taken, NumPy arrays too). print()
goes to the run's log.
"""

import json
import math
import os
import random as _random
import struct
import sys
import traceback
from array import array

PROTOCOL = 1


class Stop(Exception):
    """Raised where the run's budget is spent, or someone stopped it. Let it pass."""


class Evaluation:
    """How good a design is: objective, violation (0 where all limits hold), and, where asked for, misses and metrics."""

    __slots__ = ("objective", "violation", "misses", "metrics")

    def __init__(self, objective, violation, misses=None, metrics=None):
        self.objective, self.violation, self.misses, self.metrics = objective, violation, misses, metrics

    def __repr__(self):
        return f"Evaluation(objective={self.objective}, violation={self.violation})"


class Random:
    """The run's random numbers, drawn by isacopt: the same for the same seed."""

    def __init__(self, problem):
        self._problem = problem

    def uniform(self, count):
        """Numbers in [0, 1)."""
        return self._draw("uniform", count)

    def normal(self, count):
        """Standard normal numbers."""
        return self._draw("normal", count)

    def design(self):
        """A random design of the problem."""
        return self._draw("design", 1)

    def designs(self, count):
        """Random designs of the problem."""
        flat, n = self._draw("design", count), self._problem.dimension
        return [flat[i * n:(i + 1) * n] for i in range(count)]

    def _draw(self, kind, count):
        return self._problem._ask({"type": "random", "kind": kind, "count": count}, b"", "random")[1].tolist()


class Problem:
    """What is to be solved, and whom to ask about it."""

    def __init__(self, wire, header, payload):
        about = header["problem"]
        self._wire = wire
        self._stopping = False
        self.scenario = about["scenario"]
        self.objective = about["objective"]
        self.maximize = about["direction"] == "maximize"
        self.dimension = n = about["dimension"]
        self.blocks = about["blocks"]
        self.metrics = about["metrics"]
        self.limits = about["limits"]
        self.rows = about["rows"]
        self.offers = about["offers"]
        self.budget = header["budget"]
        self.seed = header["seed"]
        self.lower, self.upper = payload[:n].tolist(), payload[n:2 * n].tolist()
        self.start = payload[2 * n:].tolist() if header["start"] else None
        self.random = Random(self)
        self.best, self.best_value = None, None
        self._metrics = sum(m["range"][1] - m["range"][0] for m in self.metrics)

    @property
    def stopping(self):
        """Whether isacopt asked to come to an end; the next question raises Stop."""
        return self._stopping

    def evaluate(self, design, misses=False, metrics=False):
        """How good a design is."""
        return self.evaluate_batch([design], misses, metrics)[0]

    def evaluate_batch(self, designs, misses=False, metrics=False):
        """How good designs are, all in one message. `misses` are the limits written c <= 0, `metrics` all metrics."""
        numbers = array("d")
        for design in designs:
            numbers.extend(design)
        header = {"type": "evaluate", "count": len(designs), "misses": misses, "metrics": metrics}
        answer = self._ask(header, _bytes(numbers), "values")[1]
        rows = self.rows if misses else 0
        width = 2 + rows + (self._metrics if metrics else 0)
        values = []
        for i, design in enumerate(designs):
            part = answer[i * width:(i + 1) * width].tolist()
            own = part[2 + rows:]
            named = {m["name"]: _entry(own[slice(*m["range"])], m["shape"]) for m in self.metrics} if metrics else None
            value = Evaluation(part[0], part[1], part[2:2 + rows] if misses else None, named)
            if self.best is None or self.better(value, self.best_value):
                self.best, self.best_value = list(design), value
            values.append(value)
        return values

    def gradient(self, design):
        """(objective, its gradient, the limits' misses, their gradients), where "gradient" is among the offers."""
        header, flat = self._ask({"type": "gradient"}, _bytes(array("d", design)), "gradient")
        n, rows = self.dimension, header["rows"]
        values, jacobian = flat[1 + n:1 + n + rows].tolist(), flat[1 + n + rows:]
        return flat[0], flat[1:1 + n].tolist(), values, [jacobian[r * n:(r + 1) * n].tolist() for r in range(rows)]

    def repair(self, design):
        """(A feasible design near this one, whether it is feasible), where "repair" is among the offers."""
        header, flat = self._ask({"type": "repair"}, _bytes(array("d", design)), "repaired")
        return flat.tolist(), header["feasible"]

    def better(self, a, b):
        """Whether one evaluation is better than another: feasible first, then the objective (Deb's rules)."""
        if (a.violation <= 1e-9) != (b.violation <= 1e-9):
            # What is undefined is worse than anything that is not.
            if math.isnan(a.objective):
                return False
            return a.violation <= 1e-9 or math.isnan(b.objective)
        if a.violation > 1e-9:
            return a.violation < b.violation
        if math.isnan(a.objective) or math.isnan(b.objective):
            return math.isnan(b.objective) and not math.isnan(a.objective)
        return a.objective > b.objective if self.maximize else a.objective < b.objective

    def report(self, design=None, bound=None):
        """Ends an iteration with the best design so far; the best that was evaluated without one."""
        design = self.best if design is None else design
        if design is None:
            design = self.start if self.start is not None else self.random.design()
        self._ask({"type": "report", "bound": _number(bound)}, _bytes(array("d", design)), "go")

    def alive(self):
        """A sign of life, for computations that take long."""
        self._ask({"type": "alive"}, b"", "go")

    def _ask(self, header, payload, wanted):
        if self._stopping:
            raise Stop
        self._wire.send(header, payload)
        answer, numbers = self._wire.receive()
        self._stopping = answer["stop"]
        if answer["type"] == "stop":
            raise Stop
        if answer["type"] != wanted:
            raise RuntimeError(f"isacopt answered {answer['type']}")
        return answer, numbers


class Solver:
    """A solver. Write `solve`, or `begin`, `ask` and `tell`. An object is made for each solve."""

    name = ""
    description = ""
    #: Each parameter by name: its JSON Schema, with a default.
    parameters = {}
    #: {"capabilities": [...], "continuous": bool, "discrete": bool, "screened": bool}
    needs = {}
    #: Whether the problem's own start is wanted where the config names none.
    start = True
    #: Stopping rules where the config gives none, such as {"max_evaluations": 10000}.
    stop = {}

    def solve(self, problem):
        """Searches, and gives a status: "converged", "optimal", "stuck", "diverged", or (status, message)."""
        self.begin(problem)
        while True:
            designs = self.ask()
            if not designs:
                return "converged"
            self.tell(designs, problem.evaluate_batch(designs))
            problem.report()

    def begin(self, problem):
        """Ask and tell: what comes before the first question."""
        self.problem = problem

    def ask(self):
        """Ask and tell: the designs to evaluate next; none at the end."""
        raise NotImplementedError("write solve(problem), or ask() and tell(designs, values)")

    def tell(self, designs, values):
        """Ask and tell: how good they are."""


class Metric:
    """A metric: one number, from a model's metrics and the design."""

    name = ""
    description = ""
    unit = "1"
    direction = None
    logarithmic = False
    #: The model's metrics that it is made of.
    needs = []

    def value(self, metrics, design, blocks):
        """Its value. `metrics` holds a number or a flat list by name, `blocks` what the design is made of."""
        raise NotImplementedError


class Model:
    """A system model. An object is made for each drawn system; `draw` fills in what it is."""

    name = ""
    description = ""
    #: Each key of its config section by name: its JSON Schema, with a default.
    parameters = {}
    #: Filled in by draw: [{"name", "kind", "shape", "scale", "description", and "lower", "upper" or "levels"}]
    blocks = []
    #: Filled in by draw: [{"name", "unit", "direction", "shape", "description"}]
    metrics = []
    objective = ""
    #: [{"metric": ..., "at_most" or "at_least": [...]}]
    limits = []
    #: Named starts: {name: design}.
    starts = {}
    #: Blocks into which the problem falls sensibly.
    split = []
    #: What a simulation draws for a sample: {"covers": [...], "moments": m, "normals": q, "uniforms": r}; None for none.
    simulation = None

    def draw(self, random):
        """Draws the system: self.parameters are the section's, random is a random.Random."""
        raise NotImplementedError

    def evaluate(self, design):
        """All metrics by name; a flat list where one has a shape."""
        raise NotImplementedError

    #: gradient(self, metric, design): the gradient of a scalar metric, or a list of them for one with a shape.
    gradient = None
    #: bound(self, objective, limits): a proven bound on the optimum, or None.
    bound = None

    def sample(self, design, normals, uniforms):
        """One draw of the raw signals: the samples whose means are the moments."""
        raise NotImplementedError

    def estimate(self, design, means):
        """The covered metrics from the means of the samples, flat and in order."""
        raise NotImplementedError

    def instance(self):
        """What was drawn, for the record."""
        return {}


def run(*offers, name, version, description=""):
    """Serves isacopt until it closes the line."""
    _Host(offers, name, version, description).serve(_Wire())


class _Wire:
    def __init__(self):
        # What the plugin or a library prints must not get between the frames.
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)

    def send(self, header, payload=b""):
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self._out.write(struct.pack("<II", len(text), len(payload) // 8) + text + payload)
        self._out.flush()

    def receive(self):
        prefix = self._in.read(8)
        if len(prefix) < 8:
            sys.exit(0)
        length, count = struct.unpack("<II", prefix)
        header = json.loads(self._in.read(length))
        numbers = array("d")
        numbers.frombytes(self._in.read(8 * count))
        if sys.byteorder == "big":
            numbers.byteswap()
        return header, numbers


class _Host:
    def __init__(self, offers, name, version, description):
        kind = lambda base: {offer.name: offer for offer in offers if issubclass(offer, base)}
        self.solvers, self.metrics, self.models = kind(Solver), kind(Metric), kind(Model)
        self.systems = {}
        self.manifest = {
            "name": name, "version": version, "description": description,
            "solvers": [{"name": s.name, "description": s.description, "parameters": _schema(s.parameters),
                         "needs": s.needs, "start": s.start, "stop": s.stop} for s in self.solvers.values()],
            "metrics": [{"name": m.name, "description": m.description, "unit": m.unit, "direction": m.direction,
                         "logarithmic": m.logarithmic, "needs": list(m.needs)} for m in self.metrics.values()],
            "models": [{"name": m.name, "description": m.description, "parameters": _schema(m.parameters)}
                       for m in self.models.values()],
        }

    def serve(self, wire):
        while True:
            header, numbers = wire.receive()
            try:
                if header["type"] == "end":
                    return
                answer, payload = getattr(self, "_" + header["type"])(wire, header, numbers)
            except Exception as error:
                traceback.print_exc()
                answer, payload = {"type": "error", "message": f"{type(error).__name__}: {error}"}, []
            wire.send(answer, _bytes(array("d", payload)))

    def _hello(self, wire, header, numbers):
        return {"type": "hello", "protocol": PROTOCOL, "features": []}, []

    def _describe(self, wire, header, numbers):
        return {"type": "manifest", "manifest": self.manifest}, []

    def _solve(self, wire, header, numbers):
        solver = self.solvers[header["solver"]]()
        solver.parameters = header["parameters"]
        problem = Problem(wire, header, numbers)
        status, message = "stopped", ""
        try:
            done = solver.solve(problem)
            status, message = (done, "") if isinstance(done, str) or done is None else done
        except Stop:
            pass
        return {"type": "result", "status": status or "converged", "message": message}, problem.best or []

    def _metric(self, wire, header, numbers):
        values = {n["name"]: _entry(numbers[slice(*n["range"])].tolist(), n["shape"]) for n in header["needs"]}
        design = numbers[max([n["range"][1] for n in header["needs"]], default=0):].tolist()
        return {"type": "value"}, [self.metrics[header["metric"]]().value(values, design, header["blocks"])]

    def _draw(self, wire, header, numbers):
        system = self.models[header["model"]]()
        system.parameters = header["parameters"]
        system.draw(_random.Random(header["seed"]))
        self.systems[header["id"]] = system
        payload = []
        for block in system.blocks:
            if block["kind"] == "box":
                payload += list(block["lower"]) + list(block["upper"])
        for design in system.starts.values():
            payload += list(design)
        blocks = [{k: v for k, v in block.items() if k not in ("lower", "upper")} for block in system.blocks]
        offers = [o for o in ("gradient", "bound") if getattr(system, o) is not None]
        return {"type": "drawn", "blocks": blocks, "metrics": system.metrics, "instance": system.instance(),
                "problem": {"objective": system.objective, "limits": system.limits}, "starts": list(system.starts),
                "split": system.split, "offers": offers, "simulation": system.simulation}, payload

    def _judge(self, wire, header, numbers):
        system = self.systems[header["id"]]
        values = system.evaluate(numbers.tolist())
        return {"type": "judged"}, _flat(values[m["name"]] for m in system.metrics)

    def _slope(self, wire, header, numbers):
        system, design = self.systems[header["id"]], numbers.tolist()
        return {"type": "slopes"}, _flat(_flat(system.gradient(m, design)) for m in header["metrics"])

    def _bound(self, wire, header, numbers):
        bound = self.systems[header["id"]].bound(header["objective"], header["limits"])
        return {"type": "bound"}, [] if bound is None else [bound]

    def _sample(self, wire, header, numbers):
        system, count = self.systems[header["id"]], header["count"]
        normals, uniforms = (system.simulation.get(k, 0) for k in ("normals", "uniforms"))
        width = normals + uniforms
        design, drawn = numbers[:len(numbers) - count * width].tolist(), numbers[len(numbers) - count * width:].tolist()
        parts = (drawn[i * width:(i + 1) * width] for i in range(count))
        return {"type": "samples"}, _flat(system.sample(design, p[:normals], p[normals:]) for p in parts)

    def _estimate(self, wire, header, numbers):
        system = self.systems[header["id"]]
        design, means = numbers.tolist(), []
        moments = system.simulation["moments"]
        design, means = design[:len(design) - moments], design[len(design) - moments:]
        return {"type": "estimates"}, _flat(system.estimate(design, means))

    def _forget(self, wire, header, numbers):
        self.systems.pop(header["id"], None)
        return {"type": "forgotten"}, []


def _schema(properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _entry(values, shape):
    return values if shape else values[0]


def _flat(values):
    flat = []
    for value in values:
        flat.extend(_flat(value)) if hasattr(value, "__iter__") else flat.append(float(value))
    return flat


def _number(x):
    if x is None or math.isfinite(x):
        return x
    return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"


def _bytes(numbers):
    if sys.byteorder == "big":
        numbers = array("d", numbers)
        numbers.byteswap()
    return numbers.tobytes()
