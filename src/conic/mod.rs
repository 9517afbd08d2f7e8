//! Conic programs.

/// A conic program.
pub struct Program;
