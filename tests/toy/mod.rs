//! The toys of the public conformance suite.
#![allow(unused_imports)]

pub use isacopt::plugin::toys::*;
