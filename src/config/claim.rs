//! `[[claim]]` sections: what a paper says of the figure that a config runs, to be held against the results. They change
//! no result.

use serde_json::{Map, Value, json};

use super::figure::Fields;
use super::source::segment;
use crate::error::InputError;
use crate::instance::found;

const KEYS: [&str; 15] = [
    "paper",
    "why",
    "holds",
    "metric",
    "solver",
    "reduction",
    "statistic",
    "scale",
    "at",
    "value",
    "than",
    "along",
    "beside",
    "relation",
    "within",
];

/// What a claim is tested by.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimTest {
    /// The metric has this value, in its scale, to `within`.
    Value(f64),
    /// The solver's metric over another solver's is this, to `within`: a ratio in the linear scale, a difference in others.
    Ratio {
        /// The other solver's label.
        than: String,
        /// The ratio.
        value: f64,
    },
    /// The solver's metric is higher (or lower) than another solver's at every point.
    Order {
        /// The other solver's label.
        than: String,
        /// Whether it is higher.
        higher: bool,
    },
    /// The solver's metric rises (or falls) along a swept key.
    Trend {
        /// The swept key.
        along: String,
        /// Whether it rises.
        rises: bool,
    },
    /// The solver's metric changes so much along a swept key, from the least place to the largest: by this factor in the
    /// linear scale, by this difference in others.
    Change {
        /// The swept key.
        along: String,
        /// The change.
        value: f64,
    },
    /// What random draws found beside the solver's metric is so many times the metric, or so much above it in other scales.
    Beside {
        /// `simulated`, or an estimator's name.
        drawn: String,
        /// The ratio or difference.
        value: f64,
    },
    /// Nothing in the results can test it; `why` says what is known.
    Words,
}

/// A `[[claim]]` table, read.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimConfig {
    /// Where it stands: `claim[2]`; errors begin with it.
    pub place: String,
    /// The paper's number or words.
    pub paper: String,
    /// Why it holds or does not, and where that is shown.
    pub why: Option<String>,
    /// Whether it is known to hold.
    pub holds: bool,
    /// How it is tested.
    pub test: ClaimTest,
    /// The metric; the objective where none is given.
    pub metric: Option<String>,
    /// The solver's label; the first where none is given.
    pub solver: Option<String>,
    /// How the entries of a vector become one number: `mean`, `smallest` or `largest`.
    pub reduction: Option<String>,
    /// What stands for the trials: `mean` or `median`.
    pub statistic: Option<String>,
    /// The scale in which values are compared.
    pub scale: Option<String>,
    /// Values of swept keys: the points that the claim is about.
    pub at: Vec<(String, Value)>,
    /// The tolerance: relative in the linear scale, a difference in others.
    pub within: f64,
}

impl ClaimConfig {
    /// The `[[claim]]` tables of a config; mistakes are added to the list.
    pub fn read_all(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Vec<Self> {
        let tables = match tree.get("claim") {
            None => return Vec::new(),
            Some(Value::Array(tables)) => tables.as_slice(),
            Some(other) => {
                mistakes.push(InputError::new("claim", found(other), "[[claim]] tables"));
                return Vec::new();
            }
        };
        let read = |(i, table)| Self::read(table, &format!("claim[{i}]"), mistakes);
        tables.iter().enumerate().filter_map(read).collect()
    }

    fn read(table: &Value, place: &str, mistakes: &mut Vec<InputError>) -> Option<Self> {
        let Some(table) = table.as_object() else {
            mistakes.push(InputError::new(place, found(table), "a table with `paper`"));
            return None;
        };
        for key in table.keys().filter(|k| !KEYS.contains(&k.as_str())) {
            mistakes.push(InputError::unknown(format!("{place}.{}", segment(key)), key, KEYS));
        }
        let mut fields = Fields { table, place, mistakes };
        let paper = fields.text("paper");
        if paper.is_none() && !table.contains_key("paper") {
            fields.mistake("paper", "no such key".into(), "the paper's number or words");
        }
        let relation = fields.choice("relation", &["higher", "lower", "rises", "falls"]);
        let (value, than, along) = (fields.number("value", "a number"), fields.text("than"), fields.text("along"));
        let beside = fields.text("beside");
        let test = match (value, than, along, beside, relation.as_deref()) {
            (Some(value), None, None, None, None) => ClaimTest::Value(value),
            (Some(value), Some(than), None, None, None) => ClaimTest::Ratio { than, value },
            (Some(value), None, Some(along), None, None) => ClaimTest::Change { along, value },
            (Some(value), None, None, Some(drawn), None) => ClaimTest::Beside { drawn, value },
            (None, Some(than), None, None, Some(r @ ("higher" | "lower"))) => {
                ClaimTest::Order { than, higher: r == "higher" }
            }
            (None, None, Some(along), None, Some(r @ ("rises" | "falls"))) => {
                ClaimTest::Trend { along, rises: r == "rises" }
            }
            (None, None, None, None, None) => ClaimTest::Words,
            _ => {
                let allowed = "`value`, alone or with one of `than` (a ratio), `along` (a change) and `beside`; or `than` with \
                               `relation` \"higher\" or \"lower\", or `along` with `relation` \"rises\" or \"falls\"";
                fields.mistake("relation", "keys that are no test together".into(), allowed);
                ClaimTest::Words
            }
        };
        let ordered = matches!(test, ClaimTest::Order { .. } | ClaimTest::Trend { .. } | ClaimTest::Words);
        let usual = if ordered { 1e-6 } else { 0.05 };
        Some(Self {
            place: place.into(),
            paper: paper?,
            why: fields.text("why"),
            holds: fields.flag("holds").unwrap_or(true),
            test,
            metric: fields.text("metric"),
            solver: fields.text("solver"),
            reduction: fields.choice("reduction", &["mean", "smallest", "largest"]),
            statistic: fields.choice("statistic", &["mean", "median"]),
            scale: fields.choice("scale", &["linear", "dB", "degrees"]),
            at: fields.entries("at").map(|(key, value)| (key.clone(), value.clone())).collect(),
            within: fields.number("within", "a number that is not negative").filter(|w| *w >= 0.0).unwrap_or(usual),
        })
    }
}

/// The JSON Schema of one table.
pub(super) fn claim_schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let names = |names: &[&str], description: &str| json!({ "enum": names, "description": description });
    json!({
        "description": "What a paper says of this experiment, held against the results by `isacopt reproduce`; changes no result.",
        "type": "object",
        "additionalProperties": false,
        "required": ["paper"],
        "properties": {
            "paper": text("The paper's number or words."),
            "why": text("Why it holds or does not, and where that is shown."),
            "holds": { "type": "boolean", "default": true, "description": "Whether it is known to hold; another outcome is told." },
            "metric": text("The metric; the objective where none is given."),
            "solver": text("The solver's label; the first where none is given."),
            "reduction": names(&["mean", "smallest", "largest"], "How the entries of a vector become one number."),
            "statistic": names(&["mean", "median"], "What stands for the trials."),
            "scale": names(&["linear", "dB", "degrees"], "The scale in which values are compared."),
            "at": { "type": "object", "description": "Values of swept keys: the points that the claim is about." },
            "value": { "type": "number", "description": "The paper's value, in the scale; with `than`, `along` or `beside` the ratio (a difference in other scales than the linear) to the other solver's, of the last place to the first, or of what was drawn to the metric." },
            "than": text("The other solver's label, for `relation` \"higher\" and \"lower\", and for ratios."),
            "along": text("The swept key, for `relation` \"rises\" and \"falls\", and for changes."),
            "beside": text("What random draws found beside the metric: `simulated`, or an estimator's name."),
            "relation": names(&["higher", "lower", "rises", "falls"], "What the claim says."),
            "within": { "type": "number", "minimum": 0, "description": "The tolerance: relative in the linear scale, a difference in others." },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn read(text: &str) -> (Vec<ClaimConfig>, Vec<String>) {
        let source = Source::parse(text, "c.toml").unwrap();
        let mut mistakes = Vec::new();
        let claims = ClaimConfig::read_all(&source.tree, &mut mistakes);
        (claims, source.locate(mistakes).iter().map(ToString::to_string).collect())
    }

    #[test]
    fn claims_are_read_with_their_tests() {
        let (claims, mistakes) = read(
            "[[claim]]\npaper = 'a'\nvalue = 3\n[[claim]]\npaper = 'b'\nthan = 'x'\nrelation = 'lower'\nholds = false\n\
             [[claim]]\npaper = 'c'\nalong = 'k'\nrelation = 'rises'\n[[claim]]\npaper = 'd'\n\
             [[claim]]\npaper = 'e'\nalong = 'k'\nvalue = 2\n[[claim]]\npaper = 'f'\nbeside = 'simulated'\nvalue = 1\n",
        );
        assert_eq!(mistakes, Vec::<String>::new());
        let tests: Vec<ClaimTest> = claims.iter().map(|c| c.test.clone()).collect();
        let order = ClaimTest::Order { than: "x".into(), higher: false };
        let trend = ClaimTest::Trend { along: "k".into(), rises: true };
        let change = ClaimTest::Change { along: "k".into(), value: 2.0 };
        let beside = ClaimTest::Beside { drawn: "simulated".into(), value: 1.0 };
        assert_eq!(tests, [ClaimTest::Value(3.0), order, trend, ClaimTest::Words, change, beside]);
        assert_eq!((claims[0].within, claims[1].within, claims[1].holds), (0.05, 1e-6, false));
    }

    #[test]
    fn mistakes_are_named_with_line_and_key() {
        for (line, words) in [
            ("value = 3", "`claim[0].paper`: found no such key"),
            ("paper = 'a'\nvalu = 3", "c.toml:3: `claim[0].valu`"),
            ("paper = 'a'\nvalue = 3\nalong = 'b'\nthan = 'c'", "keys that are no test together"),
            ("paper = 'a'\nbeside = 'simulated'", "keys that are no test together"),
            ("paper = 'a'\nthan = 'b'\nrelation = 'rises'", "keys that are no test together"),
            ("paper = 'a'\nvalue = 'b'", "c.toml:3: `claim[0].value`"),
        ] {
            let (_, mistakes) = read(&format!("[[claim]]\n{line}\n"));
            assert_eq!(mistakes.len(), 1, "{line}: {mistakes:?}");
            assert!(mistakes[0].contains(words), "{line}: {}", mistakes[0]);
        }
    }
}
