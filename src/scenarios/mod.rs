//! The published systems, one folder each. Scenarios know no solver.

pub mod cell_free;
pub mod irs_massive_mimo;
pub mod irs_no_isac;
pub mod monostatic;
pub mod multi_irs;
