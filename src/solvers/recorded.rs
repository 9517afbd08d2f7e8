//! Designs of another program, judged by the model and set beside the solvers.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::design::Design;
use crate::error::{InputError, Result};
use crate::instance::{FORMAT, InstanceFile, found, read_tree};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Evaluator, Problem};

/// Designs from a JSON, `.npz` or `.mat` file, say the iterates of someone's MATLAB code, judged by the model and shown in every table
/// and figure. Takes any problem. The file holds one design (an object of its blocks), a list of designs, an object
/// of named ones under `designs` (an instance file does), or one under `design` (as `solve --json` prints it).
///
/// Several designs are a trace in the file's order: the first is the start (iteration 0), each further one an
/// iteration. A start from the config is not used.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The file, relative to the config's folder.
    pub file: PathBuf,
    /// One design of the file, by name. Without it all are taken, as a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<String>,
    /// Which design counts after an iteration.
    #[serde(default)]
    pub keep: Keep,
}

/// Which of the designs read so far counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The best so far, as with every solver: curves of different programs compare.
    #[default]
    Best,
    /// The last one, better or not: the curve as the other program drew it.
    Last,
}

impl Recorded {
    /// The file's designs with their places in it, still as JSON.
    fn designs(&self) -> Result<Vec<(String, Value)>> {
        parse(read_tree(&self.file)?, self.design.as_deref()).map_err(|e| e.in_file(&self.file))
    }
}

fn parse(value: Value, wanted: Option<&str>) -> Result<Vec<(String, Value)>> {
    const ALLOWED: &str = "a design, a list of designs, or an object with `designs` or `design`";
    let list = |key: &str, items: &[Value]| {
        items.iter().enumerate().map(|(i, v)| (format!("{key}[{i}]"), v.clone())).collect::<Vec<_>>()
    };
    let designs = match &value {
        Value::Array(items) => list("", items),
        Value::Object(object) => match (object.get("designs"), object.get("design")) {
            (Some(Value::Array(items)), _) => list("designs", items),
            (Some(Value::Object(named)), _) => {
                if object.get("format").is_some_and(|f| f == FORMAT) {
                    InstanceFile::from_tree(value.clone())?;
                }
                named.iter().map(|(name, v)| (format!("designs.{name}"), v.clone())).collect()
            }
            (Some(other), _) => {
                return Err(InputError::new("designs", found(other), "a list or an object of designs").into());
            }
            (None, Some(design @ Value::Object(_))) => vec![("design".to_string(), design.clone())],
            _ => vec![("design".to_string(), value.clone())],
        },
        other => return Err(InputError::new("", found(other), ALLOWED).into()),
    };
    let designs = match wanted {
        None => designs,
        Some(name) => {
            let place = format!("designs.{name}");
            match designs.iter().find(|(p, _)| *p == place) {
                Some(one) => vec![one.clone()],
                None => {
                    let names = designs.iter().filter_map(|(p, _)| p.strip_prefix("designs."));
                    return Err(InputError::unknown("designs", name, names).into());
                }
            }
        }
    };
    if designs.is_empty() {
        return Err(InputError::new("designs", "none", "at least one design").into());
    }
    Ok(designs)
}

#[typetag::serde(name = "recorded")]
impl Optimizer for Recorded {
    fn requires(&self) -> Requirement {
        Requirement::anything().unscreened()
    }

    fn check(&self) -> Result<()> {
        self.designs().map(|_| ())
    }

    fn begin(&self, problem: Arc<Problem>, _start: Option<Design>, _random: RandomStream) -> Result<Box<dyn Iterate>> {
        let model = problem.model();
        let mut designs = Vec::new();
        for (place, value) in self.designs()? {
            let read = || -> Result<Design> {
                let design = model.read_design(&value, &place)?;
                keeps_fixed(&problem, &design, &place)?;
                Ok(design)
            };
            designs.push(read().map_err(|e| e.in_file(&self.file))?);
        }
        let mut judge = problem.evaluator();
        let value = judge.evaluate(&designs[0])?;
        Ok(Box::new(Tape { judge, designs, keep: self.keep, at: 0, best: 0, value }))
    }
}

crate::solver!(Recorded);

/// Refuses a design that moves a block which the problem holds fixed.
fn keeps_fixed(problem: &Problem, design: &Design, place: &str) -> Result<()> {
    let mut placed = design.clone();
    problem.project(&mut placed);
    for (index, block) in problem.model().space().blocks().iter().enumerate() {
        if problem.spec().fixed.contains_key(&block.name) {
            let range = problem.model().space().range(index);
            let (own, fixed) = (&design[range.clone()], &placed[range]);
            let size = fixed.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
            if own.iter().zip(fixed).any(|(a, b)| (a - b).abs() > 1e-9 * size) {
                let key = format!("{place}.{}", block.name);
                return Err(InputError::new(key, "other values", "those that the problem holds fixed").into());
            }
        }
    }
    Ok(())
}

struct Tape {
    judge: Evaluator,
    designs: Vec<Design>,
    keep: Keep,
    at: usize,
    best: usize,
    value: Evaluation,
}

impl Iterate for Tape {
    fn step(&mut self, _budget: &Budget) -> Result<Step> {
        let last = self.designs.len() - 1;
        if self.at < last {
            self.at += 1;
            let value = self.judge.evaluate(&self.designs[self.at])?;
            if self.keep == Keep::Last || self.judge.problem().better(&value, &self.value) {
                (self.best, self.value) = (self.at, value);
            }
        }
        Ok(if self.at == last { Step::Converged } else { Step::Advanced })
    }

    fn best(&self) -> &Design {
        &self.designs[self.best]
    }

    fn evaluations(&self) -> u64 {
        self.judge.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_of_a_file_is_read() {
        let parse = |text: &str, name| parse(serde_json::from_str(text).unwrap(), name);
        let places = |text: &str| parse(text, None).unwrap().into_iter().map(|d| d.0).collect::<Vec<_>>();
        assert_eq!(places(r#"{"power": [1]}"#), ["design"]);
        assert_eq!(places(r#"[{"power": [1]}, {"power": [2]}]"#), ["[0]", "[1]"]);
        assert_eq!(places(r#"{"designs": {"b": {}, "a": {}}}"#), ["designs.b", "designs.a"]);
        assert_eq!(places(r#"{"designs": [{}, {}]}"#), ["designs[0]", "designs[1]"]);
        assert_eq!(places(r#"{"status": "optimal", "design": {"power": [1]}}"#), ["design"]);
        let one = parse(r#"{"designs": {"b": {}, "a": {}}}"#, Some("a")).unwrap();
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn a_bad_file_says_what_is_allowed() {
        let message = |text: &str, name| parse(serde_json::from_str(text).unwrap(), name).unwrap_err().to_string();
        assert!(message("3", None).contains("a list of designs"));
        assert!(message("[]", None).contains("at least one design"));
        assert!(message(r#"{"designs": 3}"#, None).contains("`designs`"));
        assert!(message(r#"{"designs": {"mine": {}}}"#, Some("mien")).contains("did you mean `mine`"));
        let wrong =
            r#"{"format": "isacopt-instance/1", "scenario": "x", "designs": {"a": {}}, "instance": {}, "z": 1}"#;
        assert!(message(wrong, None).contains("`z`"));
    }
}
