//! What radio systems share: fading, pilots, channel estimation, Fisher information.

mod channel_estimation;
mod fading;
mod fisher;
mod pilots;

pub use channel_estimation::PilotEstimator;
pub use fading::rayleigh;
pub use fisher::{FisherInformation, MeanSignal, Signal, Unknown};
pub use pilots::orthogonal_pilots;
