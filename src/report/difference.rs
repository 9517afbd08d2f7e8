//! Two experiments side by side: what of their configs differs, and the differences of their results in pairs.

use std::collections::BTreeMap;

use super::html::{duration, number};
use super::quantity::Quantity;
use super::spread::{Spread, quantile, sorted};
use super::study::{Reduction, Study, sign};
use crate::results::RunRecord;

/// A key of the configs that is not the same in both.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key with its path.
    pub key: String,
    /// Its value in the first, if it is there.
    pub before: Option<String>,
    /// Its value in the second.
    pub after: Option<String>,
}

/// The differences of one quantity of one solver, second less first, over the pairs of runs in which both are feasible.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// The solver's label.
    pub solver: String,
    /// The quantity.
    pub quantity: Quantity,
    /// Its mean in the first, over the pairs.
    pub before: f64,
    /// Its mean in the second.
    pub after: f64,
    /// The values of the first and the second in every pair.
    pub values: Vec<(f64, f64)>,
    /// The differences.
    pub difference: Spread,
    /// Their 5 % and 95 % quantiles.
    pub tails: [f64; 2],
    /// In how many pairs the second is better and worse by more than 1e-9 of the size; none where nothing says which way is better.
    pub better: Option<(usize, usize)>,
}

/// The same run in two experiments.
type Pair<'a> = (&'a RunRecord, &'a RunRecord);

/// What two experiments have in common, and what not.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What of the configs differs.
    pub changes: Vec<Change>,
    /// Runs that only the first has, that only the second has, and pairs.
    pub runs: [usize; 3],
    /// Pairs of which exactly the first, and exactly the second, is infeasible.
    pub infeasible: [usize; 2],
    /// The differences, by solver.
    pub paired: Vec<Paired>,
}

impl Comparison {
    /// Compares two runs. Runs are a pair where sweep point, trial and solver label are the same.
    pub fn of(first: &Study, second: &Study) -> Self {
        let keyed = |study: &Study| -> BTreeMap<(String, String, u64), usize> {
            let records = study.folder.records.iter().enumerate();
            records
                .map(|(i, r)| ((r.solver.clone(), serde_json::Value::from(r.sweep.clone()).to_string(), r.trial), i))
                .collect()
        };
        let (left, right) = (keyed(first), keyed(second));
        let (ours, theirs) = (&first.folder.records, &second.folder.records);
        let pairs: Vec<Pair<'_>> =
            left.iter().filter_map(|(key, i)| Some((&ours[*i], &theirs[*right.get(key)?]))).collect();
        let only =
            |a: &BTreeMap<_, usize>, b: &BTreeMap<_, usize>| a.keys().filter(|key| !b.contains_key(*key)).count();
        let lost = |a: &RunRecord, b: &RunRecord| !a.feasible && b.feasible;
        let infeasible =
            [pairs.iter().filter(|(a, b)| lost(a, b)).count(), pairs.iter().filter(|(a, b)| lost(b, a)).count()];
        let mut paired = Vec::new();
        for (label, _) in &first.solvers {
            let own: Vec<Pair<'_>> =
                pairs.iter().filter(|(a, b)| a.solver == *label && a.feasible && b.feasible).copied().collect();
            for quantity in first.quantities.iter().filter(|q| second.quantities.contains(q)) {
                paired.extend(differences(first, second, label, quantity, &own));
            }
        }
        Self {
            changes: changes(&first.config, &second.config),
            runs: [only(&left, &right), only(&right, &left), pairs.len()],
            infeasible,
            paired,
        }
    }
}

fn differences(first: &Study, second: &Study, label: &str, quantity: &Quantity, pairs: &[Pair<'_>]) -> Option<Paired> {
    let value = |study: &Study, record: &RunRecord| Reduction::Mean.apply(&study.entries(quantity, record));
    let values = pairs.iter().filter_map(|(a, b)| Some((value(first, a)?, value(second, b)?)));
    let values: Vec<(f64, f64)> = values.filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
    let differences = sorted(&values.iter().map(|(a, b)| b - a).collect::<Vec<_>>());
    let difference = Spread::of(&differences)?;
    let mean = |pick: fn(&(f64, f64)) -> f64| values.iter().map(pick).sum::<f64>() / values.len() as f64;
    let sign = sign(quantity.direction);
    let beyond = |a: f64, b: f64| sign * (b - a) > 1e-9 * a.abs().max(b.abs());
    let better = values.iter().filter(|(a, b)| beyond(*a, *b)).count();
    let worse = values.iter().filter(|(a, b)| beyond(*b, *a)).count();
    Some(Paired {
        solver: label.to_string(),
        quantity: quantity.clone(),
        before: mean(|(a, _)| *a),
        after: mean(|(_, b)| *b),
        difference,
        tails: [0.05, 0.95].map(|share| quantile(&differences, share)),
        better: (sign != 0.0).then_some((better, worse)),
        values,
    })
}

impl Paired {
    /// The cells of a table: solver, quantity, both means, the mean difference with its standard error, pairs, better,
    /// worse.
    pub fn row(&self) -> Vec<String> {
        let time = self.quantity.unit == "s";
        let text = |x: f64| if time && x >= 0.0 { duration(x) } else { number(x, 5) };
        let (better, worse) =
            self.better.map_or((String::new(), String::new()), |(b, w)| (b.to_string(), w.to_string()));
        vec![
            self.solver.clone(),
            self.quantity.name.clone(),
            text(self.before),
            text(self.after),
            format!("{} ± {}", number(self.difference.mean, 4), number(self.difference.standard_error, 2)),
            self.difference.count.to_string(),
            better,
            worse,
        ]
    }
}

fn changes(first: &toml::Table, second: &toml::Table) -> Vec<Change> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    flatten("", &toml::Value::Table(first.clone()), &mut left);
    flatten("", &toml::Value::Table(second.clone()), &mut right);
    let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let change =
        |key: &String| Change { key: key.clone(), before: left.get(key).cloned(), after: right.get(key).cloned() };
    // Figures and claims change no result.
    let matters = |c: &Change| !["figure", "claim"].iter().any(|section| c.key.starts_with(section));
    keys.into_iter().map(change).filter(|c| c.before != c.after && matters(c)).collect()
}

fn flatten(path: &str, value: &toml::Value, out: &mut BTreeMap<String, String>) {
    let inner = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&inner(key), value, out)),
        toml::Value::Array(items) if items.iter().all(toml::Value::is_table) => {
            for (i, item) in items.iter().enumerate() {
                let named = ["label", "name", "type"].iter().find_map(|key| item.get(key)?.as_str());
                flatten(&inner(named.unwrap_or(&i.to_string())), item, out);
            }
        }
        toml::Value::String(text) => _ = out.insert(path.to_string(), text.clone()),
        other => _ = out.insert(path.to_string(), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_keys_with_both_values() {
        let read = |text: &str| text.parse::<toml::Table>().unwrap();
        let first = read("a = 1\n[s]\nx = 'y'\n[[solver]]\nlabel = 'p'\nn = 3\n[[figure]]\nkind = 'cdf'\n");
        let second = read("a = 1\n[s]\nx = 'z'\n[[solver]]\nlabel = 'p'\nn = 3\nm = 2\n");
        let change = |key: &str, before: Option<&str>, after: Option<&str>| Change {
            key: key.into(),
            before: before.map(str::to_string),
            after: after.map(str::to_string),
        };
        assert_eq!(
            changes(&first, &second),
            [change("s.x", Some("y"), Some("z")), change("solver.p.m", None, Some("2"))]
        );
    }
}
