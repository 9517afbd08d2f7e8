//! Experiments planned, executed and held against ground truth.

pub mod validation;
