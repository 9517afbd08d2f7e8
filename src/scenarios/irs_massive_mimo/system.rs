//! What is computed once from a drawn system: steering vectors, covariances, and the base station's statistics in the
//! eigenbasis of its covariance.

use faer::{Mat, Side};
use num_complex::Complex;

use super::correlation::Correlation;
use super::instance::Instance;
use crate::error::{Error, Result};

/// A drawn system with all that is computed from it once.
#[derive(Clone, Debug)]
pub struct System {
    /// The drawn numbers.
    pub instance: Instance,
    /// `c = sqrt(zeta_H K_H / (K_H + 1))`: the scale of the line of sight.
    pub los_scale: f64,
    /// `z_T = zeta_H / (K_H + 1)`: `R_T = z_T R_B`.
    pub scatter_scale: f64,
    /// `R_I`.
    pub irs: Correlation,
    /// `a_I`.
    pub irs_steering: Vec<Complex<f64>>,
    /// `q`: the target seen from the IRS.
    pub irs_target: Vec<Complex<f64>>,
    /// `p`: the target seen from the base station.
    pub target: Vec<Complex<f64>>,
    /// `a_B`.
    pub steering: Vec<Complex<f64>>,
    /// The rank-one form where all statistics follow the formulas, else the general one.
    pub statistics: Statistics,
}

/// How the base station's statistics are held.
#[derive(Clone, Debug)]
pub enum Statistics {
    /// `R_fk = zeta_fk R_B`, `R_gk = zeta_gk R_I`, the line of sight `c a_B a_I^H`: everything is diagonal plus rank
    /// one in the eigenbasis of `R_B`.
    RankOne(RankOne),
    /// Any covariances and any line of sight.
    General(General),
}

/// The eigenbasis of `R_B`.
#[derive(Clone, Debug)]
pub struct RankOne {
    /// Eigenvalues of `R_B`, 0 or more.
    pub eigenvalues: Vec<f64>,
    /// `|U^H a_B|²`.
    pub steering_weight: Vec<f64>,
    /// `|alpha_p U^H p|²`.
    pub direct_weight: Vec<f64>,
    /// `conj(alpha_p U^H p) o U^H a_B`.
    pub cross_weight: Vec<Complex<f64>>,
}

/// Full matrices.
#[derive(Clone, Debug)]
pub struct General {
    /// `R_B`.
    pub base_station: Mat<Complex<f64>>,
    /// `R_fk`.
    pub direct: Vec<Mat<Complex<f64>>>,
    /// `R_gk`.
    pub irs_user: Vec<Mat<Complex<f64>>>,
    /// The scaled line of sight, `[M][N]`.
    pub los: Mat<Complex<f64>>,
    /// `R_I`.
    pub irs: Mat<Complex<f64>>,
}

impl System {
    /// Computes it; `O(M³ + N²)`.
    ///
    /// # Errors
    /// Where the eigenvalues of the base station's covariance cannot be found.
    pub fn new(instance: Instance) -> Result<Self> {
        let (base, surface) = (instance.base_station_array, instance.irs_array);
        let (angles, convention) = (instance.angles, instance.steering_convention);
        let rician = instance.rician_factor;
        let measured = &instance.measured;
        let irs = match &measured.irs_covariance {
            Some(entries) => Correlation::measured(entries, surface.len()),
            None => Correlation::isotropic(surface, instance.irs_element_area),
        };
        let covariance = match &measured.base_station_covariance {
            Some(entries) => Correlation::measured(entries, base.len()),
            None => Correlation::isotropic(base, instance.base_station_element_area),
        };
        let steering = base.steering_vector(angles.base_station, convention);
        let target = base.steering_vector(angles.target_from_base_station, convention);
        let irs_steering = surface.steering_vector(angles.irs, convention);
        let irs_target = surface.steering_vector(angles.target_from_irs, convention);
        let los_scale = (instance.fading_irs_base_station * rician / (rician + 1.0)).sqrt();
        let scatter_scale = instance.fading_irs_base_station / (rician + 1.0);
        let by_formula = measured.user_base_station_covariance.is_none()
            && measured.irs_user_covariance.is_none()
            && measured.irs_base_station_los.is_none();
        let statistics = if by_formula {
            {
                let direct = instance.target_reflection_base_station;
                let echo: Vec<_> = target.iter().map(|p| p * direct).collect();
                Statistics::RankOne(RankOne::new(&covariance, &steering, &echo)?)
            }
        } else {
            let los = match &measured.irs_base_station_los {
                Some(entries) => {
                    Mat::from_fn(base.len(), surface.len(), |i, j| entries[i * surface.len() + j] * los_scale)
                }
                None => {
                    Mat::from_fn(base.len(), surface.len(), |i, j| steering[i] * irs_steering[j].conj() * los_scale)
                }
            };
            Statistics::General(General::new(&instance, &covariance, &irs, los))
        };
        Ok(Self { los_scale, scatter_scale, irs, irs_steering, irs_target, target, steering, statistics, instance })
    }

    /// The number of users K.
    pub fn users(&self) -> usize {
        self.instance.users()
    }

    /// The number of IRS elements N.
    pub fn elements(&self) -> usize {
        self.irs_steering.len()
    }

    /// `xi = rho_p tau_p`.
    pub fn pilot_energy(&self) -> f64 {
        self.instance.pilot_snr * self.instance.pilot_length as f64
    }

    /// The share of symbols that carry data, `(tau_c - tau_p) / tau_c`.
    pub fn pre_log(&self) -> f64 {
        let (pilots, all) = (self.instance.pilot_length as f64, self.instance.coherence_length as f64);
        (all - pilots) / all
    }

    /// The reflection coefficients `theta_n = amplitude_n e^{j phase_n}`.
    pub fn reflection(&self, phases: &[f64], out: &mut [Complex<f64>]) {
        out.iter_mut().zip(phases).for_each(|(o, phase)| *o = Complex::cis(*phase));
        if let Some(amplitude) = &self.instance.irs_amplitude {
            out.iter_mut().zip(amplitude).for_each(|(o, a)| *o *= *a);
        }
    }
}

impl RankOne {
    fn new(covariance: &Correlation, steering: &[Complex<f64>], target: &[Complex<f64>]) -> Result<Self> {
        let failed = |_| Error::Numerical("the eigenvalues of the base station's covariance".into());
        let m = steering.len();
        // Working precision leaves eigenvalues of -1e-16 where elements are close: they are 0.
        type Projection = Box<dyn Fn(&[Complex<f64>]) -> Vec<Complex<f64>>>;
        let (eigenvalues, project): (Vec<f64>, Projection) = match covariance {
            Correlation::Complex(matrix) => {
                let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(failed)?;
                let values = (0..m).map(|i| eigen.S()[i].re.max(0.0)).collect();
                let basis = eigen.U().to_owned();
                (
                    values,
                    Box::new(move |x| {
                        (0..m).map(|i| basis.col(i).iter().zip(x).map(|(u, x)| u.conj() * x).sum()).collect()
                    }),
                )
            }
            _ => {
                let matrix = Mat::from_fn(m, m, |i, j| covariance.entry(i, j).re);
                let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(failed)?;
                let values = (0..m).map(|i| eigen.S()[i].max(0.0)).collect();
                let basis = eigen.U().to_owned();
                (
                    values,
                    Box::new(move |x| (0..m).map(|i| basis.col(i).iter().zip(x).map(|(u, x)| x * u).sum()).collect()),
                )
            }
        };
        let (steering, target) = (project(steering), project(target));
        let steering_weight: Vec<f64> = steering.iter().map(Complex::norm_sqr).collect();
        let direct_weight: Vec<f64> = target.iter().map(Complex::norm_sqr).collect();
        let cross_weight: Vec<_> = target.iter().zip(&steering).map(|(p, a)| p.conj() * a).collect();
        Ok(Self { eigenvalues, steering_weight, direct_weight, cross_weight })
    }
}

impl General {
    fn new(instance: &Instance, covariance: &Correlation, irs: &Correlation, los: Mat<Complex<f64>>) -> Self {
        let (base_station, irs) = (covariance.matrix(), irs.matrix());
        let each = |given: &Option<Vec<Complex<f64>>>, formula: &Mat<Complex<f64>>, fading: &[f64]| -> Vec<_> {
            let n = formula.nrows();
            let one = |k: usize| match given {
                Some(entries) => Mat::from_fn(n, n, |i, j| entries[(k * n + i) * n + j]),
                None => Mat::from_fn(n, n, |i, j| formula[(i, j)] * fading[k]),
            };
            (0..fading.len()).map(one).collect()
        };
        let measured = &instance.measured;
        let direct = each(&measured.user_base_station_covariance, &base_station, &instance.fading_user_base_station);
        let irs_user = each(&measured.irs_user_covariance, &irs, &instance.fading_user_irs);
        Self { base_station, direct, irs_user, los, irs }
    }
}
