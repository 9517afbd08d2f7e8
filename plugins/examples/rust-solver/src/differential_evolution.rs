//! Differential evolution that adapts its two rates to what succeeds (SHADE), with restarts.

use isacopt_plugin::{Deserialize, Host, JsonSchema, Judged, Requires, Result, Serialize, Solver, Step, StopRules};

/// A spread of the population below this, relative to the block's scale, ends a run of it.
const COLLAPSED: f64 = 1e-11;

/// Success-history adaptive differential evolution: each member moves toward one of the best and along the difference of
/// two others, and the rates of moving and of crossing are drawn around those that succeeded before. Where the population
/// has shrunk to a point or stands still, it is drawn anew and the best design is kept. Feasible designs come before
/// infeasible ones (Deb's rules). Source: Tanabe and Fukunaga, doi:10.1109/CEC.2013.6557555.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, crate = "isacopt_plugin::serde")]
#[schemars(crate = "isacopt_plugin::schemars")]
pub struct DifferentialEvolution {
    /// Members of the population; 0 takes 4 a free coordinate, between 20 and 100.
    #[schemars(range(max = 100000))]
    pub population: usize,
    /// Successes that are remembered for each rate.
    #[schemars(range(min = 1, max = 1000))]
    pub memory: usize,
    /// The share of the population that counts as the best.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub elite: f64,
    /// Generations without a better best design after which the population is drawn anew.
    #[schemars(range(min = 1))]
    pub patience: u64,
}

impl Default for DifferentialEvolution {
    fn default() -> Self {
        Self { population: 0, memory: 20, elite: 0.1, patience: 60 }
    }
}

struct Member {
    design: Vec<f64>,
    value: Judged,
}

/// The population, and what succeeded before.
pub struct State {
    free: Vec<usize>,
    scale: Vec<f64>,
    size: usize,
    members: Vec<Member>,
    /// Members that were replaced: they keep differences long.
    archive: Vec<Vec<f64>>,
    forces: Vec<f64>,
    crossings: Vec<f64>,
    place: usize,
    best: Member,
    idle: u64,
}

impl DifferentialEvolution {
    fn drawn(host: &mut Host, repair: bool) -> Result<Member> {
        let mut design = host.random_design()?;
        if repair {
            host.repair(&mut design)?;
        }
        Ok(Member { value: host.evaluate(&design)?, design })
    }

    /// The two rates of a member, around a remembered pair: a Cauchy and a normal number.
    fn rates(&self, state: &State, host: &mut Host) -> Result<(f64, f64)> {
        let place = host.below(self.memory)?;
        let mut force = 0.0;
        while force <= 0.0 {
            let angle = std::f64::consts::PI * (host.uniform()? - 0.5);
            force = state.forces[place] + 0.1 * angle.tan();
        }
        let crossing = (state.crossings[place] + 0.1 * host.normal()?).clamp(0.0, 1.0);
        Ok((force.min(1.0), crossing))
    }

    fn trial(&self, state: &State, order: &[usize], i: usize, rates: (f64, f64), host: &mut Host) -> Result<Vec<f64>> {
        let (force, crossing) = rates;
        let own = &state.members[i].design;
        let elite = ((self.elite * state.size as f64) as usize).clamp(1, state.size);
        let good = &state.members[order[host.below(elite)?]].design;
        let a = &state.members[host.below(state.size)?].design;
        let pick = host.below(state.size + state.archive.len())?;
        let b = if pick < state.size { &state.members[pick].design } else { &state.archive[pick - state.size] };
        let mut trial = own.clone();
        let surely = host.below(state.free.len())?;
        for (k, j) in state.free.iter().copied().enumerate() {
            if k == surely || host.uniform()? < crossing {
                trial[j] += force * (good[j] - own[j] + a[j] - b[j]);
            }
        }
        host.project(&mut trial)?;
        Ok(trial)
    }

    fn collapsed(state: &State) -> bool {
        state.free.iter().all(|j| {
            let (low, high) = state.members.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), m| {
                (low.min(m.design[*j]), high.max(m.design[*j]))
            });
            high - low <= COLLAPSED * state.scale[*j].max(high.abs())
        })
    }

    /// The members from the best to the worst, equals in their order.
    fn ranked(state: &State, host: &Host) -> Vec<usize> {
        let mut order: Vec<usize> = (0..state.members.len()).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&state.members[*a].value, &state.members[*b].value);
            host.better(b, a).cmp(&host.better(a, b))
        });
        order
    }
}

impl Solver for DifferentialEvolution {
    const NAME: &'static str = "differential_evolution";
    type State = State;

    fn requires() -> Requires {
        Requires::continuous()
    }

    fn stop_rules() -> StopRules {
        StopRules { max_evaluations: Some(20_000), ..StopRules::default() }
    }

    fn begin(&self, host: &mut Host, start: Option<&[f64]>) -> Result<State> {
        let problem = host.problem();
        let mut scale = vec![1.0; problem.coordinates()];
        for block in problem.blocks() {
            scale[block.range].fill(block.scale);
        }
        let free = problem.free().to_vec();
        let size = if self.population == 0 { (4 * free.len()).clamp(20, 100) } else { self.population.max(4) };
        let design = host.first_design(start)?;
        let value = host.evaluate(&design)?;
        let best = Member { design, value };
        Ok(State {
            free,
            scale,
            size,
            members: Vec::new(),
            archive: Vec::new(),
            forces: vec![0.5; self.memory],
            crossings: vec![0.5; self.memory],
            place: 0,
            best,
            idle: 0,
        })
    }

    fn step(&self, state: &mut State, host: &mut Host) -> Result<Step> {
        if state.free.is_empty() {
            return Ok(Step::Converged);
        }
        let repair = host.problem().repairs();
        if state.members.len() < state.size {
            // The first member of all is the start; a population that is drawn anew begins with the best design.
            if state.members.is_empty() {
                state.members.push(Member { design: state.best.design.clone(), value: state.best.value });
            }
            while state.members.len() < state.size {
                let member = Self::drawn(host, repair)?;
                if host.better(&member.value, &state.best.value) {
                    state.best = Member { design: member.design.clone(), value: member.value };
                }
                state.members.push(member);
            }
            return Ok(Step::Advanced);
        }
        let order = Self::ranked(state, host);
        let mut successes: Vec<(f64, f64, f64)> = Vec::new();
        let mut better_best = false;
        for i in 0..state.size {
            let rates = self.rates(state, host)?;
            let mut design = self.trial(state, &order, i, rates, host)?;
            let mut value = host.evaluate(&design)?;
            if repair && value.violation > 0.0 && host.repair(&mut design)? {
                value = host.evaluate(&design)?;
            }
            let old = &state.members[i];
            if host.better(&old.value, &value) || value.objective.is_nan() {
                continue;
            }
            if host.better(&value, &old.value) {
                let gain =
                    (old.value.violation - value.violation).abs() + (old.value.objective - value.objective).abs();
                successes.push((rates.0, rates.1, if gain.is_finite() { gain } else { 1.0 }));
                if state.archive.len() < state.size {
                    state.archive.push(old.design.clone());
                } else {
                    let place = host.below(state.size)?;
                    state.archive[place].clone_from(&old.design);
                }
            }
            if host.better(&value, &state.best.value) {
                state.best = Member { design: design.clone(), value };
                better_best = true;
            }
            state.members[i] = Member { design, value };
        }
        let weight: f64 = successes.iter().map(|s| s.2).sum();
        if weight > 0.0 {
            // Lehmer's mean of the forces, the weighted mean of the crossings.
            let mean = |f: &dyn Fn(&(f64, f64, f64)) -> f64| successes.iter().map(|s| s.2 * f(s)).sum::<f64>() / weight;
            state.forces[state.place] = mean(&|s| s.0 * s.0) / mean(&|s| s.0);
            state.crossings[state.place] = mean(&|s| s.1);
            state.place = (state.place + 1) % self.memory;
        }
        state.idle = if better_best { 0 } else { state.idle + 1 };
        if state.idle >= self.patience || Self::collapsed(state) {
            state.members.clear();
            state.archive.clear();
            state.forces.fill(0.5);
            state.crossings.fill(0.5);
            state.idle = 0;
        }
        Ok(Step::Advanced)
    }

    fn best<'a>(&self, state: &'a State) -> &'a [f64] {
        &state.best.design
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isacopt_plugin::toy::Toy;

    #[test]
    fn it_finds_the_optima_of_toys() {
        let solver = DifferentialEvolution::default();
        for seed in 0..3 {
            for (toy, optimum, reach) in
                [(Toy::sphere(5), 0.0, 1e-8), (Toy::valley(4), 0.0, 1e-6), (Toy::limited(4), 4.0, 1e-4)]
            {
                let solved = toy.solve(&solver, seed, 40_000).unwrap();
                let miss = (solved.value.objective - optimum).abs();
                assert!(miss <= reach && solved.value.violation <= 1e-9, "{optimum}: {:?}", solved.value);
            }
        }
    }

    #[test]
    fn a_population_that_shrank_is_drawn_anew_and_the_best_is_kept() {
        let solver = DifferentialEvolution { population: 8, patience: 5, ..DifferentialEvolution::default() };
        // Two valleys: the wide one is the worse.
        let toy = Toy::minimize(vec![-5.0; 2], vec![5.0; 2], |x| {
            let wide = 1.0 + x.iter().map(|x| (x + 2.0).powi(2)).sum::<f64>();
            let narrow = 10.0 * x.iter().map(|x| (x - 4.0).powi(2)).sum::<f64>();
            (wide.min(narrow), 0.0)
        });
        let found = (0..20).filter(|seed| toy.solve(&solver, *seed, 20_000).unwrap().value.objective < 1e-3);
        assert!(found.count() >= 18);
    }
}
