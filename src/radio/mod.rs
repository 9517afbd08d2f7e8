//! What radio systems share: arrays, fading, pilots, channel estimation, Fisher information, MUSIC.

mod array;
mod channel_estimation;
mod fading;
mod fisher;
pub mod music;
mod pilots;

pub use array::{Array, BeamResponse, DerivativeGram, Pointing};
pub use channel_estimation::PilotEstimator;
pub use fading::rayleigh;
pub use fisher::{FisherInformation, MeanSignal, Signal, Unknown};
pub use pilots::orthogonal_pilots;
