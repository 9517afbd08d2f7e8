//! The metrics of a design in little room. Runs of an experiment have the same metrics: their names, units and shapes are
//! held once for all of them, and each has its numbers in one row.
//!
//! As JSON they are `{id: {"value": x, "unit": u}}`, with lists in place of numbers for metrics with several entries,
//! and beside them, where the experiment asked for them,
//!
//! ```text
//! "simulated": {"value": x, "standard_error": e, "draws": n}
//! "estimated": {"NAME": {"value": mean square error, "standard_error": e, "draws": n}}
//! ```

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metric::{MetricInfo, MetricValues};
use crate::number::{Number, named};

/// All metrics of a design.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    forms: Arc<Vec<Form>>,
    numbers: Vec<f64>,
}

/// One metric, and where its numbers stand in the row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Form {
    id: String,
    unit: String,
    shape: Vec<usize>,
    begin: usize,
    simulated: Option<DrawnForm>,
    estimated: Vec<(String, DrawnForm)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct DrawnForm {
    value: usize,
    error: usize,
    draws: u64,
}

/// One metric of a design.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    form: &'a Form,
    numbers: &'a [f64],
}

/// A figure from random draws beside a metric's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn<'a> {
    /// The mean over the draws, entry by entry.
    pub value: &'a [f64],
    /// Its standard error.
    pub standard_error: &'a [f64],
    /// How many draws.
    pub draws: u64,
}

impl Metrics {
    /// Of the values of a model's metrics.
    pub fn of(infos: &[MetricInfo], values: &MetricValues) -> Self {
        let mut metrics = Self::default();
        infos.iter().enumerate().for_each(|(i, info)| metrics.push(info, values.get(i)));
        metrics
    }

    /// Adds a metric with its entries, row-major.
    pub fn push(&mut self, info: &MetricInfo, entries: &[f64]) {
        let begin = self.numbers.len();
        self.numbers.extend_from_slice(entries);
        let (id, unit, shape) = (info.id.clone(), info.unit.clone(), info.shape.clone());
        Arc::make_mut(&mut self.forms).push(Form { id, unit, shape, begin, simulated: None, estimated: Vec::new() });
    }

    /// Puts a simulated value beside a metric; gives whether there is that metric.
    pub fn put_simulated(&mut self, id: &str, drawn: Drawn<'_>) -> bool {
        let drawn = self.put(drawn);
        let form = Arc::make_mut(&mut self.forms).iter_mut().find(|form| form.id == id);
        form.map(|form| form.simulated = Some(drawn)).is_some()
    }

    /// Puts an estimator's mean square error beside a metric; gives whether there is that metric.
    pub fn put_estimated(&mut self, id: &str, estimator: &str, drawn: Drawn<'_>) -> bool {
        let drawn = self.put(drawn);
        let form = Arc::make_mut(&mut self.forms).iter_mut().find(|form| form.id == id);
        form.map(|form| form.estimated.push((estimator.to_string(), drawn))).is_some()
    }

    fn put(&mut self, drawn: Drawn<'_>) -> DrawnForm {
        let value = self.numbers.len();
        self.numbers.extend_from_slice(drawn.value);
        let error = self.numbers.len();
        self.numbers.extend_from_slice(drawn.standard_error);
        DrawnForm { value, error, draws: drawn.draws }
    }

    /// A metric by its name.
    pub fn get(&self, id: &str) -> Option<Measured<'_>> {
        self.iter().find(|metric| metric.id() == id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Measured<'_>> {
        self.forms.iter().map(|form| Measured { form, numbers: &self.numbers })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Whether others are known to have the same names, units and shapes.
    pub(crate) fn alike(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.forms, &other.forms)
    }
}

/// The forms that records share.
#[derive(Debug, Default)]
pub(crate) struct Forms(HashSet<Arc<Vec<Form>>>);

impl Forms {
    /// Lets metrics share the form of others.
    pub fn share(&mut self, metrics: &mut Metrics) {
        match self.0.get(&metrics.forms) {
            Some(known) => metrics.forms = Arc::clone(known),
            None => _ = self.0.insert(Arc::clone(&metrics.forms)),
        }
    }
}

impl<'a> Measured<'a> {
    /// Its name.
    pub fn id(&self) -> &'a str {
        &self.form.id
    }

    /// Its unit.
    pub fn unit(&self) -> &'a str {
        &self.form.unit
    }

    /// Whether it is one number and no list.
    pub fn is_scalar(&self) -> bool {
        self.form.shape.is_empty()
    }

    /// Its entries, row-major; one for a scalar.
    pub fn entries(&self) -> &'a [f64] {
        self.row(self.form.begin)
    }

    /// What a simulation of the signals found in its place.
    pub fn simulated(&self) -> Option<Drawn<'a>> {
        self.form.simulated.as_ref().map(|drawn| self.drawn(drawn))
    }

    /// The mean square errors of estimators beside the bound that it is, by name.
    pub fn estimated(&self) -> impl Iterator<Item = (&'a str, Drawn<'a>)> + use<'a> {
        let metric = *self;
        self.form.estimated.iter().map(move |(name, drawn)| (name.as_str(), metric.drawn(drawn)))
    }

    fn row(&self, begin: usize) -> &'a [f64] {
        &self.numbers[begin..begin + self.form.shape.iter().product::<usize>()]
    }

    fn drawn(&self, form: &DrawnForm) -> Drawn<'a> {
        Drawn { value: self.row(form.value), standard_error: self.row(form.error), draws: form.draws }
    }

    fn nested(&self, numbers: &'a [f64]) -> Nested<'a> {
        Nested { numbers, shape: &self.form.shape }
    }

    fn figure(&self, drawn: Drawn<'a>) -> Figure<'a> {
        Figure {
            value: self.nested(drawn.value),
            standard_error: self.nested(drawn.standard_error),
            draws: drawn.draws,
        }
    }
}

impl PartialEq for Metrics {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl PartialEq for Measured<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.id(), self.unit(), &self.form.shape) == (other.id(), other.unit(), &other.form.shape)
            && self.entries() == other.entries()
            && self.simulated() == other.simulated()
            && self.estimated().eq(other.estimated())
    }
}

impl fmt::Debug for Measured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let estimated: Vec<_> = self.estimated().collect();
        write!(f, "{}: {:?} {}, {:?}, {estimated:?}", self.id(), self.entries(), self.unit(), self.simulated())
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|metric| (metric.id(), metric)))
    }
}

impl Serialize for Measured<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &self.nested(self.entries()))?;
        map.serialize_entry("unit", self.unit())?;
        if let Some(simulated) = self.simulated() {
            map.serialize_entry("simulated", &self.figure(simulated))?;
        }
        if !self.form.estimated.is_empty() {
            map.serialize_entry("estimated", &ByName(*self))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Figure<'a> {
    value: Nested<'a>,
    standard_error: Nested<'a>,
    draws: u64,
}

/// The estimators' errors of a metric.
struct ByName<'a>(Measured<'a>);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.estimated().map(|(name, drawn)| (name, self.0.figure(drawn))))
    }
}

/// Numbers as lists of lists.
struct Nested<'a> {
    numbers: &'a [f64],
    shape: &'a [usize],
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((rows, rest)) = self.shape.split_first() else {
            return Number(self.numbers.first().copied().unwrap_or(f64::NAN)).serialize(serializer);
        };
        let width: usize = rest.iter().product();
        let mut list = serializer.serialize_seq(Some(*rows))?;
        for row in 0..*rows {
            list.serialize_element(&Nested { numbers: &self.numbers[row * width..][..width], shape: rest })?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Metrics;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("metrics by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
                let (mut forms, mut numbers) = (Vec::new(), Vec::new());
                while let Some(id) = map.next_key::<String>()? {
                    forms.push(map.next_value_seed(OneMetric { id, numbers: &mut numbers })?);
                }
                numbers.shrink_to_fit();
                Ok(Metrics { forms: Arc::new(forms), numbers })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Value,
    Unit,
    Simulated,
    Estimated,
    StandardError,
    Draws,
    #[serde(other)]
    Other,
}

/// Reads a metric; its numbers go to the end of the row.
struct OneMetric<'a> {
    id: String,
    numbers: &'a mut Vec<f64>,
}

impl<'de> DeserializeSeed<'de> for OneMetric<'_> {
    type Value = Form;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Form, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneMetric<'_> {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metric with its value and unit")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Form, A::Error> {
        let Self { id, numbers } = self;
        let (mut value, mut unit, mut simulated, mut estimated) = (None, String::new(), None, Vec::new());
        while let Some(key) = map.next_key()? {
            match key {
                Key::Value => value = Some(map.next_value_seed(Row(&mut *numbers))?),
                Key::Unit => unit = map.next_value()?,
                Key::Simulated => simulated = Some(map.next_value_seed(OneFigure(&mut *numbers))?),
                Key::Estimated => estimated = map.next_value_seed(Figures(&mut *numbers))?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let (begin, shape) = value.ok_or_else(|| A::Error::missing_field("value"))?;
        let others = estimated.iter().map(|(_, shape, _)| shape).chain(simulated.as_ref().map(|(shape, _)| shape));
        if others.clone().any(|other| *other != shape) {
            return Err(A::Error::custom(format!("`{id}` and what stands beside it have different shapes")));
        }
        let estimated = estimated.into_iter().map(|(name, _, form)| (name, form)).collect();
        Ok(Form { id, unit, shape, begin, simulated: simulated.map(|(_, form)| form), estimated })
    }
}

/// Reads figures from random draws by name.
struct Figures<'a>(&'a mut Vec<f64>);

impl<'de> DeserializeSeed<'de> for Figures<'_> {
    type Value = Vec<(String, Vec<usize>, DrawnForm)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Figures<'_> {
    type Value = Vec<(String, Vec<usize>, DrawnForm)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("figures by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(name) = map.next_key()? {
            let (shape, form) = map.next_value_seed(OneFigure(&mut *self.0))?;
            all.push((name, shape, form));
        }
        Ok(all)
    }
}

/// Reads a figure from random draws, with its shape.
struct OneFigure<'a>(&'a mut Vec<f64>);

impl<'de> DeserializeSeed<'de> for OneFigure<'_> {
    type Value = (Vec<usize>, DrawnForm);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneFigure<'_> {
    type Value = (Vec<usize>, DrawnForm);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its standard error and the number of draws")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut value, mut error, mut draws) = (None, None, 0);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Value => value = Some(map.next_value_seed(Row(&mut *self.0))?),
                Key::StandardError => error = Some(map.next_value_seed(Row(&mut *self.0))?),
                Key::Draws => draws = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let (value, shape) = value.ok_or_else(|| A::Error::missing_field("value"))?;
        let (error, others) = error.ok_or_else(|| A::Error::missing_field("standard_error"))?;
        if others != shape {
            return Err(A::Error::custom("a value and its standard error have different shapes"));
        }
        Ok((shape, DrawnForm { value, error, draws }))
    }
}

/// Reads a number, or lists of lists of numbers, to the end of a row; gives where they begin, and their shape.
struct Row<'a>(&'a mut Vec<f64>);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = (usize, Vec<usize>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let (begin, mut shape) = (self.0.len(), Shape::default());
        Entries { numbers: self.0, shape: &mut shape, depth: 0 }.deserialize(deserializer)?;
        Ok((begin, shape.sizes))
    }
}

/// What is known of the lists' lengths, from the outermost to the innermost.
#[derive(Default)]
struct Shape {
    sizes: Vec<usize>,
    /// How deep the numbers stand.
    numbers: Option<usize>,
}

struct Entries<'a> {
    numbers: &'a mut Vec<f64>,
    shape: &'a mut Shape,
    depth: usize,
}

impl Entries<'_> {
    fn put<E: serde::de::Error>(self, x: f64) -> Result<(), E> {
        if *self.shape.numbers.get_or_insert(self.depth) != self.depth || self.shape.sizes.len() > self.depth {
            return Err(ragged());
        }
        self.numbers.push(x);
        Ok(())
    }
}

fn ragged<E: serde::de::Error>() -> E {
    E::custom("lists of different lengths or depths, where all are to be of one")
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or lists of numbers")
    }
    fn visit_f64<E: serde::de::Error>(self, x: f64) -> Result<(), E> {
        self.put(x)
    }
    fn visit_u64<E: serde::de::Error>(self, x: u64) -> Result<(), E> {
        self.put(x as f64)
    }
    fn visit_i64<E: serde::de::Error>(self, x: i64) -> Result<(), E> {
        self.put(x as f64)
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.put(f64::NAN)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match named(text) {
            Some(x) => self.put(x),
            None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { numbers, shape, depth } = self;
        if shape.numbers.is_some_and(|known| known <= depth) {
            return Err(ragged());
        }
        let mut size = 0;
        while list
            .next_element_seed(Entries { numbers: &mut *numbers, shape: &mut *shape, depth: depth + 1 })?
            .is_some()
        {
            size += 1;
        }
        // Inner lists end before outer ones: their sizes are put in front of what is not known yet.
        while shape.sizes.len() <= depth {
            shape.sizes.push(usize::MAX);
        }
        match shape.sizes[depth] {
            usize::MAX => shape.sizes[depth] = size,
            known if known == size => {}
            _ => return Err(ragged()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = concat!(
        r#"{"sum_rate":{"value":1.5,"unit":"bit/s/Hz","simulated":{"value":1.25,"standard_error":0.5,"draws":9}},"#,
        r#""rate":{"value":[1.0,"inf",-0.0],"unit":"bit/s/Hz","estimated":{"music":{"value":[1.0,2.0,3.0],"#,
        r#""standard_error":[0.1,0.2,"nan"],"draws":4}}},"gain":{"value":[[1.0,2.0],[3.0,4.0],[5.0,6.0]],"unit":"1"}}"#
    );

    #[test]
    fn metrics_survive_json_to_the_bit_and_share_their_form() {
        let mut metrics: Metrics = serde_json::from_str(TEXT).unwrap();
        assert_eq!(serde_json::to_string(&metrics).unwrap(), TEXT);
        let rate = metrics.get("rate").unwrap();
        assert_eq!(
            (rate.entries(), rate.unit(), rate.is_scalar()),
            (&[1.0, f64::INFINITY, 0.0][..], "bit/s/Hz", false)
        );
        assert_eq!(
            rate.estimated().next().map(|(name, drawn)| (name, drawn.value[2], drawn.draws)),
            Some(("music", 3.0, 4))
        );
        let sum = metrics.get("sum_rate").unwrap();
        let drawn = Drawn { value: &[1.25], standard_error: &[0.5], draws: 9 };
        assert_eq!((sum.entries(), sum.simulated()), (&[1.5][..], Some(drawn)));
        assert!(metrics.get("gain").unwrap().simulated().is_none() && metrics.get("bound").is_none());
        let mut others: Metrics = serde_json::from_str(&TEXT.replace("1.5", "2.5")).unwrap();
        let mut forms = Forms::default();
        forms.share(&mut metrics);
        forms.share(&mut others);
        assert!(metrics.alike(&others) && metrics != others);
        assert_eq!(others.get("sum_rate").unwrap().entries(), [2.5]);
    }

    #[test]
    fn metrics_put_together_are_those_that_are_read() {
        let mut built = Metrics::default();
        built.push(&MetricInfo::new("sum_rate", "bit/s/Hz", &[], "", ""), &[1.5]);
        built.push(&MetricInfo::new("rate", "bit/s/Hz", &[3], "", ""), &[1.0, f64::INFINITY, -0.0]);
        built.push(&MetricInfo::new("gain", "1", &[3, 2], "", ""), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let errors = [0.1, 0.2, f64::NAN];
        assert!(built.put_estimated(
            "rate",
            "music",
            Drawn { value: &[1.0, 2.0, 3.0], standard_error: &errors, draws: 4 }
        ));
        assert!(built.put_simulated("sum_rate", Drawn { value: &[1.25], standard_error: &[0.5], draws: 9 }));
        assert!(!built.put_simulated("bound", Drawn { value: &[], standard_error: &[], draws: 0 }));
        assert_eq!(serde_json::to_string(&built).unwrap(), TEXT);
        let finite = |text: &str| text.replace("\"nan\"", "0.5");
        let read: Metrics = serde_json::from_str(&finite(TEXT)).unwrap();
        let again: Metrics = serde_json::from_str(&finite(&serde_json::to_string(&built).unwrap())).unwrap();
        assert_eq!(read, again);
    }

    #[test]
    fn what_is_no_rectangle_is_refused() {
        for value in ["[1.0,[2.0]]", "[[1.0],2.0]", "[[1.0],[1.0,2.0]]", "[[],[1.0]]", "\"much\"", "{}", "true"] {
            let text = format!("{{\"rate\":{{\"value\":{value},\"unit\":\"1\"}}}}");
            assert!(serde_json::from_str::<Metrics>(&text).is_err(), "{value}");
        }
        let other = TEXT.replace("[1.0,2.0,3.0]", "[1.0,2.0]").replace("[0.1,0.2,\"nan\"]", "[0.1,0.2]");
        let message = serde_json::from_str::<Metrics>(&other).unwrap_err().to_string();
        assert!(message.contains("`rate`") && message.contains("shapes"), "{message}");
        assert!(
            serde_json::from_str::<Metrics>("{\"rate\":{\"unit\":\"1\"}}").unwrap_err().to_string().contains("value")
        );
    }
}
