//! The models against checks that share no code with them, and the solvers against known optima and bounds. One
//! binary: each further one would link all of isacopt again.

mod cell_free;
mod chance;
mod monostatic;

mod cell_free_allocation;
mod cell_free_ground_truth;
mod discrete_solvers;
mod global_search;
mod irs_massive_mimo;
mod irs_massive_mimo_fit;
mod irs_massive_mimo_solvers;
mod irs_no_isac;
mod monostatic_exact;
mod monostatic_ground_truth;
mod monostatic_laws;
mod monostatic_model;
mod monostatic_solvers;
mod multi_irs;
mod solver_conformance;
mod trust;
