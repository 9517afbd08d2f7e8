//! A plugin's metric on a model that has what it is made of.

use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::blocks_json;
use super::{Backend, Plugin};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::metric::{Metric, MetricInfo, MetricSet, MetricValues};
use crate::model::SystemModel;

/// A metric that a plugin computes, one message a design.
pub struct PluginMetric {
    info: MetricInfo,
    needs: MetricSet,
    header: Value,
    order: Vec<usize>,
    backend: Arc<dyn Backend>,
}

impl PluginMetric {
    /// The metrics of a plugin that are defined on a model: those whose needs are among the model's own metrics.
    pub fn all(plugin: &Plugin, model: &dyn SystemModel) -> Vec<Self> {
        let offered = plugin.manifest().metrics.iter().filter_map(|offered| {
            let mut needs = MetricSet::EMPTY;
            let mut order = Vec::new();
            for name in &offered.needs {
                let index = model.metrics().iter().position(|m| m.id == *name)?;
                needs.insert(index);
                order.push(index);
            }
            let mut next = 0;
            let wire: Vec<Value> = order
                .iter()
                .map(|index| {
                    let info = &model.metrics()[*index];
                    next += info.len();
                    json!({ "name": info.id, "shape": info.shape, "range": [next - info.len(), next] })
                })
                .collect();
            let header = json!({ "type": "metric", "metric": offered.name, "needs": wire,
                "blocks": blocks_json(model.space(), &|_| false) });
            let source = format!("plugin {} {}", plugin.manifest().name, plugin.manifest().version);
            let info = MetricInfo {
                direction: offered.direction,
                logarithmic: offered.logarithmic,
                ..MetricInfo::new(&offered.name, &offered.unit, &[], &offered.description, &source)
            };
            Some(Self { info, needs, header, order, backend: plugin.backend_shared() })
        });
        offered.collect()
    }
}

impl Metric for PluginMetric {
    fn info(&self) -> &MetricInfo {
        &self.info
    }

    fn needs(&self) -> MetricSet {
        self.needs
    }

    fn value(&self, _: &dyn SystemModel, design: &Design, values: &MetricValues, out: &mut [f64]) -> Result<()> {
        let mut payload = Vec::with_capacity(design.len() + 8);
        self.order.iter().for_each(|index| payload.extend_from_slice(values.get(*index)));
        payload.extend_from_slice(design);
        let answer = self.backend.ask(None, &self.header, &payload)?;
        if answer.payload.len() != out.len() {
            let reason = format!("its metric `{}` is {} numbers, not one", self.info.id, answer.payload.len());
            return Err(Error::Plugin { plugin: self.backend.manifest().name.clone(), reason });
        }
        out.copy_from_slice(&answer.payload);
        Ok(())
    }
}
