//! Random streams, numerical derivatives, and quantities with units.

mod derivative;
mod dual;
mod descent;
mod quantity;
mod random;

pub use derivative::derivative;
pub use dual::{Dual, Real};
pub use descent::{Descent, Function};
pub use quantity::{Angle, Power, Ratio, SquaredAngle, decibel, from_decibel, number_and_unit};
pub use random::{RandomStream, Streams};
