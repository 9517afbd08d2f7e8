//! Reproducible random streams: one substream per entity, so that what one entity draws never depends on the
//! others, on the solver, on the threads or on a swept value.
//!
//! The generator is ChaCha8, which gives the same numbers on every machine. A stream's 256-bit key is the
//! SHA-256 hash of (seed, purpose, scope, entity, trial).

use std::ops::{Deref, DerefMut};

use num_complex::Complex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use sha2::{Digest, Sha256};

/// One stream of random numbers, keyed by what it is for.
///
/// ```
/// use isacopt::RandomStream;
/// let mut a = RandomStream::keyed(1, "fading", "monostatic", 0, 7);
/// let mut b = RandomStream::keyed(1, "fading", "monostatic", 0, 7);
/// assert_eq!(a.uniform(), b.uniform());
/// ```
#[derive(Clone, Debug)]
pub struct RandomStream(ChaCha8Rng);

impl RandomStream {
    /// The stream of (seed, purpose, scope, entity, trial). Scope is the scenario's type, or empty.
    pub fn keyed(seed: u64, purpose: &str, scope: &str, entity: u64, trial: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"isacopt-stream/1");
        hash.update(seed.to_le_bytes());
        for text in [purpose, scope] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(entity.to_le_bytes());
        hash.update(trial.to_le_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// A solver's own stream of (seed, "solver", trial): the same for every solver.
    pub fn solver(seed: u64, trial: u64) -> Self {
        Self::keyed(seed, "solver", "", 0, trial)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        self.0.sample(StandardNormal)
    }

    /// Circular complex normal with `E|x|² = variance`.
    pub fn complex_normal(&mut self, variance: f64) -> Complex<f64> {
        let scale = (variance / 2.0).sqrt();
        Complex::new(scale * self.normal(), scale * self.normal())
    }

    /// Where the stream stands: its key and how many 32-bit words were drawn.
    pub fn state(&self) -> ([u8; 32], u128) {
        (self.0.get_seed(), self.0.get_word_pos())
    }

    /// The stream that stands there: it goes on with the same numbers.
    pub fn at_state(key: [u8; 32], words: u128) -> Self {
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_word_pos(words);
        Self(stream)
    }

    /// A new stream split off this one, for a sub-solver or a restart.
    #[must_use]
    pub fn split(&mut self) -> Self {
        let mut key = [0u8; 32];
        for part in key.chunks_exact_mut(8) {
            part.copy_from_slice(&self.0.random::<u64>().to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }
}

impl Deref for RandomStream {
    type Target = ChaCha8Rng;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for RandomStream {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// The streams of one drawn system: (seed, scenario type, trial) fixed; purpose and entity are the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// The experiment's seed.
    pub seed: u64,
    /// The trial (drop), from 0.
    pub trial: u64,
    scope: &'static str,
}

impl Streams {
    /// The streams of one trial of a scenario type.
    pub fn new(seed: u64, scope: &'static str, trial: u64) -> Self {
        Self { seed, trial, scope }
    }

    /// The stream of one entity: say ("user position", 3).
    pub fn stream(&self, purpose: &str, entity: u64) -> RandomStream {
        RandomStream::keyed(self.seed, purpose, self.scope, entity, self.trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_different_keys_differ_and_of_equal_keys_agree() {
        let draw =
            |seed, purpose, scope, entity, trial| RandomStream::keyed(seed, purpose, scope, entity, trial).uniform();
        let base = draw(1, "a", "b", 2, 3);
        assert_eq!(base, draw(1, "a", "b", 2, 3));
        for other in [
            draw(2, "a", "b", 2, 3),
            draw(1, "ab", "", 2, 3),
            draw(1, "a", "c", 2, 3),
            draw(1, "a", "b", 3, 3),
            draw(1, "a", "b", 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_stream_goes_on_from_its_state() {
        let mut stream = RandomStream::keyed(1, "a", "", 0, 0);
        for _ in 0..37 {
            stream.normal();
        }
        let (key, words) = stream.state();
        let mut again = RandomStream::at_state(key, words);
        assert!((0..99).all(|_| stream.normal().to_bits() == again.normal().to_bits()));
        assert_eq!(stream.split().uniform(), again.split().uniform());
    }

    #[test]
    fn the_stream_is_portable() {
        // Frozen: a change here changes every published result.
        let mut stream = RandomStream::keyed(1, "user position", "monostatic", 0, 0);
        assert_eq!(
            [stream.uniform(), stream.uniform(), stream.normal()],
            [0.048487727999508734, 0.5198020958514515, -0.812113700272162]
        );
    }
}
