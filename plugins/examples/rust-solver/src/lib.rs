//! A plugin of isacopt in Rust: two solvers and a metric.

mod differential_evolution;
mod fairness;
mod plain_search;

isacopt_plugin::plugin! {
    solvers: [differential_evolution::DifferentialEvolution, plain_search::PlainSearch],
    metrics: [fairness::Fairness],
}
