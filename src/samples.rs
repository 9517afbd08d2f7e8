//! Sample files: draws of a system's channels, measured or simulated elsewhere, and what a scenario fits to them.

use std::path::Path;

use num_complex::Complex;
use serde_json::{Map, Value, json};

use crate::error::{Error, InputError, Result};
use crate::instance::{complex_array, found, read_tree};
use crate::metric::number_json;

/// The format's name and version.
pub const FORMAT: &str = "isacopt-samples/1";

/// A sample file, read but not yet understood by its scenario.
#[derive(Clone, Debug)]
pub struct SampleFile {
    /// The scenario's name.
    pub scenario: String,
    /// Free text.
    pub description: String,
    /// What of the instance the draws do not tell.
    pub instance: Map<String, Value>,
    /// The draws, by the channel's name.
    pub samples: Map<String, Value>,
}

impl SampleFile {
    /// Reads a JSON, `.npz` or `.mat` file. Errors name it.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_tree(read_tree(path)?).map_err(|e| e.in_file(path))
    }

    /// Understands the tree of a file.
    pub fn from_tree(value: Value) -> Result<Self> {
        let Value::Object(mut object) = value else {
            let allowed = "an object with `format`, `scenario`, `instance`, `samples`";
            return Err(InputError::new("", "no object at the top", allowed).into());
        };
        let mut take = |key: &str, allowed: &str| {
            object.shift_remove(key).ok_or_else(|| Error::from(InputError::new(key, "no such key", allowed)))
        };
        let text = |key: &str, value: Value| match value {
            Value::String(text) => Ok(text),
            other => Err(Error::from(InputError::new(key, found(&other), "a text"))),
        };
        let format = text("format", take("format", FORMAT)?)?;
        if format != FORMAT {
            return Err(InputError::new("format", format!("\"{format}\""), format!("\"{FORMAT}\"")).into());
        }
        let scenario = text("scenario", take("scenario", "a scenario's name")?)?;
        let parts = |key: &str, value: Value| match value {
            Value::Object(parts) => Ok(parts),
            other => Err(Error::from(InputError::new(key, found(&other), "an object"))),
        };
        let instance = parts("instance", take("instance", "an object with what the draws do not tell")?)?;
        let samples = parts("samples", take("samples", "an object with the draws of each channel")?)?;
        let description = object.shift_remove("description").map_or(Ok(String::new()), |d| text("description", d))?;
        if let Some(unknown) = object.keys().next() {
            let known = ["format", "scenario", "description", "instance", "samples"];
            return Err(InputError::unknown(unknown.as_str(), unknown, known).into());
        }
        Ok(Self { scenario, description, instance, samples })
    }

    /// The draws of a channel whose single draws have this shape; none where the file has none.
    ///
    /// # Errors
    /// Where entries are missing or not finite, a draw has another shape, or there are fewer than two draws.
    pub fn draws(&self, channel: &str, shape: &[usize]) -> Result<Option<Draws>> {
        let Some(value) = self.samples.get(channel).filter(|value| !value.is_null()) else { return Ok(None) };
        let key = format!("samples.{channel}");
        let list = value.get("re").unwrap_or(value);
        let count = list.as_array().map_or(1, Vec::len);
        if count < 2 {
            let what = if count == 1 { "1 draw".to_string() } else { "no draws".to_string() };
            return Err(InputError::new(key, what, "at least 2 draws, the first dimension").into());
        }
        let whole: Vec<usize> = [count].into_iter().chain(shape.iter().copied()).collect();
        Ok(Some(Draws { count, values: complex_array(value, &whole, &key)? }))
    }

    /// Refuses channels of other names.
    pub fn only(&self, channels: &[&str]) -> Result<()> {
        match self.samples.keys().find(|key| !channels.contains(&key.as_str())) {
            Some(unknown) => {
                Err(InputError::unknown(format!("samples.{unknown}"), unknown, channels.iter().copied()).into())
            }
            None => Ok(()),
        }
    }
}

/// Draws of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// How many, at least 2.
    pub count: usize,
    /// Their entries, draw after draw, each row-major.
    pub values: Vec<Complex<f64>>,
}

/// What the fitted instance holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FitForm {
    /// The moments of the samples in place of the formulas.
    #[default]
    Measured,
    /// The formulas, with fitted numbers.
    Formulas,
}

/// How far a moment of the samples is from the formula that was fitted to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// Which moment.
    pub what: &'static str,
    /// Of which user, from 0.
    pub user: Option<usize>,
    /// The Frobenius distance of moment and formula over the formula's norm.
    pub misfit: f64,
    /// What so many draws show of it on average where the formula is right: root mean square, for Gaussian fading.
    pub sampling: f64,
}

impl Misfit {
    /// What of the misfit the number of draws does not explain.
    pub fn beyond_sampling(&self) -> f64 {
        (self.misfit.powi(2) - self.sampling.powi(2)).max(0.0).sqrt()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "what": self.what,
            "user": self.user,
            "misfit": number_json(self.misfit),
            "by_sampling_alone": number_json(self.sampling),
            "beyond_sampling": number_json(self.beyond_sampling()),
        })
    }
}

/// A fitted system.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The `instance` object.
    pub instance: Value,
    /// How many draws there were, by channel.
    pub draws: Map<String, Value>,
    /// The fitted numbers, by the instance's keys.
    pub estimates: Map<String, Value>,
    /// How well the formulas fit.
    pub misfits: Vec<Misfit>,
}

/// Fits a scenario's instance to samples.
pub type Fit = fn(&SampleFile, FitForm) -> Result<Fitted>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_strictly() {
        let good = json!({ "format": FORMAT, "scenario": "x", "instance": {},
            "samples": { "h": { "re": [[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], "im": [[0.0, 0.0], [0.0, 1.0], [2.0, 0.0]] } } });
        let read = |value: &Value| SampleFile::from_tree(value.clone()).map_err(|e| e.to_string());
        let file = read(&good).unwrap();
        let draws = file.draws("h", &[2]).unwrap().unwrap();
        assert_eq!((draws.count, draws.values[3]), (3, Complex::new(4.0, 1.0)));
        assert!(file.draws("g", &[2]).unwrap().is_none() && file.only(&["h"]).is_ok());
        assert!(file.only(&["g"]).unwrap_err().to_string().contains("samples.h"));
        assert!(file.draws("h", &[3]).unwrap_err().to_string().contains("shape [3, 3]"));
        for (key, value) in [
            ("format", json!("isacopt-instance/1")),
            ("scenario", json!(1)),
            ("samples", json!([])),
            ("sample", json!({})),
            ("instance", json!(null)),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(read(&bad).unwrap_err().contains(key), "{key}");
        }
        for bad in [json!([[1.0, 2.0]]), json!(3.0), json!([[1.0, null], [0.0, 1.0]]), json!([[1.0, 2.0], [1.0]])] {
            let mut file = file.clone();
            file.samples["h"] = bad.clone();
            assert!(file.draws("h", &[2]).unwrap_err().to_string().contains("samples.h"), "{bad}");
        }
    }
}
