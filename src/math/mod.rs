//! Random streams, and quantities with units.

mod quantity;
mod random;

pub use quantity::{Angle, Power, Ratio, SquaredAngle, decibel, from_decibel};
pub use random::{RandomStream, Streams};
