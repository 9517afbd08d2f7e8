"""A small system model: Rayleigh-fading channels share a power budget, and one of them must be heard by a radar.

    rate_k     = log2(1 + g_k p_k)           g_k exponential, of mean `gain`
    sum_rate   = sum of rate_k
    echo       = g_0 p_0                     the sensing SNR, on channel 0
    total      = sum of p_k                  at most `power`

Its gradient is exact; its bound is water-filling without the echo's limit; its simulation measures the SNRs of noisy pilots.
"""

import math

from isacopt_plugin import Metric, Model, run


class ParallelChannels(Model):
    name = "parallel_channels"
    description = "Fading channels that share a power budget; the first carries the radar's echo."
    parameters = {
        "channels": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 4, "description": "Channels."},
        "power": {"type": "number", "exclusiveMinimum": 0, "default": 10, "description": "The budget in W."},
        "gain": {"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "The mean gain over noise, 1/W."},
        "echo": {"type": "number", "minimum": 0, "default": 0.5, "description": "The least sensing SNR."},
    }

    def draw(self, random):
        p = self.parameters
        self.n = n = p["channels"]
        # Channel by channel, so that more of them leave the first ones as they are.
        self.gains = [p["gain"] * (0.05 + random.expovariate(1.0)) for _ in range(n)]
        self.blocks = [{"name": "power", "kind": "non_negative", "shape": [n], "scale": p["power"] / n,
                        "description": "the power of each channel in W"}]
        self.metrics = [
            {"name": "sum_rate", "unit": "bit/s/Hz", "direction": "maximize", "description": "sum log2(1 + g_k p_k)"},
            {"name": "rate", "unit": "bit/s/Hz", "direction": "maximize", "shape": [n], "description": "log2(1 + g_k p_k)"},
            {"name": "echo", "unit": "1", "direction": "maximize", "description": "g_0 p_0"},
            {"name": "total", "unit": "W", "direction": "minimize", "description": "sum p_k"},
        ]
        self.objective = "sum_rate"
        self.limits = [{"metric": "total", "at_most": p["power"]}, {"metric": "echo", "at_least": p["echo"]}]
        self.starts = {"even": [p["power"] / n] * n}
        self.simulation = {"covers": ["sum_rate", "rate", "echo"], "moments": n, "normals": n}

    def instance(self):
        return {"gains": self.gains}

    def evaluate(self, design):
        rates = [math.log1p(g * p) / math.log(2) for g, p in zip(self.gains, design)]
        return {"sum_rate": sum(rates), "rate": rates, "echo": self.gains[0] * design[0], "total": sum(design)}

    def gradient(self, metric, design):
        slopes = [g / (1 + g * p) / math.log(2) for g, p in zip(self.gains, design)]
        if metric == "sum_rate":
            return slopes
        if metric == "rate":
            return [[s if i == k else 0.0 for i in range(self.n)] for k, s in enumerate(slopes)]
        if metric == "echo":
            return [self.gains[0]] + [0.0] * (self.n - 1)
        return [1.0] * self.n

    def bound(self, objective, limits):
        budget = [min(l["at_most"]) for l in limits if l["metric"] == "total" and "at_most" in l]
        if objective != "sum_rate" or not budget or not isinstance(budget[0], (int, float)):
            return None
        # Water-filling: the level w with sum max(0, w - 1/g) = budget, over the best k channels.
        inverse = sorted(1 / g for g in self.gains)
        for k in range(self.n, 0, -1):
            level = (budget[0] + sum(inverse[:k])) / k
            if level > inverse[k - 1]:
                break
        return sum(math.log2(level / i) for i in inverse[:k]) * (1 + 1e-12)

    def sample(self, design, normals, uniforms):
        # A pilot of amplitude sqrt(g p) in noise of variance 1: its square less the noise has mean g p.
        return [(math.sqrt(g * p) + z) ** 2 - 1 for g, p, z in zip(self.gains, design, normals)]

    def estimate(self, design, means):
        rates = [math.log1p(max(m, -0.999)) / math.log(2) for m in means]
        return [sum(rates)] + rates + [means[0]]


class Fairness(Metric):
    """Jain, Chiu and Hawe 1984."""

    name = "fairness"
    description = "(sum rate_k)^2 / (K sum rate_k^2): 1 where all rates are equal, 1/K where one has all."
    direction = "maximize"
    needs = ["rate"]

    def value(self, metrics, design, blocks):
        rates = metrics["rate"]
        squares = sum(r * r for r in rates)
        return sum(rates) ** 2 / (len(rates) * squares) if squares > 0 else math.nan


if __name__ == "__main__":
    run(ParallelChannels, Fairness, name="parallel_channels", version="1.0.0", description="A system model and a metric")
