//! All phases in rows: the first elements choose the row, the last ones are a table of all their inner products. A
//! design of a row costs three complex sums; most are passed over because their gain alone rules them out (`bound.rs`).

use std::sync::{Arc, OnceLock};

use num_complex::Complex;

use super::information::Inner;
use super::tree::Bounded;
use crate::design::Design;
use crate::error::Result;
use crate::structure::Enumeration;

/// The longest row.
const ROW: usize = 1 << 16;

/// The inner products of all phases of the last elements.
pub(super) struct Table {
    gain_re: Vec<f64>,
    gain_im: Vec<f64>,
    moments: Vec<[Complex<f64>; 2]>,
}

/// What the workspaces of a problem share.
pub(super) struct Rows {
    problem: Arc<Bounded>,
    /// The number of elements that choose the row, the first one excepted: it stays at level 0.
    leading: usize,
    table: OnceLock<Table>,
}

impl Rows {
    /// Nothing is computed yet.
    pub fn new(problem: &Arc<Bounded>) -> Self {
        let system = &problem.trade.system;
        let (elements, levels) = (system.coefficients.len(), system.phasors.len());
        let (mut trailing, mut length) = (0, 1);
        while trailing + 1 < elements && length * levels <= ROW {
            trailing += 1;
            length *= levels;
        }
        Self { problem: Arc::clone(problem), leading: elements - 1 - trailing, table: OnceLock::new() }
    }

    fn elements(&self) -> usize {
        self.problem.trade.system.coefficients.len()
    }

    fn trailing(&self) -> usize {
        self.elements() - 1 - self.leading
    }

    /// Adds an element at a level.
    fn add(&self, inner: &mut Inner, element: usize, level: usize) {
        let system = &self.problem.trade.system;
        let columns = system.instance.irs.vertical;
        let factor = system.coefficients[element] * system.phasors[level];
        inner.add(factor, (element / columns) as f64, (element % columns) as f64);
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let levels = self.problem.trade.system.phasors.len();
            let length = levels.pow(self.trailing() as u32);
            let mut table = Table {
                gain_re: Vec::with_capacity(length),
                gain_im: Vec::with_capacity(length),
                moments: Vec::with_capacity(length),
            };
            for column in 0..length {
                let (mut inner, mut rest) = (Inner::default(), column);
                for place in 0..self.trailing() {
                    self.add(&mut inner, 1 + self.leading + place, rest % levels);
                    rest /= levels;
                }
                table.gain_re.push(inner.gain.re);
                table.gain_im.push(inner.gain.im);
                table.moments.push([inner.y, inner.z]);
            }
            table
        })
    }
}

/// A workspace.
pub(super) struct Scan(pub Arc<Rows>);

impl Enumeration for Scan {
    fn rows(&self) -> u64 {
        let levels = self.0.problem.trade.system.phasors.len() as u64;
        u32::try_from(self.0.leading).ok().and_then(|leading| levels.checked_pow(leading)).unwrap_or(u64::MAX)
    }

    fn row_length(&self) -> u64 {
        let levels = self.0.problem.trade.system.phasors.len() as u64;
        levels.pow(self.0.trailing() as u32)
    }

    fn scan(&mut self, row: u64, threshold: f64, out: &mut Design) -> Result<Option<f64>> {
        let rows = &self.0;
        let (trade, bound, table) = (&rows.problem.trade, rows.problem.bound(), rows.table());
        let levels = trade.system.phasors.len();
        let mut leading = Inner::default();
        rows.add(&mut leading, 0, 0);
        let mut rest = row;
        for place in 0..rows.leading {
            rows.add(&mut leading, 1 + place, (rest % levels as u64) as usize);
            rest /= levels as u64;
        }
        let mut best = trade.value(threshold);
        let squared = |value: f64| bound.needed(value).powi(2) * (1.0 - 1e-12);
        let mut needed = squared(best);
        let mut found = None;
        for (column, (re, im)) in table.gain_re.iter().zip(&table.gain_im).enumerate() {
            let (re, im) = (leading.gain.re + re, leading.gain.im + im);
            if re * re + im * im < needed {
                continue;
            }
            let [y, z] = table.moments[column];
            let inner = Inner { gain: Complex::new(re, im), y: leading.y + y, z: leading.z + z };
            if let Some(value) = trade.better(&inner, best) {
                best = value;
                needed = squared(best);
                found = Some(column);
            }
        }
        let Some(column) = found else { return Ok(None) };
        let mut write = |element: usize, level: u64| out[element] = level as f64;
        write(0, 0);
        let (mut row, mut column) = (row, column as u64);
        for element in 1..rows.elements() {
            let number = if element <= rows.leading { &mut row } else { &mut column };
            write(element, *number % levels as u64);
            *number /= levels as u64;
        }
        Ok(Some(trade.objective(best)))
    }
}
