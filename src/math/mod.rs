//! Random streams, numerical derivatives, and quantities with units.

mod derivative;
mod descent;
mod dual;
mod quantity;
mod random;
mod wide;

pub use derivative::derivative;
pub use descent::{Descent, Function};
pub use dual::{Dual, Real};
pub use quantity::{Angle, Power, Ratio, SquaredAngle, decibel, from_decibel, number_and_unit};
pub use random::{RandomStream, Streams};
pub use wide::settle;
