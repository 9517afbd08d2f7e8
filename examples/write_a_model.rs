use isacopt::prelude::*;

/// Speed of light, in m/s.
const LIGHT: f64 = 299_792_458.0;

/// Power of each OFDM subcarrier: one signal serves a user and measures the distance to a target.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, crate = "isacopt::serde")]
pub struct OfdmConfig {
    /// Subcarriers.
    pub subcarriers: usize,
    /// Distance of neighbouring subcarriers, in Hz.
    pub spacing: f64,
    /// Mean channel gain of a subcarrier over its noise power, for power 1.
    pub user_snr: f64,
    /// Power of the echo over the noise power, for power 1.
    pub echo_snr: f64,
    /// Total power.
    pub transmit_power: f64,
    /// Largest Cramer-Rao bound of the distance, in m².
    pub range_crlb_limit: f64,
}
impl Default for OfdmConfig {
    fn default() -> Self {
        let (subcarriers, spacing, user_snr, echo_snr) = (32, 120e3, 1.0, 0.1);
        Self { subcarriers, spacing, user_snr, echo_snr, transmit_power: 32.0, range_crlb_limit: 40.0 }
    }
}

#[typetag::serde(name = "ofdm")]
impl Scenario for OfdmConfig {
    fn check(&self) -> Result<()> {
        if self.subcarriers < 2 {
            return Err(InputError::new("subcarriers", self.subcarriers.to_string(), "2 or more").into());
        }
        let numbers = [
            ("spacing", self.spacing),
            ("user_snr", self.user_snr),
            ("echo_snr", self.echo_snr),
            ("transmit_power", self.transmit_power),
            ("range_crlb_limit", self.range_crlb_limit),
        ];
        match numbers.iter().find(|(_, x)| !(x.is_finite() && *x > 0.0)) {
            Some((key, x)) => Err(InputError::new(*key, x.to_string(), "a finite number above 0").into()),
            None => Ok(()),
        }
    }
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        let gain = |n| streams.stream("subcarrier", n).complex_normal(self.user_snr).norm_sqr();
        let gain = (0..self.subcarriers as u64).map(gain).collect();
        let Self { spacing, echo_snr, transmit_power, range_crlb_limit, .. } = *self;
        Ok(Ofdm::new(Instance { gain, spacing, echo_snr, transmit_power, range_crlb_limit }))
    }
}
inventory::submit! {
    ScenarioEntry {
        name: "ofdm",
        summary: "OFDM: power of each subcarrier, the user's rate, the distance to a target",
        paper: "docs/write-a-model.md",
        default: || Box::new(OfdmConfig::default()),
        schema: || schemars::schema_for!(OfdmConfig),
        read_instance: |value| {
            let instance: Instance = serde_json::from_value(value.clone())
                .map_err(|e| InputError::new("instance", e.to_string(), "the keys of the struct Instance"))?;
            Ok(Ofdm::new(instance))
        },
        fit: None,
    }
}

/// The drawn numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, crate = "isacopt::serde")]
struct Instance {
    gain: Vec<f64>,
    spacing: f64,
    echo_snr: f64,
    transmit_power: f64,
    range_crlb_limit: f64,
}

struct Ofdm {
    instance: Instance,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}
impl Ofdm {
    fn new(instance: Instance) -> Arc<dyn SystemModel> {
        let scale = instance.transmit_power / instance.gain.len() as f64;
        let power = Block::new("power", &[instance.gain.len()], Domain::NonNegative, scale, "power of each subcarrier");
        let info = |id, unit, text| MetricInfo::new(id, unit, &[], text, "docs/write-a-model.md");
        let metrics = vec![
            info("sum_rate", "bit/symbol", "sum over n of log2(1 + p_n g_n)").maximize(),
            info("transmit_power", "1", "sum over n of p_n").minimize(),
            info("range_crlb", "m^2", "(c/2)² / (8 pi² spacing² echo_snr sum over n of p_n (n - mean)²)").minimize(),
        ];
        Arc::new(Self { space: DesignSpace::new(vec![power]), instance, metrics })
    }
    /// The bound of the distance for a spread of 1.
    fn crlb_times_spread(&self) -> f64 {
        (0.5 * LIGHT / (std::f64::consts::TAU * self.instance.spacing)).powi(2) / (2.0 * self.instance.echo_snr)
    }
}
impl SystemModel for Ofdm {
    fn scenario(&self) -> &str {
        "ofdm"
    }
    fn instance(&self) -> serde_json::Value {
        serde_json::json!(self.instance)
    }
    fn space(&self) -> &DesignSpace {
        &self.space
    }
    fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }
    fn evaluate(&self, power: &Design, wanted: MetricSet, _: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        if wanted.contains(0) {
            out.set(
                0,
                power.iter().zip(&self.instance.gain).map(|(p, g)| (p * g).ln_1p()).sum::<f64>()
                    / std::f64::consts::LN_2,
            );
        }
        if wanted.contains(1) {
            out.set(1, power.iter().sum());
        }
        if wanted.contains(2) {
            // No power, no information: the division gives infinity.
            out.set(2, self.crlb_times_spread() / spread(power));
        }
        Ok(())
    }
    fn default_problem(&self) -> ProblemSpec {
        let limits = [("transmit_power", self.instance.transmit_power), ("range_crlb", self.instance.range_crlb_limit)];
        ProblemSpec::new("sum_rate", limits.map(|(metric, most)| Constraint::at_most(metric, most)).to_vec())
    }
    /// The raw echo: from it `isacopt validate` computes the Fisher information by itself.
    fn signals(&self, power: &Design) -> Vec<Signal> {
        let amplitude: Vec<f64> = power.iter().map(|p| p.sqrt()).collect();
        let (samples, turn) = (amplitude.len(), 2.0 * std::f64::consts::TAU * self.instance.spacing / LIGHT);
        let mean = move |x: &[f64], echo: &mut [Complex<f64>]| {
            for (n, (y, a)) in echo.iter_mut().zip(&amplitude).enumerate() {
                *y = Complex::new(x[1], x[2]) * *a * Complex::cis(-turn * n as f64 * x[0]);
            }
        };
        let unknown = |name: &str, value, step, bounded_by| Unknown { name: name.into(), value, step, bounded_by };
        let step = 0.5 / (turn * samples as f64);
        let unknowns = vec![
            unknown("distance (m)", 30.0, step, Some(("range_crlb", 0))),
            unknown("Re echo", 0.6, 1.0, None),
            unknown("Im echo", 0.8, 1.0, None),
        ];
        vec![Signal { unknowns, noise_power: 1.0 / self.instance.echo_snr, samples, mean: Box::new(mean) }]
    }
    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        let none = Structure::none("it has metrics, repairs and a bound, no more");
        let (Some(budget), true) = (problem.scalar_limit("transmit_power", true), problem.fixed.is_empty()) else {
            return none;
        };
        let needed = problem.scalar_limit("range_crlb", true).map_or(0.0, |limit| self.crlb_times_spread() / limit);
        // All power, half at each end of the band: no design of this power has a larger spread.
        let mut ends = vec![0.0; self.instance.gain.len()];
        (ends[0], ends[self.instance.gain.len() - 1]) = (0.5 * budget, 0.5 * budget);
        let held = Held { gain: self.instance.gain.clone(), ends: Design::new(ends), budget, needed };
        let (bounded, repaired) = (held.clone(), held);
        let mut offers = none;
        if problem.objective == Objective::Metric("sum_rate".into()) {
            offers.bound = Ok(Box::new(move || Box::new(bounded.clone())));
        }
        // A repair must know all limits that there are.
        if problem.constraints.iter().all(|c| c.metric == "transmit_power" || c.metric == "range_crlb") {
            offers.feasibility = Ok(Box::new(move || Box::new(repaired.clone())));
        }
        offers
    }
}

/// `sum over n of p_n (n - mean)²`, the mean weighted by power. Concave: the least over all means of linear functions.
fn spread(power: &[f64]) -> f64 {
    let weighted = |f: &dyn Fn(f64) -> f64| power.iter().enumerate().map(|(n, p)| p * f(n as f64)).sum::<f64>();
    let mean = weighted(&|n| n) / weighted(&|_| 1.0).max(f64::MIN_POSITIVE);
    weighted(&|n| (n - mean).powi(2))
}

/// The limits of a problem: total power at most `budget`, spread at least `needed`.
#[derive(Clone)]
struct Held {
    gain: Vec<f64>,
    ends: Design,
    budget: f64,
    needed: f64,
}
impl structure::Feasibility for Held {
    fn assess(&mut self) -> Result<structure::Feasible> {
        // With all limits looser by a factor, the spread grows by it and what is needed falls by it.
        let ratio = (self.needed / spread(&self.ends)).sqrt();
        if ratio <= 1.0 {
            return Ok(structure::Feasible::Yes(self.ends.clone()));
        }
        let least_violating = Design::new(self.ends.iter().map(|p| ratio * p).collect());
        let certificate = structure::Certificate { kind: "largest_spread", values: vec![("ratio", vec![ratio])] };
        Ok(structure::Feasible::No { least_violating, ratio, certificate })
    }
    /// Uses the whole budget, and as little of it at the ends of the band as the limit asks for.
    fn repair(&mut self, power: &mut Design) -> bool {
        let total: f64 = power.iter().sum();
        let scale = if total > 0.0 { self.budget / total } else { 0.0 };
        power.iter_mut().for_each(|p| *p *= scale);
        if spread(power) >= self.needed {
            return true;
        }
        let own = power.clone();
        let mut mix = |share: f64| {
            power.iter_mut().zip(own.iter().zip(self.ends.iter())).for_each(|(p, (a, b))| *p = a + share * (b - a));
            spread(power) >= self.needed
        };
        // A concave function grows towards where it is largest.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..50 {
            let share = 0.5 * (low + high);
            (low, high) = if mix(share) { (low, share) } else { (share, high) };
        }
        mix(high)
    }
}
/// No power of this budget gives more rate than water-filling: a bound, whatever further limits there are.
impl structure::Bound for Held {
    fn bound(&mut self) -> Result<Option<structure::ProvenBound>> {
        // The dual function: at any price of power it is no less than the rate, so that rounding proves no falsehood.
        let dual = |price: f64| {
            let of_one = |g: &f64| (g / price).max(1.0).ln() - (1.0 - price / g).max(0.0);
            price * self.budget + self.gain.iter().map(of_one).sum::<f64>()
        };
        // It falls and then grows: thirds of the logarithm of the price.
        let highest = self.gain.iter().fold(f64::MIN_POSITIVE, |a, g| a.max(*g)).ln();
        let (mut low, mut high) = (highest - 60.0, highest);
        for _ in 0..200 {
            let third = (high - low) / 3.0;
            let falls = dual((low + third).exp()) >= dual((high - third).exp());
            (low, high) = if falls { (low + third, high) } else { (low, high - third) };
        }
        let value = dual(low.exp()) / std::f64::consts::LN_2;
        let certificate = structure::Certificate { kind: "dual", values: vec![("price", vec![low.exp()])] };
        Ok(Some(structure::ProvenBound { value, certificate }))
    }
}

pub fn main() -> std::process::ExitCode {
    isacopt::cli::main()
}
