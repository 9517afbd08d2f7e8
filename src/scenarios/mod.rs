//! The published systems, one folder each. Scenarios know no solver.

pub mod cell_free;
pub mod monostatic;
