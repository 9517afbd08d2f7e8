//! The Fisher information of one time block in closed form, from three inner products of the phases.
//!
//! With `c_l = conj(b_I(A))_l b_I(B2I)_l` and the phases `xi_l`, everything that the received signal
//! `y_m = kappa (b_U)_m G0 x(t) + z` depends on is
//!
//! ```text
//! G0 = sum xi_l c_l,   G_y = sum l_y xi_l c_l,   G_z = sum l_z xi_l c_l
//! ```
//!
//! (paper 002, (22)-(27), (58)-(72), under the physical sign (58)). In the spatial frequencies u, v of (59), (60) the
//! derivative of an antenna's signal is `j (m G0 - G)`, so that with `d = mean(m) G0 - G`, `V = (M^2 - 1)/12`,
//! `A = 2 M |kappa|^2 / sigma_z^2`, `e = d conj(G0)`, `p_t = Re(x_t e)`, `q_t = Im(x_t e)`, `X2 = sum |x_t|^2`
//! (vectors over (y, z)) the information on (u, v), symbols eliminated, is
//!
//! | what is unknown beside the angles | `S |G0|^2 / A` |
//! |---|---|
//! | the real part of each symbol (the paper's (22)) | `X2 abs(G0)^4 V + sum p_t p_t^T` |
//! | both parts of each symbol | `X2 abs(G0)^4 V` |
//! | nothing | `X2 abs(G0)^4 V + sum p_t p_t^T + sum q_t q_t^T` |
//!
//! The symbols enter through their second moments `W = sum [Re; Im] [Re; Im]^T` only. Cost: `O(1)`, whatever M and T.

// The hot path of every search is inlined by force: calls that hand structures over in memory cost as much as the work.

use std::f64::consts::PI;

use num_complex::Complex;

use super::instance::{Angles, Array, Instance, Path, Symbols};

/// A beam with `|G0|^2` below this counts as none.
const NO_BEAM: f64 = 1e-16;
/// A 2 x 2 matrix is singular where its determinant is below this times the product of its diagonal.
const SINGULAR: f64 = 1e-12;
/// A Cramér-Rao bound above this is infinite.
const INFINITE: f64 = 1e20;

/// The three inner products.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inner {
    /// `G0`.
    pub gain: Complex<f64>,
    /// `G_y`.
    pub y: Complex<f64>,
    /// `G_z`.
    pub z: Complex<f64>,
}

impl Inner {
    /// The sum of two.
    #[inline(always)]
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self { gain: self.gain + other.gain, y: self.y + other.y, z: self.z + other.z }
    }

    /// Adds `factor` (a phasor times `c_l`) at the element (y, z).
    #[inline]
    pub fn add(&mut self, factor: Complex<f64>, y: f64, z: f64) {
        self.gain += factor;
        self.y += factor * y;
        self.z += factor * z;
    }
}

/// `(u, v)` over pi of an arrival (59), (60).
fn slopes(elevation: f64, azimuth: f64) -> (f64, f64) {
    (elevation.cos() * azimuth.sin(), elevation.sin())
}

/// The coefficients `c_l` of a path, element y L_z + z.
pub fn coefficients(irs: Array, angles: &Angles) -> Vec<Complex<f64>> {
    let (u, v) = slopes(angles.user_elevation, angles.user_azimuth);
    let (bu, bv) = slopes(angles.irs_elevation, angles.irs_azimuth);
    let element =
        |l: usize| Complex::cis(PI * ((l / irs.vertical) as f64 * (bu - u) + (l % irs.vertical) as f64 * (bv - v)));
    (0..irs.len()).map(element).collect()
}

/// A symmetric 2 x 2 matrix over (y, z), or (u, v).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Symmetric {
    /// (y, y).
    pub yy: f64,
    /// (y, z).
    pub yz: f64,
    /// (z, z).
    pub zz: f64,
}

impl Symmetric {
    /// `a + scale b`.
    #[inline(always)]
    pub fn plus(self, scale: f64, b: Self) -> Self {
        Self { yy: self.yy + scale * b.yy, yz: self.yz + scale * b.yz, zz: self.zz + scale * b.zz }
    }

    /// The determinant; none where the matrix is singular to working precision or not finite.
    #[inline(always)]
    pub fn determinant(self) -> Option<f64> {
        let product = self.yy * self.zz;
        let determinant = product - self.yz * self.yz;
        // False for NaN, too.
        (determinant > SINGULAR * product && determinant.is_finite()).then_some(determinant)
    }

    /// `tr(adj(self) b)`: the trace of `self^-1 b` times the determinant.
    #[inline(always)]
    pub fn adjugate_trace(self, b: Self) -> f64 {
        self.zz * b.yy - 2.0 * self.yz * b.yz + self.yy * b.zz
    }
}

/// A bound, infinite where it is undefined or beyond all use.
pub(super) fn bound(value: f64) -> f64 {
    if value <= INFINITE { value } else { f64::INFINITY }
}

/// All of one time block that its Cramér-Rao bounds depend on beside the phases and the beam.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// `2 M |alpha_I2U alpha_B2I|^2 / sigma_z^2`: `A` for a beam with `|a_B^H w| = 1`.
    pub strength: f64,
    /// `V`, diagonal.
    pub spread: Symmetric,
    /// Mean antenna numbers.
    mean: [f64; 2],
    /// T.
    pub slots: f64,
    /// 1/T.
    slot: f64,
    /// `X2`.
    pub energy: f64,
    /// `W`: (Re, Re), (Re, Im), (Im, Im).
    moments: Symmetric,
    /// Rows of the derivative of (elevation, azimuth) by (u, v): `d gamma = elevation dv`, `d phi = azimuth (du, dv)`.
    elevation: f64,
    azimuth: [f64; 2],
    /// `N = K^-T K^-1`: the sum of both angles' variances is `tr(N S^-1)`.
    pub metric: Symmetric,
}

/// What is unknown beside the two angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknowns {
    /// The real part of each symbol: the paper's (22).
    RealPart,
    /// Both parts of each symbol.
    Complex,
    /// Nothing: the symbols are known.
    Nothing,
}

/// The bounds of one time block, infinite where the information is singular.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Mean over t of the bound on a symbol.
    pub symbol: f64,
    /// Bound on the elevation in rad².
    pub elevation: f64,
    /// Bound on the azimuth in rad².
    pub azimuth: f64,
}

impl Bounds {
    const NONE: Self = Self { symbol: f64::INFINITY, elevation: f64::INFINITY, azimuth: f64::INFINITY };

    /// (14): the mean of both angles' bounds.
    pub fn angle(&self) -> f64 {
        bound((self.elevation + self.azimuth) / 2.0)
    }
}

/// What the phases make of an observation.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// `|G0|^2`.
    gain: f64,
    /// `e`.
    offset: [Complex<f64>; 2],
    /// `X2 |G0|^4 V`.
    aperture: Symmetric,
    /// `sum p_t p_t^T`.
    seen: Symmetric,
    /// `sum q_t q_t^T`.
    hidden: Symmetric,
}

impl Observation {
    /// The observation of a path.
    pub fn new(instance: &Instance, path: &Path) -> Self {
        let array = instance.user_array;
        let gain = (path.gain_base_station_irs * path.gain_irs_user).norm_sqr();
        let variance = |n: usize| ((n * n) as f64 - 1.0) / 12.0;
        let mean = |n: usize| (n as f64 - 1.0) / 2.0;
        let (sg, cg) = path.angles.user_elevation.sin_cos();
        let (sp, cp) = path.angles.user_azimuth.sin_cos();
        let elevation = 1.0 / (PI * cg);
        let azimuth = [1.0 / (PI * cg * cp), sg * sp / (PI * cg * cg * cp)];
        let moments = second_moments(instance);
        Self {
            strength: 2.0 * array.len() as f64 * gain / instance.noise_power,
            spread: Symmetric { yy: variance(array.horizontal), yz: 0.0, zz: variance(array.vertical) },
            mean: [mean(array.horizontal), mean(array.vertical)],
            slots: instance.symbols.slots() as f64,
            slot: 1.0 / instance.symbols.slots() as f64,
            energy: moments.yy + moments.zz,
            moments,
            elevation,
            azimuth,
            metric: Symmetric {
                yy: azimuth[0] * azimuth[0],
                yz: azimuth[0] * azimuth[1],
                zz: elevation * elevation + azimuth[1] * azimuth[1],
            },
        }
    }

    /// The largest eigenvalue of `W`: no more of `X2` than this is ever seen in one direction of the plane.
    pub fn largest_moment(&self) -> f64 {
        let Symmetric { yy, yz, zz } = self.moments;
        (yy + zz) / 2.0 + ((yy - zz) / 2.0).hypot(yz)
    }

    /// `mean(m) G0 - G`.
    #[inline(always)]
    fn difference(&self, inner: &Inner) -> [Complex<f64>; 2] {
        [inner.gain * self.mean[0] - inner.y, inner.gain * self.mean[1] - inner.z]
    }

    #[inline(always)]
    fn terms(&self, inner: &Inner) -> Terms {
        let gain = inner.gain.norm_sqr();
        let offset = self.difference(inner).map(|d| d * inner.gain.conj());
        let Symmetric { yy: rr, yz: ri, zz: ii } = self.moments;
        let [y, z] = offset;
        let seen = Symmetric {
            yy: rr * y.re * y.re - 2.0 * ri * y.re * y.im + ii * y.im * y.im,
            yz: rr * y.re * z.re - ri * (y.re * z.im + y.im * z.re) + ii * y.im * z.im,
            zz: rr * z.re * z.re - 2.0 * ri * z.re * z.im + ii * z.im * z.im,
        };
        // Both kinds together see all: sum |x_t|^2 Re(e^* e^T).
        let all = Symmetric {
            yy: self.energy * y.norm_sqr(),
            yz: self.energy * (y.re * z.re + y.im * z.im),
            zz: self.energy * z.norm_sqr(),
        };
        let aperture = self.energy * gain * gain;
        Terms {
            gain,
            offset,
            aperture: Symmetric { yy: aperture * self.spread.yy, yz: 0.0, zz: aperture * self.spread.zz },
            seen,
            hidden: all.plus(-1.0, seen),
        }
    }

    /// The bounds for a beam of gain `beam = |a_B^H w|^2`.
    pub fn bounds(&self, inner: &Inner, beam: f64, unknowns: Unknowns) -> Bounds {
        let strength = self.strength * beam;
        if unknowns == Unknowns::Nothing {
            return self.known(inner, strength, self.energy);
        }
        let terms = self.terms(inner);
        let (information, uncertain, parts) = match unknowns {
            Unknowns::RealPart => (terms.aperture.plus(1.0, terms.seen), terms.hidden, 1.0),
            _ => (terms.aperture, terms.seen.plus(1.0, terms.hidden), 2.0),
        };
        let determinant = match information.determinant() {
            Some(determinant) if terms.gain >= NO_BEAM && strength > 0.0 => determinant,
            _ => return Bounds::NONE,
        };
        let excess = information.adjugate_trace(uncertain) / (determinant * self.slots);
        let symbol = bound((parts + excess) / (strength * terms.gain));
        let scale = terms.gain / (strength * determinant);
        let [elevation, azimuth] = self.angles(information, scale);
        Bounds { symbol, elevation, azimuth }
    }

    /// The bounds on the angles with known symbols of total energy `energy`. They need no beam: what the phases tell
    /// about the angles may be enough.
    pub fn known(&self, inner: &Inner, strength: f64, energy: f64) -> Bounds {
        let gain = inner.gain.norm_sqr();
        let [y, z] = self.difference(inner);
        let information = Symmetric {
            yy: gain * self.spread.yy + y.norm_sqr(),
            yz: (y.conj() * z).re,
            zz: gain * self.spread.zz + z.norm_sqr(),
        };
        match information.determinant() {
            Some(determinant) if strength * energy > 0.0 && determinant > NO_BEAM * NO_BEAM => {
                let [elevation, azimuth] = self.angles(information, 1.0 / (strength * energy * determinant));
                Bounds { symbol: f64::INFINITY, elevation, azimuth }
            }
            _ => Bounds::NONE,
        }
    }

    /// Variances of (elevation, azimuth) where that of (u, v) is `scale adj(information)`.
    fn angles(&self, information: Symmetric, scale: f64) -> [f64; 2] {
        let [u, v] = self.azimuth;
        let azimuth = u * u * information.zz - 2.0 * u * v * information.yz + v * v * information.yy;
        [bound(scale * self.elevation * self.elevation * information.yy), bound(scale * azimuth)]
    }

    /// `(CRLB_x, CRLB_angle)` of (13), (14) for `|a_B^H w|^2 = beam`, not cut at what counts as infinite; none where the
    /// information is singular.
    #[inline(always)]
    pub(super) fn pair(&self, inner: &Inner, beam: f64) -> Option<(f64, f64)> {
        let terms = self.terms(inner);
        let information = terms.aperture.plus(1.0, terms.seen);
        let strength = self.strength * beam;
        let determinant = information.determinant().filter(|_| terms.gain >= NO_BEAM && strength > 0.0)?;
        // One division for both.
        let inverse = 1.0 / (determinant * (strength * terms.gain));
        let symbol = (determinant + information.adjugate_trace(terms.hidden) * self.slot) * inverse;
        let angle = information.adjugate_trace(self.metric) * (terms.gain * terms.gain * 0.5) * inverse;
        Some((symbol, angle))
    }

    /// `V_xi` of (38), corrected: `zeta lg CRLB_x + (1 - zeta) lg CRLB_angle` for `|a_B^H w|^2 = beam`.
    #[inline(always)]
    pub fn modified(&self, inner: &Inner, beam: f64, weight: f64) -> f64 {
        match self.pair(inner, beam) {
            Some((symbol, angle)) => combine(symbol, angle, weight),
            None => f64::INFINITY,
        }
    }

    /// Each symbol's bound, for drawn symbols; `out` gets `CRLB(x(t))` (28).
    pub fn each_symbol(&self, inner: &Inner, beam: f64, symbols: &[Complex<f64>], mut out: impl FnMut(f64)) {
        let terms = self.terms(inner);
        let information = terms.aperture.plus(1.0, terms.seen);
        let strength = self.strength * beam;
        let usable = terms.gain >= NO_BEAM && strength > 0.0;
        let determinant = information.determinant().filter(|_| usable);
        for symbol in symbols {
            out(match determinant {
                None => f64::INFINITY,
                Some(determinant) => {
                    let [y, z] = terms.offset.map(|e| (symbol * e).im);
                    let own = Symmetric { yy: y * y, yz: y * z, zz: z * z };
                    let excess = information.adjugate_trace(own) / determinant;
                    bound((1.0 + excess) / (strength * terms.gain))
                }
            });
        }
    }

    /// `A |G0|^2`: twice the symbol's signal-to-noise ratio after matched reception, for `E|x|^2 = 1`.
    pub fn received(&self, inner: &Inner, beam: f64) -> f64 {
        let gain = inner.gain.norm_sqr();
        if gain >= NO_BEAM { self.strength * beam * gain } else { 0.0 }
    }

    /// The equivalent information on (elevation, azimuth), `K^T S K` with the paper's unknowns; zero without a beam.
    pub fn angle_information(&self, inner: &Inner, beam: f64) -> Symmetric {
        let terms = self.terms(inner);
        if terms.gain < NO_BEAM {
            return Symmetric::default();
        }
        let scale = self.strength * beam / terms.gain;
        let s = Symmetric::default().plus(scale, terms.aperture.plus(1.0, terms.seen));
        // K = pi [[-sin g sin p, cos g cos p], [cos g, 0]] from the rows of its inverse.
        let cosine = 1.0 / self.elevation;
        let (uy, vy) = (1.0 / self.azimuth[0], cosine);
        let ux = -self.azimuth[1] / self.azimuth[0] * cosine;
        Symmetric {
            yy: ux * ux * s.yy + 2.0 * ux * vy * s.yz + vy * vy * s.zz,
            yz: uy * (ux * s.yy + vy * s.yz),
            zz: uy * uy * s.yy,
        }
    }
}

/// `zeta lg symbol + (1 - zeta) lg angle`; a term of weight 0 counts 0 even where its bound is infinite, unless the
/// information is singular altogether (an infinite `symbol`).
#[inline(always)]
pub(super) fn combine(symbol: f64, angle: f64, weight: f64) -> f64 {
    // Written so that NaN is infinite, too.
    if !(symbol <= INFINITE && (angle <= INFINITE || weight >= 1.0)) {
        return f64::INFINITY;
    }
    let lg = |x: f64| x.ln() * std::f64::consts::LOG10_E;
    if weight >= 1.0 {
        lg(symbol)
    } else if weight <= 0.0 {
        lg(angle)
    } else if weight == 0.5 && symbol * angle >= f64::MIN_POSITIVE {
        // The paper's default, in one logarithm: neither factor is beyond 1e20.
        0.5 * lg(symbol * angle)
    } else {
        weight * lg(symbol) + (1.0 - weight) * lg(angle)
    }
}

/// `W`, summed over the drawn symbols, or `T (sigma_x^2 / 2 I + mu mu^T)`.
fn second_moments(instance: &Instance) -> Symmetric {
    match &instance.symbols {
        Symbols::Drawn(symbols) => symbols.iter().fold(Symmetric::default(), |sum, x| Symmetric {
            yy: sum.yy + x.re * x.re,
            yz: sum.yz + x.re * x.im,
            zz: sum.zz + x.im * x.im,
        }),
        Symbols::Moments(slots) => {
            let (t, mean) = (*slots as f64, instance.symbol_mean);
            Symmetric {
                yy: t * (instance.symbol_variance / 2.0 + mean.re * mean.re),
                yz: t * mean.re * mean.im,
                zz: t * (instance.symbol_variance / 2.0 + mean.im * mean.im),
            }
        }
    }
}
