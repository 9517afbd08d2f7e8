//! The published systems, one folder each. Scenarios know no solver.

pub mod monostatic;
pub mod multi_irs;
