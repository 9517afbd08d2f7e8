//! A proven bound for all phases, beams and covariances at once, and the start that it suggests.
//!
//! For every unit-modulus `phi`: `f_l <= Lambda tr(G_l^H G_l R)` with `Lambda = max(c_1 N, c_2 sum_n (n - (N-1)/2)^2)`,
//! because the rows `phi_n a_n`, `phi_n a_n (n - (N-1)/2)` are orthogonal with these squared norms. So
//!
//! ```text
//! max_l CRB_l  >=  1 / max_{tr R <= P} min_l  Lambda / kappa_l tr(G_l^H G_l R)
//! ```
//!
//! for both receivers and with any floors; the maximum is a small semidefinite program. Its best rank-one part `w` gives
//! the spectral start: phases that align `a_n G_l w`. (Reference: structure 4 and 5.)

use crate::conic::Sense;
use crate::conic::hermitian::{ComplexExpression, HermitianProgram, HermitianSettings, Method};

use super::extended::channel;
use super::system::{C, System};
use crate::structure::Certificate;

/// The bound, its weights, and the start.
#[derive(Clone, Debug)]
pub(super) struct Spectral {
    /// No design has a smaller largest CRB of a direction.
    pub bound: f64,
    /// The weights of the IRSs that prove it.
    pub weights: Vec<f64>,
    /// The phases, all IRSs in order.
    pub phases: Vec<f64>,
}

impl Spectral {
    /// What proves the bound.
    pub fn certificate(&self) -> Certificate {
        let values = vec![("bound", vec![self.bound]), ("weights", self.weights.clone())];
        Certificate { kind: "closed_form", values }
    }
}

impl System {
    /// The bound and the spectral start; none where some target cannot be seen at all.
    pub(super) fn spectral(&self, power: f64, method: Method) -> Option<Spectral> {
        let surfaces = self.instance.surfaces;
        let m = self.instance.antennas;
        let spread: f64 = self.position.iter().map(|x| x * x).sum();
        let most = (self.sensor_weight * self.position.len() as f64).max(self.element_weight * spread);
        let mut grams = Vec::with_capacity(surfaces);
        for l in 0..surfaces {
            let g = channel(self, l);
            grams.push(g.adjoint() * g * C::new(most / self.kappa[l], 0.0));
        }
        // In units of the hardest IRS alone.
        let unit = grams.iter().map(|g| g.trace().re).fold(f64::INFINITY, f64::min);
        if !(unit > 0.0 && unit.is_finite()) {
            return None;
        }
        let mut program = HermitianProgram::new(Sense::Maximize);
        let (x, level) = (program.matrix(m), program.scalar());
        program.trace_at_most(x, 1.0);
        program.scalar_at_most(level, 1.0);
        program.at_most(x.trace(), 1.0);
        let mut rows = Vec::with_capacity(surfaces);
        for gram in &grams {
            let scaled = gram / C::new(unit, 0.0);
            rows.push(program.at_least(x.inner(&scaled) - ComplexExpression::from(level), 0.0));
        }
        program.objective(level);
        program.set_settings(HermitianSettings { tolerance: 1e-10, method, ..HermitianSettings::default() });
        let solution = program.solve();
        let bound = 1.0 / (power * unit * program.bound(&solution.dual));
        let weights: Vec<f64> = rows.iter().map(|r| (-solution.dual[r.index()]).max(0.0)).collect();
        let eigen = solution.matrix(x).clone().symmetric_eigen();
        let w = eigen.eigenvectors.column(eigen.eigenvalues.imax()).clone_owned();
        let mut phases = Vec::with_capacity(surfaces * self.instance.elements);
        for rows in &self.target_rows {
            for row in rows.chunks_exact(m) {
                let heard: C = row.iter().zip(w.iter()).map(|(r, w)| r * w).sum();
                phases.push(-heard.arg());
            }
        }
        (bound.is_finite() && bound > 0.0).then_some(Spectral { bound, weights, phases })
    }
}
