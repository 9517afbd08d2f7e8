//! Which sweep points a page shows: all of them, or of a sweep of very many evenly spaced ones.

use super::study::Study;

/// More rows of results (sweep points times solvers) than this make a page slow.
const MOST_ROWS: usize = 2_000;

/// The sweep points of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The cells, in the order of the study.
    pub cells: Vec<usize>,
    /// On every axis: every so many-th point is shown.
    pub steps: Vec<usize>,
}

impl Shown {
    /// Chooses them: the axis with the most points is thinned until the rest is few enough.
    pub fn of(study: &Study) -> Self {
        let most = MOST_ROWS / study.solvers.len().max(1);
        let mut steps = vec![1; study.axes.len()];
        loop {
            let on = |place: &[usize]| place.iter().zip(&steps).all(|(point, step)| point % step == 0);
            let cells: Vec<usize> = (0..study.cells.len()).filter(|c| on(&study.cells[*c].place)).collect();
            let longest = (0..steps.len()).max_by_key(|a| study.axes[*a].len().div_ceil(steps[*a]));
            match longest {
                Some(axis) if cells.len() > most.max(1) && steps[axis] < study.axes[axis].len() => steps[axis] += 1,
                _ => return Self { cells, steps },
            }
        }
    }

    /// Whether points were left out.
    pub fn thinned(&self) -> bool {
        self.steps.iter().any(|step| *step > 1)
    }

    /// A point's number among the shown ones of its axis; none where it is left out.
    pub fn point(&self, axis: usize, point: usize) -> Option<usize> {
        point.is_multiple_of(self.steps[axis]).then(|| point / self.steps[axis])
    }

    /// A cell's number among the shown ones; none where it is left out.
    pub fn cell(&self, cell: usize) -> Option<usize> {
        self.cells.binary_search(&cell).ok()
    }

    /// The shown ones of a list over an axis.
    pub fn of_axis<'a, T>(&self, axis: usize, all: &'a [T]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        all.iter().step_by(self.steps[axis])
    }
}
