//! Runs on many processes. The unit is one idempotent command: `isacopt run CONFIG --out DIR --range A..B` does what is
//! missing among the runs A to B of the plan, beside any number of others at work in the same folder. What is missing is
//! read from the folder, never from what a launcher remembers; so every launcher can be stopped, and started again.

mod processes;
mod slurm;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use processes::{Processes, run_in_processes};
pub use slurm::{Slurm, Submitted, run_on_slurm};

use super::execute::Part;
use super::plan::Plan;
use super::store::Store;
use crate::config::Asked;
use crate::error::Result;
use crate::results::{Index, RunFolder};
use crate::shell::quoted;

/// How a worker is called.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The program.
    pub program: PathBuf,
    /// The config.
    pub config: PathBuf,
    /// `--set` values.
    pub settings: Vec<String>,
    /// The run folder.
    pub folder: PathBuf,
}

impl Worker {
    /// The arguments of the command that does a part.
    pub fn arguments(&self, part: &Part, threads: u64) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let mut arguments = vec!["run".to_string(), text(&self.config), "--out".into(), text(&self.folder)];
        if let Some(Range { start, end }) = &part.range {
            arguments.extend(["--range".to_string(), format!("{start}..{end}")]);
        }
        arguments.extend(["--threads".to_string(), threads.to_string()]);
        for solver in &part.solvers {
            arguments.extend(["--solver".to_string(), solver.clone()]);
        }
        for setting in &self.settings {
            arguments.extend(["--set".to_string(), setting.clone()]);
        }
        arguments
    }

    /// The command as a line for a shell.
    pub fn line(&self, part: &Part, threads: u64) -> String {
        let program = self.program.display().to_string();
        let words = std::iter::once(program).chain(self.arguments(part, threads));
        words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
    }
}

/// The places of the runs of a part that are missing; of equal runs the first.
pub(super) fn missing(plan: &Plan, part: &Part, finished: &Index) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    let runs = part.of(plan).filter(|(_, run)| !finished.contains(&run.id) && seen.insert(run.id.as_str()));
    runs.map(|(place, _)| place).collect()
}

/// Splits ascending places into at most so many ranges of about as many places each.
fn ranges(places: &[usize], count: usize) -> Vec<Range<usize>> {
    let count = count.clamp(1, places.len().max(1));
    let bound = |i: usize| i * places.len() / count;
    let piece = |i: usize| &places[bound(i)..bound(i + 1)];
    (0..count).filter_map(|i| Some(*piece(i).first()?..*piece(i).last()? + 1)).collect()
}

/// The commands, at most `count`, that do what is missing in a folder; it need not be there yet.
///
/// # Errors
/// Where the folder cannot be read.
pub fn commands(plan: &Plan, worker: &Worker, count: usize, threads: u64) -> Result<Vec<String>> {
    let finished = Store::look(&worker.folder).finished()?;
    let missing = missing(plan, &Part::default(), &finished);
    let part = |range| Part { range: Some(range), solvers: Vec::new() };
    Ok(ranges(&missing, count).into_iter().map(|range| worker.line(&part(range), threads)).collect())
}

/// Solvers that ask for the same cores and memory, and the seconds that one of their runs takes about.
struct Group {
    solvers: Vec<String>,
    asked: Asked,
    seconds: f64,
}

/// The solvers of a plan by what they ask for. Where the config does not say how long a run takes, runs that are there
/// do.
fn groups(plan: &Plan, folder: &Path) -> Vec<Group> {
    let resources = &plan.experiment.resources;
    let mut groups: Vec<Group> = Vec::new();
    for solver in plan.experiment.cells.iter().take(1).flat_map(|cell| &cell.solvers) {
        let asked = resources.of(&solver.label);
        let seconds = asked.seconds.or_else(|| seconds_seen(folder).get(&solver.label).copied()).unwrap_or(1.0);
        match groups.iter_mut().find(|g| (g.asked.cpus, &g.asked.memory) == (asked.cpus, &asked.memory)) {
            Some(group) => {
                group.solvers.push(solver.label.clone());
                group.seconds = group.seconds.max(seconds);
            }
            None => groups.push(Group { solvers: vec![solver.label.clone()], asked, seconds }),
        }
    }
    groups
}

/// The mean time of the finished runs by solver.
fn seconds_seen(folder: &Path) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    // A folder that cannot be read says nothing.
    if let Ok(read) = RunFolder::without_designs(folder) {
        for record in &read.records {
            let sum = sums.entry(record.solver.clone()).or_default();
            *sum = (sum.0 + read.times.get(&record.run).copied().unwrap_or(0.0), sum.1 + 1.0);
        }
    }
    sums.into_iter().map(|(solver, (time, count))| (solver, time / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_all_places_and_none_twice() {
        assert_eq!(ranges(&[3, 4, 9, 20, 21], 2), [3..5, 9..22]);
        assert_eq!(ranges(&[3, 4, 9], 7), [3..4, 4..5, 9..10]);
        assert!(ranges(&[], 3).is_empty());
        let places: Vec<usize> = (0..1000).filter(|i| i % 3 != 0).collect();
        let split = ranges(&places, 7);
        assert_eq!(split.len(), 7);
        assert!(split.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(places.iter().all(|p| split.iter().filter(|range| range.contains(p)).count() == 1));
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        let worker = Worker {
            program: "/bin/isacopt".into(),
            config: "my config.toml".into(),
            settings: vec!["a.b='x'".into()],
            folder: "runs/a".into(),
        };
        let part = Part { range: Some(3..7), solvers: vec!["AO-SDR (paper)".into()] };
        assert_eq!(
            worker.line(&part, 2),
            "/bin/isacopt run 'my config.toml' --out runs/a --range 3..7 --threads 2 --solver 'AO-SDR (paper)' \
             --set 'a.b='\\''x'\\'''"
        );
    }
}
