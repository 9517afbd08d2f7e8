//! The metrics of an IRS-aided non-orthogonal ISAC system, in their order.

use std::f64::consts::LN_2;

use super::System;
use super::information::{Inner, Unknowns};
use super::instance::Symbols;
use crate::metric::{MetricInfo, MetricSet, MetricValues};

/// Indices of the metrics.
pub(super) mod index {
    pub const CRLB_SYMBOL: usize = 0;
    pub const CRLB_ELEVATION: usize = 1;
    pub const CRLB_AZIMUTH: usize = 2;
    pub const CRLB_ANGLE: usize = 3;
    pub const MODIFIED: usize = 4;
    pub const MODIFIED_ISAC: usize = 5;
    pub const CRLB_SYMBOL_COMPLEX: usize = 6;
    pub const CRLB_ANGLE_COMPLEX: usize = 7;
    pub const CRLB_ANGLE_KNOWN: usize = 8;
    pub const INFORMATION: usize = 9;
    pub const INFORMATION_EXACT: usize = 10;
    pub const LOCALIZATION_ONLY: usize = 11;
    pub const TD_CRLB_ANGLE: usize = 12;
    pub const TD_INFORMATION: usize = 13;
    pub const POSITION: usize = 14;
    /// The first ones are functions of the first block's inner products.
    pub const OF_ONE_BLOCK: usize = 14;
}

/// What the metrics are; the last one where both time blocks and all positions are known.
pub(super) fn infos(positioned: bool) -> Vec<MetricInfo> {
    let metric = |id: &str, unit: &str, description: &str, source: &str| {
        MetricInfo::new(id, unit, &[], description, &format!("002, {source}"))
    };
    let mut infos = vec![
        metric("crlb_symbol", "1", "CRLB of a symbol's real part, mean over t", "(13), (28)").minimize(),
        metric("crlb_user_elevation", "rad²", "CRLB of the elevation of arrival gamma", "(29)").minimize(),
        metric("crlb_user_azimuth", "rad²", "CRLB of the azimuth of arrival phi", "(30)").minimize(),
        metric("crlb_angle", "rad²", "mean CRLB of elevation and azimuth", "(14)").minimize(),
        metric(
            "modified_crlb",
            "lg",
            "V = zeta lg CRLB_x + (1 - zeta) lg CRLB_angle for a beam with |a_B^H w| = 1",
            "(38), corrected",
        )
        .minimize()
        .logarithm(),
        metric("modified_crlb_isac", "lg", "the same for the design's beam", "(12), (31)").minimize().logarithm(),
        metric(
            "crlb_symbol_complex",
            "1",
            "CRLB of a symbol, both parts unknown: their sum, mean over t",
            "(16), all parameters",
        )
        .minimize(),
        metric(
            "crlb_angle_complex",
            "rad²",
            "mean CRLB of the angles, both parts of the symbols unknown",
            "(16), all parameters",
        )
        .minimize(),
        metric(
            "crlb_angle_known",
            "rad²",
            "mean CRLB of the angles with the instance's symbols known",
            "(22), angles only",
        )
        .minimize(),
        metric("mutual_information", "bit", "mean of log2(sigma_x^2 / CRLB(x(t))) / 2", "(32), (47)")
            .maximize()
            .logarithm(),
        metric(
            "mutual_information_exact",
            "bit",
            "log2(1 + sigma_x^2 ||beta_x||^2 / sigma_z^2): a complex symbol, known channel",
            "(32), corrected",
        )
        .maximize()
        .logarithm(),
        metric(
            "localization_only_crlb_angle",
            "rad²",
            "mean CRLB of the angles with known pilots of modulus 1 in all slots",
            "section V-A",
        )
        .minimize(),
        metric("td_isac_crlb_angle", "rad²", "the same with pilots in T/5 slots", "section V-B").minimize(),
        metric(
            "td_isac_mutual_information",
            "bit",
            "information of symbols in the other 4T/5 slots, mean over T",
            "(48), corrected",
        )
        .maximize()
        .logarithm(),
    ];
    if positioned {
        let description = "root of the trace of the position's CRLB, from the angles of both time blocks";
        infos.push(metric("position_error_bound", "m", description, "section II-A").minimize());
    }
    infos
}

/// One of the metrics of a single block, for a beam of gain `beam`.
pub(super) fn of_one_block(system: &System, inner: &Inner, beam: f64, metric: usize) -> f64 {
    use index::*;
    let (observation, instance) = (&system.observation, &system.instance);
    let weight = instance.communication_weight;
    let bounds = |unknowns| observation.bounds(inner, beam, unknowns);
    match metric {
        CRLB_SYMBOL => bounds(Unknowns::RealPart).symbol,
        CRLB_ELEVATION => bounds(Unknowns::RealPart).elevation,
        CRLB_AZIMUTH => bounds(Unknowns::RealPart).azimuth,
        CRLB_ANGLE => bounds(Unknowns::RealPart).angle(),
        MODIFIED => observation.modified(inner, 1.0, weight),
        MODIFIED_ISAC => observation.modified(inner, beam, weight),
        CRLB_SYMBOL_COMPLEX => bounds(Unknowns::Complex).symbol,
        CRLB_ANGLE_COMPLEX => bounds(Unknowns::Complex).angle(),
        CRLB_ANGLE_KNOWN => bounds(Unknowns::Nothing).angle(),
        INFORMATION => mutual_information(system, inner, beam),
        INFORMATION_EXACT => (instance.symbol_variance * observation.received(inner, beam) / 2.0).ln_1p() / LN_2,
        LOCALIZATION_ONLY => pilots(system, inner, beam, observation.slots),
        TD_CRLB_ANGLE | TD_INFORMATION if observation.slots % 5.0 != 0.0 => f64::NAN,
        TD_CRLB_ANGLE => pilots(system, inner, beam, observation.slots / 5.0),
        TD_INFORMATION => 0.4 * (instance.symbol_variance * observation.received(inner, beam)).log2(),
        _ => f64::NAN,
    }
}

/// The angles' bound with known pilots of modulus 1 in so many slots.
fn pilots(system: &System, inner: &Inner, beam: f64, slots: f64) -> f64 {
    system.observation.known(inner, system.observation.strength * beam, slots).angle()
}

/// (47): with drawn symbols the mean over t; where their moments stand for them, that of the mean bound.
fn mutual_information(system: &System, inner: &Inner, beam: f64) -> f64 {
    let variance = system.instance.symbol_variance;
    let information = |crlb: f64| 0.5 * (variance / crlb).log2();
    match &system.instance.symbols {
        Symbols::Moments(_) => information(system.observation.bounds(inner, beam, Unknowns::RealPart).symbol),
        Symbols::Drawn(symbols) => {
            let mut sum = 0.0;
            system.observation.each_symbol(inner, beam, symbols, |crlb| sum += information(crlb));
            sum / symbols.len() as f64
        }
    }
}

/// Writes the wanted metrics of a design's phase levels and beam.
pub(super) fn evaluate(system: &System, levels: &[f64], beam: f64, wanted: MetricSet, out: &mut MetricValues) {
    let inner = system.inner(levels);
    let observation = &system.observation;
    let paper = MetricSet::first(index::CRLB_ANGLE + 1);
    if wanted.intersects(paper) {
        let bounds = observation.bounds(&inner, beam, Unknowns::RealPart);
        out.set(index::CRLB_SYMBOL, bounds.symbol);
        out.set(index::CRLB_ELEVATION, bounds.elevation);
        out.set(index::CRLB_AZIMUTH, bounds.azimuth);
        out.set(index::CRLB_ANGLE, bounds.angle());
    }
    for metric in index::CRLB_ANGLE + 1..index::OF_ONE_BLOCK {
        if wanted.contains(metric) {
            out.set(metric, of_one_block(system, &inner, beam, metric));
        }
    }
    if let Some(position) = system.position.as_ref().filter(|_| wanted.contains(index::POSITION)) {
        out.set(index::POSITION, position.error_bound(system, &inner, levels, beam));
    }
}
