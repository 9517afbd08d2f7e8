//! `isacopt fit`: an instance from draws of the channels, by moments.
//!
//! ```text
//! R_fk = mean of f_k f_k^H,  zeta_fk = Tr R_fk / (M A_B)                 likewise R_gk, zeta_gk: means of f and g are 0
//! Hb   = mean of H,  G = H - Hb,  z = sum |G|² / ((D - 1) M N),  c² = mean |Hb|² - z / D: without what chance adds
//! zeta_H = c² + z / (A_B A_I),  K_H = c² A_B A_I / z
//! R_B  ~ sum G G^H,  R_I ~ sum G^H G                                      with mean diagonals of A_B and A_I
//! ```
//!
//! R_B and R_I are partial traces of the scattering's covariance, which the model takes for the Kronecker product of both. The
//! directions are those of the plane waves `a_B a_I^H` nearest to Hb. Each moment is held against its formula in Frobenius
//! norm, beside what the number of draws makes of it where the formula holds: `E ||S - R||² = (Tr R)² / D` for Gaussian ones.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use num_complex::Complex;
use serde_json::{Map, Value, json};

use super::channels::{Matrix, isotropic, scaled, times};
use super::instance::Instance;
use super::planar::{Direction, PlanarArray, SteeringConvention};
use super::scans::PlaneWave;
use crate::error::{InputError, Result};
use crate::instance::{Fields, Number};
use crate::radio::music::{Spectrum, grid, refine};
use crate::samples::{Draws, FitForm, Fitted, Misfit, SampleFile};

/// The channels that a sample file may hold: `f`, `g` and `H` of `v_k = f_k + H Theta g_k`.
const CHANNELS: [&str; 3] = ["user_base_station", "irs_user", "irs_base_station"];

/// Rounds of the search for the two nearest plane waves, each end given the other.
const ROUNDS: usize = 5;

/// An array with its elements' area.
#[derive(Clone, Copy)]
struct Side {
    array: PlanarArray,
    area: f64,
}

impl Side {
    /// The formula's covariance.
    fn formula(self, fading: f64) -> Matrix {
        isotropic(self.array, self.area * fading)
    }
}

/// Fits the instance.
///
/// # Errors
/// Where draws are missing, too few, not finite or of another shape, or what they leave open is not given.
pub(super) fn fit(file: &SampleFile, form: FitForm) -> Result<Fitted> {
    file.only(&CHANNELS)?;
    let whole = Value::Object(file.instance.clone());
    let fields = Fields::new(&whole, "instance")?;
    let side = |array, area| -> Result<Side> {
        Ok(Side {
            array: Instance::read_array(&fields, array)?,
            area: fields.optional_number(area, Number::Positive)?.unwrap_or(1.0),
        })
    };
    let base = side("base_station_array", "base_station_element_area")?;
    let surface = side("irs_array", "irs_element_area")?;
    let convention = fields.choice("steering_convention", &SteeringConvention::CHOICES)?;
    let users = fields.vector("communication_share", Number::NonNegative)?.len();
    let (m, n) = (base.array.len(), surface.array.len());
    let [f, g, h] = [&[users, m], &[users, n], &[m, n]];
    let [f, g, h] = [file.draws(CHANNELS[0], f)?, file.draws(CHANNELS[1], g)?, file.draws(CHANNELS[2], h)?];
    let counts = CHANNELS.into_iter().zip([&f, &g, &h]);
    let draws: Map<_, _> = counts.filter_map(|(name, d)| Some((name.to_string(), d.as_ref()?.count.into()))).collect();
    if draws.is_empty() {
        return Err(InputError::new("samples", "no draws", format!("draws of {}", CHANNELS.join(", "))).into());
    }
    let (mut object, mut estimates, mut misfits) = (file.instance.clone(), Map::new(), Vec::new());
    let direct = f.map(|draws| links(&draws, users, base, ["direct covariance", "direct mean"], &mut misfits));
    let reflected =
        g.map(|draws| links(&draws, users, surface, ["IRS-user covariance", "IRS-user mean"], &mut misfits));
    for (links, fading, covariance) in [
        (&direct, "fading_user_base_station", "user_base_station_covariance"),
        (&reflected, "fading_user_irs", "irs_user_covariance"),
    ] {
        if let Some(links) = links {
            object.shift_remove(covariance);
            let fadings: Vec<f64> = links.iter().map(|(fading, _)| *fading).collect();
            estimates.insert(fading.into(), fadings.into());
        }
    }
    let link = h.map(|draws| SurfaceLink::new(&draws, [base, surface], convention, &mut misfits)).transpose()?;
    if let Some(link) = &link {
        let mut angles = object.get("angles").and_then(Value::as_object).cloned().unwrap_or_default();
        for key in ["base_station_covariance", "irs_covariance", "irs_base_station_los"] {
            object.shift_remove(key);
        }
        estimates.insert("fading_irs_base_station".into(), link.fading.into());
        estimates.insert("rician_factor".into(), link.rician.into());
        for (end, direction) in ["base_station", "irs"].into_iter().zip(link.directions) {
            angles.insert(format!("{end}_azimuth"), direction.azimuth.into());
            angles.insert(format!("{end}_elevation"), direction.elevation.into());
        }
        object.insert("angles".into(), angles.into());
    }
    object.extend(estimates.clone());
    let mut instance = Instance::from_json(&Value::Object(object))?;
    if let Some(link) = &link {
        estimates.insert("angles".into(), link.angles());
        estimates.insert("line_of_sight_phase".into(), link.phase.into());
        // The formula's line of sight has no phase of its own: it goes to the one coefficient beside it.
        if form == FitForm::Formulas {
            instance.target_reflection_irs *= Complex::cis(link.phase);
        }
    }
    if form == FitForm::Measured {
        let all = |links: Option<Vec<(f64, Matrix)>>| {
            links.map(|links| links.iter().flat_map(|(_, covariance)| row_major(covariance)).collect())
        };
        let measured = &mut instance.measured;
        measured.user_base_station_covariance = all(direct).or(measured.user_base_station_covariance.take());
        measured.irs_user_covariance = all(reflected).or(measured.irs_user_covariance.take());
        if let Some(link) = link {
            measured.base_station_covariance = Some(row_major(&link.receive));
            measured.irs_covariance = Some(row_major(&link.surface));
            measured.irs_base_station_los = Some(row_major(&link.los));
        }
    }
    Ok(Fitted { instance: instance.to_json(), draws, estimates, misfits })
}

fn row_major(matrix: &Matrix) -> Vec<Complex<f64>> {
    (0..matrix.nrows()).flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)])).collect()
}

fn trace(matrix: &Matrix) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)].re).sum()
}

/// The squared Frobenius norm.
fn squares(matrix: &Matrix) -> f64 {
    matrix.col_iter().flat_map(|column| column.iter()).map(Complex::norm_sqr).sum()
}

/// A ratio; 0 where there is nothing to compare with.
fn over(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// A covariance of samples against its formula, the samples' sampling error being that of so many draws.
fn compare(what: &'static str, user: Option<usize>, moment: &Matrix, formula: &Matrix, draws: f64) -> Misfit {
    let (norm, distance) = (squares(formula).sqrt(), squares(&(moment - formula)).sqrt());
    Misfit { what, user, misfit: over(distance, norm), sampling: over(trace(formula), norm * draws.sqrt()) }
}

/// `X X^H` added to what is there.
fn add_outer(x: &Matrix, out: &mut Matrix) {
    let one = Complex::new(1.0, 0.0);
    matmul(out.as_mut(), Accum::Add, x.as_ref(), x.adjoint(), one, Par::Seq);
}

/// Exactly Hermitian, scaled.
fn hermitian(matrix: &Matrix, scale: f64) -> Matrix {
    Mat::from_fn(matrix.nrows(), matrix.nrows(), |i, j| (matrix[(i, j)] + matrix[(j, i)].conj()) * (0.5 * scale))
}

/// The fading and the covariance of every user's link of mean 0.
fn links(
    draws: &Draws,
    users: usize,
    side: Side,
    names: [&'static str; 2],
    misfits: &mut Vec<Misfit>,
) -> Vec<(f64, Matrix)> {
    let (n, count) = (side.array.len(), draws.count);
    let mut all = Vec::with_capacity(users);
    let mut means = Vec::with_capacity(users);
    for k in 0..users {
        let x = Mat::from_fn(n, count, |i, d| draws.values[(d * users + k) * n + i]);
        let mut sum = Matrix::zeros(n, n);
        add_outer(&x, &mut sum);
        let covariance = hermitian(&sum, 1.0 / count as f64);
        let power = trace(&covariance);
        let fading = power / (n as f64 * side.area);
        misfits.push(compare(names[0], Some(k), &covariance, &side.formula(fading), count as f64));
        let mean = (0..n).map(|i| x.row(i).iter().sum::<Complex<f64>>().norm_sqr()).sum::<f64>().sqrt() / count as f64;
        let sampling = 1.0 / (count as f64).sqrt();
        means.push(Misfit { what: names[1], user: Some(k), misfit: over(mean, power.sqrt()), sampling });
        all.push((fading, covariance));
    }
    misfits.extend(means);
    all
}

/// What draws of the link between surface and base station say.
struct SurfaceLink {
    /// `zeta_H` and `K_H`.
    fading: f64,
    rician: f64,
    /// Hb, its mean squared entry 1.
    los: Matrix,
    /// `R_B` and `R_I`.
    receive: Matrix,
    surface: Matrix,
    /// At the base station and at the surface.
    directions: [Direction; 2],
    /// `arg a_B^H Hb a_I`.
    phase: f64,
}

impl SurfaceLink {
    fn new(draws: &Draws, sides: [Side; 2], convention: SteeringConvention, misfits: &mut Vec<Misfit>) -> Result<Self> {
        let [m, n] = sides.map(|side| side.array.len());
        let (count, entries) = (draws.count as f64, (m * n) as f64);
        let mean =
            Mat::from_fn(m, n, |i, j| draws.values.iter().skip(i * n + j).step_by(m * n).sum::<Complex<f64>>() / count);
        let scattered: Vec<Matrix> = (draws.values.chunks_exact(m * n))
            .map(|draw| Mat::from_fn(m, n, |i, j| draw[i * n + j] - mean[(i, j)]))
            .collect();
        let degrees = count - 1.0;
        let scatter = scattered.iter().map(squares).sum::<f64>() / (degrees * entries);
        if scatter <= 0.0 {
            let allowed = "draws that differ: without scattering the Rician factor is infinite";
            return Err(InputError::new("samples.irs_base_station", "draws that are all equal", allowed).into());
        }
        let power = squares(&mean) / entries;
        let line = (power - scatter / count).max(0.0);
        let areas = sides[0].area * sides[1].area;
        let (mut receive, mut surface) = (Matrix::zeros(m, m), Matrix::zeros(n, n));
        for g in &scattered {
            add_outer(g, &mut receive);
            add_outer(&g.adjoint().to_owned(), &mut surface);
        }
        let whole = scatter * degrees * entries;
        let receive = hermitian(&receive, m as f64 * sides[0].area / whole);
        let surface = hermitian(&surface, n as f64 * sides[1].area / whole);
        let (directions, along) = nearest_plane_waves(&mean, sides.map(|side| side.array), convention);
        let link = Self {
            fading: line + scatter / areas,
            rician: line * areas / scatter,
            los: scaled(&mean, over(1.0, power.sqrt())),
            directions,
            phase: along.arg(),
            receive,
            surface,
        };
        let formulas = sides.map(|side| side.formula(1.0));
        // The other end's elements are draws, too: as many as its covariance leaves independent.
        let independent = |of: &Matrix| over(trace(of).powi(2), squares(of));
        let more = [independent(&formulas[1]), independent(&formulas[0])];
        misfits.push(compare("base station covariance", None, &link.receive, &formulas[0], degrees * more[0]));
        misfits.push(compare("IRS covariance", None, &link.surface, &formulas[1], degrees * more[1]));
        if m > 1 && n > 1 {
            misfits.push(link.product_of_covariances(&scattered, scatter / areas));
        }
        if line > 0.0 {
            let [a_b, a_i] = [0, 1].map(|s| sides[s].array.steering_vector(directions[s], convention));
            let scale = Complex::from_polar(line.sqrt(), link.phase);
            let formula = Mat::from_fn(m, n, |i, j| a_b[i] * a_i[j].conj() * scale);
            let misfit = (squares(&(&mean - &formula)) / (entries * line)).sqrt();
            misfits.push(Misfit {
                what: "line of sight",
                user: None,
                misfit,
                sampling: (scatter / count / line).sqrt(),
            });
        }
        Ok(link)
    }

    /// The scattering's whole covariance S against `F = z R_B x R_I`, by inner products of draws: `||S||²` is the squared norm
    /// of the draws' Gram matrix, and `<S, F> = mean of z Tr(G^H R_B G R_I)`.
    fn product_of_covariances(&self, scattered: &[Matrix], scale: f64) -> Misfit {
        let degrees = scattered.len() as f64 - 1.0;
        let size = self.receive.nrows() * self.surface.nrows();
        let rows = self.receive.nrows();
        let columns = Mat::from_fn(size, scattered.len(), |e, d| scattered[d][(e % rows, e / rows)]);
        // Either side's Gram matrix has this norm: the smaller one is taken.
        let smaller = if size > scattered.len() { columns.adjoint().to_owned() } else { columns };
        let mut gram = Matrix::zeros(smaller.nrows(), smaller.nrows());
        add_outer(&smaller, &mut gram);
        let own = squares(&gram) / (degrees * degrees);
        let along = |g: &Matrix| {
            let image = &self.receive * g * &self.surface;
            let pairs = image.col_iter().zip(g.col_iter()).flat_map(|(a, b)| a.iter().zip(b.iter()));
            pairs.map(|(a, b)| (b.conj() * a).re).sum::<f64>()
        };
        let both = scattered.iter().map(along).sum::<f64>() * scale / degrees;
        let formula = scale * scale * squares(&self.receive) * squares(&self.surface);
        let distance = (own - 2.0 * both + formula).max(0.0).sqrt();
        let all = scale * trace(&self.receive) * trace(&self.surface);
        let norm = formula.sqrt();
        Misfit {
            what: "covariances' product",
            user: None,
            misfit: over(distance, norm),
            sampling: over(all, norm * degrees.sqrt()),
        }
    }

    fn angles(&self) -> Value {
        let [base, surface] = self.directions;
        json!({
            "base_station_azimuth": base.azimuth, "base_station_elevation": base.elevation,
            "irs_azimuth": surface.azimuth, "irs_elevation": surface.elevation,
        })
    }
}

/// The directions with the largest `|a_B^H Hb a_I|`, each end given the other in turn, and `a_B^H Hb a_I`.
fn nearest_plane_waves(
    mean: &Matrix,
    arrays: [PlanarArray; 2],
    convention: SteeringConvention,
) -> ([Direction; 2], Complex<f64>) {
    let adjoint = mean.adjoint().to_owned();
    let mut right: Vec<Complex<f64>> = match mean.thin_svd() {
        Ok(parts) => parts.V().col(0).iter().copied().collect(),
        Err(_) => vec![Complex::new(1.0, 0.0); mean.ncols()],
    };
    let mut best = ([Direction { azimuth: 0.0, elevation: 0.0 }; 2], Complex::default());
    for _ in 0..ROUNDS {
        let base = nearest_plane_wave(arrays[0], convention, times(mean, &right));
        let left = arrays[0].steering_vector(base, convention);
        let seen = times(&adjoint, &left);
        let surface = nearest_plane_wave(arrays[1], convention, seen.clone());
        right = arrays[1].steering_vector(surface, convention);
        let along: Complex<f64> = seen.iter().zip(&right).map(|(x, a)| x.conj() * a).sum();
        if along.norm() <= best.1.norm() * (1.0 + 1e-12) {
            break;
        }
        best = ([base, surface], along);
    }
    best
}

/// The direction whose steering vector has the largest inner product with a vector.
fn nearest_plane_wave(array: PlanarArray, convention: SteeringConvention, mut seen: Vec<Complex<f64>>) -> Direction {
    let norm = seen.iter().map(Complex::norm_sqr).sum::<f64>().sqrt();
    let half = std::f64::consts::FRAC_PI_2;
    // Some points a beam's width, whatever the array.
    let widths = array.rows.max(array.columns) as f64 * array.spacing_wavelengths.max(0.5);
    let points = (8.0 * widths).clamp(90.0, 1000.0) as usize + 1;
    let axis = grid(-half, half, points);
    let wave = PlaneWave { array, convention, truth: None };
    if norm > 0.0 {
        seen.iter_mut().for_each(|x| *x /= norm);
    }
    let spectrum = Spectrum::new(&wave, &seen, &axis, &axis);
    let Some(peak) = spectrum.peaks().into_iter().next() else { return Direction { azimuth: 0.0, elevation: 0.0 } };
    let [azimuth, elevation] = refine(&wave, &seen, peak, axis[1] - axis[0]).angles;
    // (x + pi, -y) is the same direction, and so is (x, pi - y).
    let turns = (azimuth / std::f64::consts::PI).round();
    let sign = if turns.rem_euclid(2.0) == 1.0 { -1.0 } else { 1.0 };
    Direction { azimuth: azimuth - turns * std::f64::consts::PI, elevation: sign * elevation.sin().asin() }
}
