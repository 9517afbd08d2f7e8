//! Every solver on random monostatic systems: the exact optimum is never beaten, and each comes as close as it claims.

use crate::monostatic;
use std::sync::Arc;

use isacopt::SystemModel;
use isacopt::problem::STRICT;
use isacopt::scenarios::monostatic::{Instance, Monostatic};
use isacopt::solvers::argmin::{Argmin, Method};
use isacopt::solvers::baseline::Baseline;
use isacopt::solvers::exact::Exact;
use isacopt::solvers::global_search::GlobalSearch;
use isacopt::solvers::majorization_minimization::{Acceleration, MajorizationMinimization};
use isacopt::solvers::random_search::RandomSearch;
use isacopt::solvers::sca::Sca;
use isacopt::{Design, Objective, Optimizer, Outcome, Problem, ProblemSpec, RandomStream, Run, Status, StopRules};
use proptest::strategy::{Strategy, ValueTree};

const UTILITIES: [&str; 4] = ["sum_rate", "weighted_sum_rate", "min_rate", "sum_log_rate"];
const COUNT: usize = 200;

/// A feasible random system with one of the utilities, and its proven optimum.
struct Case {
    name: String,
    problem: Arc<Problem>,
    reused: bool,
    optimum: f64,
}

impl Case {
    fn run(&self, solver: &dyn Optimizer, rules: StopRules) -> Outcome {
        let mut run = Run::new(solver, Arc::clone(&self.problem), RandomStream::solver(3, 0));
        run.rules = rules;
        let outcome = run.drive(&mut |_| ()).unwrap_or_else(|why| panic!("{}: {why}", self.name));
        assert!(outcome.violation <= STRICT, "{} {solver:?}: violation {}", self.name, outcome.violation);
        let behind = self.behind(&outcome);
        assert!(behind >= -1e-9, "{} {solver:?}: {} beats {}", self.name, outcome.objective, self.optimum);
        outcome
    }

    /// How far an objective is below the optimum: relative, or absolute for logarithms.
    fn behind(&self, outcome: &Outcome) -> f64 {
        let gap = self.problem.gap(self.optimum, outcome.objective);
        if outcome.objective > self.optimum { -gap } else { gap }
    }
}

fn cases() -> Vec<Case> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = monostatic::instances();
    let mut cases = Vec::new();
    let mut infeasible = 0;
    for i in 0.. {
        if cases.len() == COUNT {
            break;
        }
        let mut instance: Instance = strategy.new_tree(&mut runner).expect("a tree").current();
        let objective = UTILITIES[i % 4];
        if i % 8 < 4 {
            // Every other four instances without reuse, which few random pilots are.
            instance.pilot_index = (0..instance.users() as u64).collect();
        }
        let (users, reused) = (instance.users(), instance.distinct_pilots() < instance.users());
        let misaligned = instance.sensing_beam_direction.is_some();
        let name = format!("{i} {objective} {:?} K={users} reused={reused} {misaligned}", instance.precoder);
        let model: Arc<dyn SystemModel> = Arc::new(Monostatic::new(instance));
        let spec = ProblemSpec { objective: Objective::Metric(objective.into()), ..model.default_problem() };
        let problem = Problem::new(model, spec).expect("a problem");
        let run = Run::new(&Exact {}, Arc::clone(&problem), RandomStream::solver(3, 0));
        let outcome = run.drive(&mut |_| ()).expect("exact runs");
        if outcome.status == Status::Infeasible {
            infeasible += 1;
            continue;
        }
        assert_eq!(outcome.status, Status::Optimal, "{name}: {}", outcome.reason);
        assert!(outcome.violation <= STRICT && outcome.gap.is_some_and(|gap| gap <= 1e-9), "{name}: {outcome:?}");
        cases.push(Case { name, problem, reused, optimum: outcome.objective });
    }
    assert!(infeasible > 20, "{infeasible}");
    cases
}

fn evaluations(most: u64) -> StopRules {
    StopRules { max_evaluations: Some(most), ..StopRules::default() }
}

#[test]
fn successive_approximation_is_monotone_feasible_and_ends_at_the_optimum() {
    let mut ended = 0;
    for case in &cases() {
        let outcome = case.run(&Sca::default(), StopRules::default());
        monotone(case, &outcome);
        // Under pilot reuse there are other stationary points.
        if !case.reused {
            assert!(case.behind(&outcome) <= 1e-4, "{}: {} of {}", case.name, outcome.objective, case.optimum);
            ended += 1;
        }
    }
    assert!(ended > 80, "{ended}");
}

fn monotone(case: &Case, outcome: &Outcome) {
    assert!(outcome.trace.iter().all(|record| record.violation <= STRICT), "{}", case.name);
    assert!(outcome.trace.windows(2).all(|w| w[0].objective <= w[1].objective), "{}", case.name);
}

#[test]
fn majorization_is_monotone_feasible_and_ends_at_the_optimum() {
    let (mut ended, mut refused) = (0, 0);
    for case in &cases() {
        let solver = MajorizationMinimization::default();
        if solver.requires().met_by(&case.problem).is_err() {
            assert!(case.reused, "{}", case.name);
            refused += 1;
            continue;
        }
        let outcome = case.run(&solver, StopRules::default());
        monotone(case, &outcome);
        let plain =
            MajorizationMinimization { acceleration: Acceleration::None, ..MajorizationMinimization::default() };
        monotone(case, &case.run(&plain, StopRules { max_iterations: Some(50), ..StopRules::default() }));
        // The map itself, without the solver's incumbent: each jump is feasible and no worse than where it set out.
        let mut majorizer = case.problem.structure().majorizer.as_ref().expect("offered")();
        let mut judge = case.problem.evaluator();
        let mut here = case.problem.default_start(&mut RandomStream::solver(3, 0)).expect("a start");
        let mut next = Design::zeros(case.problem.model().space());
        let mut value = judge.evaluate(&here).expect("evaluates").objective;
        for _ in 0..15 {
            majorizer.maximize(&here, &mut next).expect("maximizes");
            let after = judge.evaluate(&next).expect("evaluates");
            assert!(after.violation <= 1e-12, "{}: {}", case.name, after.violation);
            assert!(after.objective >= value - 1e-12 * value.abs().max(1.0), "{}: {value} {after:?}", case.name);
            std::mem::swap(&mut here, &mut next);
            value = after.objective;
        }
        if !case.reused {
            assert!(case.behind(&outcome) <= 1e-6, "{}: {} of {}", case.name, outcome.objective, case.optimum);
            ended += 1;
        }
    }
    assert!(ended > 80 && refused > 20, "{ended} {refused}");
}

#[test]
fn global_search_comes_within_a_thousandth() {
    for case in &cases() {
        let outcome = case.run(&GlobalSearch::default(), evaluations(20_000));
        assert!(case.behind(&outcome) <= 1e-3, "{}: {} of {}", case.name, outcome.objective, case.optimum);
    }
}

#[test]
fn simple_searches_and_baselines_never_beat_the_optimum() {
    for (i, case) in cases().iter().enumerate() {
        case.run(&RandomSearch::default(), evaluations(500));
        for method in [Method::NelderMead, Method::Lbfgs, Method::ParticleSwarm] {
            // The swarm, which is slow, on every fourth case: with and without reuse, all utilities.
            if method == Method::ParticleSwarm && i % 4 != 0 {
                continue;
            }
            let outcome = case.run(&Argmin { method, ..Argmin::default() }, evaluations(20_000));
            // Local methods find the optimum where there is no other and the utility is smooth.
            let smooth = case.problem.spec().objective.name() != "min_rate";
            let close = match method {
                Method::ParticleSwarm => 0.1,
                _ if smooth => 1e-6,
                Method::NelderMead => 1e-2,
                Method::Lbfgs => 0.2,
            };
            let behind = case.behind(&outcome);
            assert!(case.reused || behind <= close, "{} {method:?}: {behind}", case.name);
        }
        for scheme in case.problem.model().baselines() {
            let solver = Baseline::named(scheme.named().name);
            let run = Run::new(&solver, Arc::clone(&case.problem), RandomStream::solver(3, 0));
            let outcome = run.drive(&mut |_| ()).expect("runs");
            let beaten = outcome.violation <= STRICT && case.behind(&outcome) < -1e-9;
            assert!(!beaten, "{} {}: {} beats {}", case.name, solver.baseline, outcome.objective, case.optimum);
        }
    }
}
