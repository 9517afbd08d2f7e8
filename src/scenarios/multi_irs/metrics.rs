//! The metrics of a multi-IRS system, in their order.
//!
//! ```text
//! SINR_lk  = |g^H w_lk|^2 / ( sum_others |g^H w|^2 + [type I] g^H R_0 g + sigma^2 ),     g = g_lk
//! CRB_l    = kappa_l / ( c_1 p + c_2 (q - |r|^2 / p) ),   p = v1^H R v1, q = v2^H R v2, r = v1^H R v2
//! CRB_l(E) = N_s sigma_s^2 / T  tr( (G_l R G_l^H)^-1 )
//! ```
//!
//! (paper 003, (2), (3), (19), (25), corrected by errata 1, 2 and 5; `R = R_0 + sum w w^H`).

use num_complex::Complex;

use super::system::{C, System, combine};
use crate::design::Design;
use crate::metric::{MetricInfo, MetricSet, MetricValues};

/// The names of the metrics, in the order in which the model holds them.
pub(super) const NAMES: [&str; 9] = [
    "sinr",
    "min_sinr",
    "min_sinr_ratio",
    "crlb_direction",
    "max_crlb_direction",
    "crlb_response",
    "max_crlb_response",
    "transmit_power",
    "illumination",
];

/// Indices into [`NAMES`].
pub(super) mod index {
    pub const SINR: usize = 0;
    pub const MIN_SINR: usize = 1;
    pub const MIN_SINR_RATIO: usize = 2;
    pub const CRLB_DIRECTION: usize = 3;
    pub const MAX_CRLB_DIRECTION: usize = 4;
    pub const CRLB_RESPONSE: usize = 5;
    pub const MAX_CRLB_RESPONSE: usize = 6;
    pub const TRANSMIT_POWER: usize = 7;
    pub const ILLUMINATION: usize = 8;
}

/// Power toward the target below this share of what the channel could bring counts as none.
const NULL: f64 = 1e-14;
/// What is left of the Fisher information after cancellation counts as rounding below this share.
const CANCELLED: f64 = 1e-13;
/// Larger bounds say nothing.
const LARGEST: f64 = 1e20;

/// What the metrics are.
pub(super) fn infos(surfaces: usize, users: usize) -> Vec<MetricInfo> {
    let metric = |i: usize, unit: &str, shape: &[usize], description: &str, source: &str| {
        MetricInfo::new(NAMES[i], unit, shape, description, &format!("003, {source}"))
    };
    let (each, own) = ([surfaces, users], [surfaces]);
    vec![
        metric(0, "1", &each, "SINR of user k at IRS l", "(2), (3), corrected").maximize(),
        metric(1, "1", &[], "smallest SINR", "(2), (3), corrected").maximize(),
        metric(2, "1", &[], "smallest SINR over its limit, infinite without limits", "(P6), corrected").maximize(),
        metric(3, "rad²", &own, "Cramer-Rao bound of the target's direction", "(19), corrected").minimize(),
        metric(4, "rad²", &[], "largest bound of a direction", "(P1)").minimize(),
        metric(5, "1", &own, "Cramer-Rao bound of the target's response matrix", "(25)").minimize(),
        metric(6, "1", &[], "largest bound of a response matrix", "(P4)").minimize(),
        metric(7, "W", &[], "tr R: all transmit power", "(26b)").minimize(),
        metric(8, "W", &own, "v1^H R v1: what IRS l sends toward its target", "p in (19)").maximize(),
    ]
}

/// Scratch for [`evaluate`].
pub(super) struct Scratch {
    phi: Vec<C>,
    one: Vec<C>,
    two: Vec<C>,
    covariance: Vec<C>,
    image: Vec<C>,
    gram: Vec<C>,
    inverse: Vec<C>,
}

impl Scratch {
    pub fn new(system: &System) -> Self {
        let [n, m] = [system.instance.elements, system.instance.antennas];
        let zeros = |count: usize| vec![C::default(); count];
        Self {
            phi: zeros(n),
            one: zeros(m),
            two: zeros(m),
            covariance: zeros(m * m),
            image: zeros(n * m),
            gram: zeros(n * n),
            inverse: zeros(n),
        }
    }
}

/// Unpacks a Hermitian block into a row-major matrix.
fn unpack(packed: &[f64], n: usize, out: &mut [C]) {
    let mut next = n;
    for i in 0..n {
        out[i * n + i] = Complex::new(packed[i], 0.0);
        for j in i + 1..n {
            let entry = Complex::new(packed[next], packed[next + 1]) * std::f64::consts::FRAC_1_SQRT_2;
            out[i * n + j] = entry;
            out[j * n + i] = entry.conj();
            next += 2;
        }
    }
}

/// `a w` for a row `a` and an interleaved beam.
fn hear(row: &[C], beam: &[f64]) -> C {
    row.iter().zip(beam.chunks_exact(2)).map(|(a, w)| a * Complex::new(w[0], w[1])).sum()
}

/// `a R b^H` for rows `a`, `b`.
fn form(a: &[C], matrix: &[C], b: &[C]) -> C {
    let each = matrix.chunks_exact(b.len()).zip(a);
    each.map(|(row, a)| a * row.iter().zip(b).map(|(r, b)| r * b.conj()).sum::<C>()).sum()
}

/// Writes the wanted metrics of a design.
pub(super) fn evaluate(
    system: &System,
    design: &Design,
    wanted: MetricSet,
    work: &mut Scratch,
    out: &mut MetricValues,
) {
    let m = system.instance.antennas;
    let (first_beam, first_covariance) = system.offsets();
    let (beams, packed) = (&design[first_beam..first_covariance], &design[first_covariance..]);
    unpack(packed, m, &mut work.covariance);
    let power = beams.iter().map(|x| x * x).sum::<f64>() + packed[..m].iter().sum::<f64>();
    out.set(index::TRANSMIT_POWER, power);
    if [index::SINR, index::MIN_SINR, index::MIN_SINR_RATIO].iter().any(|i| wanted.contains(*i)) {
        sinr(system, design, beams, work, out);
    }
    if [index::CRLB_DIRECTION, index::MAX_CRLB_DIRECTION, index::ILLUMINATION].iter().any(|i| wanted.contains(*i)) {
        let mut most = 0.0_f64;
        for surface in 0..system.instance.surfaces {
            let (bound, illumination) = direction_bound(system, design, beams, power, surface, work);
            out.slot(index::ILLUMINATION)[surface] = illumination;
            out.slot(index::CRLB_DIRECTION)[surface] = bound;
            most = most.max(bound);
        }
        out.set(index::MAX_CRLB_DIRECTION, most);
    }
    if wanted.contains(index::CRLB_RESPONSE) || wanted.contains(index::MAX_CRLB_RESPONSE) {
        for beam in beams.chunks_exact(2 * m) {
            for (i, a) in beam.chunks_exact(2).enumerate() {
                for (j, b) in beam.chunks_exact(2).enumerate() {
                    work.covariance[i * m + j] += Complex::new(a[0], a[1]) * Complex::new(b[0], -b[1]);
                }
            }
        }
        let mut most = 0.0_f64;
        for surface in 0..system.instance.surfaces {
            let bound = response_bound(system, surface, work);
            out.slot(index::CRLB_RESPONSE)[surface] = bound;
            most = most.max(bound);
        }
        out.set(index::MAX_CRLB_RESPONSE, most);
    }
}

fn load_phases(system: &System, design: &Design, surface: usize, phi: &mut [C]) {
    for (phi, phase) in phi.iter_mut().zip(&design[system.phases(surface)]) {
        *phi = Complex::cis(*phase);
    }
}

fn sinr(system: &System, design: &Design, beams: &[f64], work: &mut Scratch, out: &mut MetricValues) {
    let instance = &system.instance;
    let (mut least, mut least_ratio) = (f64::INFINITY, f64::INFINITY);
    for (user, rows) in system.user_rows.iter().enumerate() {
        if user % instance.users == 0 {
            load_phases(system, design, user / instance.users, &mut work.phi);
        }
        combine(&work.phi, rows, None, &mut work.one);
        let (mut own, mut others) = (0.0, instance.communication_noise_power);
        for (j, beam) in beams.chunks_exact(2 * instance.antennas).enumerate() {
            let heard = hear(&work.one, beam).norm_sqr();
            if j == user { own = heard } else { others += heard }
        }
        if instance.receiver == super::Receiver::TypeI {
            others += form(&work.one, &work.covariance, &work.one).re.max(0.0);
        }
        let value = own / others;
        out.slot(index::SINR)[user] = value;
        least = least.min(value);
        if let Some(limit) = instance.sinr_limit.as_ref().map(|l| l[user]).filter(|l| *l > 0.0) {
            least_ratio = least_ratio.min(value / limit);
        }
    }
    out.set(index::MIN_SINR, least);
    out.set(index::MIN_SINR_RATIO, least_ratio);
}

/// `(p, q, r)` of an IRS for `R = R_0 + sum w w^H`, and `|v1|^2`.
fn toward_target(
    system: &System,
    design: &Design,
    beams: &[f64],
    surface: usize,
    work: &mut Scratch,
) -> (f64, f64, C, f64) {
    load_phases(system, design, surface, &mut work.phi);
    let rows = &system.target_rows[surface];
    combine(&work.phi, rows, None, &mut work.one);
    combine(&work.phi, rows, Some(&system.position), &mut work.two);
    let mut p = form(&work.one, &work.covariance, &work.one).re.max(0.0);
    let mut q = form(&work.two, &work.covariance, &work.two).re.max(0.0);
    let mut r = form(&work.one, &work.covariance, &work.two);
    for beam in beams.chunks_exact(2 * system.instance.antennas) {
        let (one, two) = (hear(&work.one, beam), hear(&work.two, beam));
        p += one.norm_sqr();
        q += two.norm_sqr();
        r += one * two.conj();
    }
    (p, q, r, work.one.iter().map(|x| x.norm_sqr()).sum())
}

/// The bound of a target's direction, and the power `p` toward it.
fn direction_bound(
    system: &System,
    design: &Design,
    beams: &[f64],
    power: f64,
    surface: usize,
    work: &mut Scratch,
) -> (f64, f64) {
    let (p, q, r, gain) = toward_target(system, design, beams, surface, work);
    if p.is_nan() || p <= NULL * gain * power {
        return (f64::INFINITY, p);
    }
    let whole = system.sensor_weight * p + system.element_weight * q;
    let information = system.sensor_weight * p + system.element_weight * (q - r.norm_sqr() / p).max(0.0);
    let bound = system.kappa[surface] / information;
    (if information > CANCELLED * whole && bound <= LARGEST { bound } else { f64::INFINITY }, p)
}

/// The bound of an extended target's response for the full covariance in the scratch.
fn response_bound(system: &System, surface: usize, work: &mut Scratch) -> f64 {
    let [n, m] = [system.instance.elements, system.instance.antennas];
    let channel = &system.instance.base_station_irs_channel[surface * n * m..(surface + 1) * n * m];
    for (row, image) in channel.chunks_exact(m).zip(work.image.chunks_exact_mut(m)) {
        image.fill(C::default());
        for (g, covariance) in row.iter().zip(work.covariance.chunks_exact(m)) {
            image.iter_mut().zip(covariance).for_each(|(o, r)| *o += g * r);
        }
    }
    for i in 0..n {
        for j in 0..=i {
            let (image, row) = (&work.image[i * m..(i + 1) * m], &channel[j * m..(j + 1) * m]);
            work.gram[i * n + j] = image.iter().zip(row).map(|(a, g)| a * g.conj()).sum();
        }
    }
    match inverse_trace(&mut work.gram, &mut work.inverse, n) {
        Some(trace) if system.response_scale * trace <= LARGEST => system.response_scale * trace,
        _ => f64::INFINITY,
    }
}

/// The trace of the inverse of a Hermitian matrix (lower triangle, row-major; destroyed); none where it is singular to
/// working precision. The diagonal is scaled to 1 first.
fn inverse_trace(a: &mut [C], column: &mut [C], n: usize) -> Option<f64> {
    // The column holds the scales first.
    for i in 0..n {
        let diagonal = a[i * n + i].re;
        if !(diagonal > 0.0 && diagonal.is_finite()) {
            return None;
        }
        column[i] = Complex::new(1.0 / diagonal.sqrt(), 0.0);
    }
    for i in 0..n {
        for j in 0..=i {
            a[i * n + j] *= column[i].re * column[j].re;
        }
    }
    for j in 0..n {
        for i in j..n {
            let sum: C = (0..j).map(|k| a[i * n + k] * a[j * n + k].conj()).sum();
            let value = a[i * n + j] - sum;
            if i == j {
                if value.re.is_nan() || value.re <= CANCELLED {
                    return None;
                }
                a[j * n + j] = Complex::new(value.re.sqrt(), 0.0);
            } else {
                a[i * n + j] = value / a[j * n + j].re;
            }
        }
    }
    // The inverse factor overwrites the factor: columns from the last, rows from the last, so that what a row still
    // needs of its column is there.
    let mut trace = 0.0;
    for j in (0..n).rev() {
        let pivot = 1.0 / a[j * n + j].re;
        for i in (j + 1..n).rev() {
            let sum: C = (j + 1..=i).map(|k| a[i * n + k] * a[k * n + j]).sum();
            a[i * n + j] = -sum * pivot;
        }
        a[j * n + j] = Complex::new(pivot, 0.0);
        trace += column[j].re.powi(2) * (j..n).map(|i| a[i * n + j].norm_sqr()).sum::<f64>();
    }
    Some(trace)
}
