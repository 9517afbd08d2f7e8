//! Monostatic massive MIMO ISAC (paper 001): one base station with planar arrays serves users by MRT or ZF and
//! measures the azimuth and elevation of a target.

pub mod echo;
mod instance;
pub mod simulation;

pub use instance::{Array, Instance, Pointing, Precoder};
