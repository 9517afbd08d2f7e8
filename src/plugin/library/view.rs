//! A problem or a system as a library sees it: the tables of the binary interface, and what they point to.

use isacopt_plugin::abi;

use crate::design::{DesignSpace, Domain};

/// Text as the interface has it; it lives as long as its owner.
pub(super) fn text(text: &str) -> abi::Text {
    abi::Text { data: text.as_ptr(), length: text.len() }
}

/// The blocks of a space as tables, with all that they point to.
struct Blocks {
    tables: Box<[abi::Block]>,
    // The tables point into these, which do not move.
    _space: Box<DesignSpace>,
}

impl Blocks {
    fn new(space: &DesignSpace, fixed: &dyn Fn(&str) -> bool) -> Self {
        let space = Box::new(space.clone());
        let table = |(index, block): (usize, &crate::Block)| {
            let (domain, levels) = match &block.domain {
                Domain::NonNegative => (abi::DOMAIN_NON_NEGATIVE, 0),
                Domain::Box { .. } => (abi::DOMAIN_BOX, 0),
                Domain::Phase => (abi::DOMAIN_PHASE, 0),
                Domain::Level { levels } => (abi::DOMAIN_LEVEL, *levels),
                Domain::QuantizedPhase { levels } => (abi::DOMAIN_QUANTIZED_PHASE, *levels),
                Domain::Complex => (abi::DOMAIN_COMPLEX, 0),
                Domain::Hermitian => (abi::DOMAIN_HERMITIAN, 0),
            };
            let (lower, upper) = match &block.domain {
                Domain::Box { lower, upper } => (lower.as_ptr(), upper.as_ptr()),
                _ => (std::ptr::null(), std::ptr::null()),
            };
            let range = space.range(index);
            abi::Block {
                name: text(&block.name),
                offset: range.start,
                coordinates: range.len(),
                shape: block.shape.as_ptr(),
                dimensions: block.shape.len(),
                domain,
                levels,
                fixed: u32::from(fixed(&block.name)),
                reserved: 0,
                scale: block.scale,
                lower,
                upper,
            }
        };
        let tables = space.blocks().iter().enumerate().map(table).collect();
        Self { tables, _space: space }
    }
}

/// A problem's table.
pub(super) struct ProblemView {
    table: Box<abi::Problem>,
    _blocks: Blocks,
    _free: Box<[usize]>,
    _description: Box<str>,
}

/// What a view of a problem holds beside its blocks.
pub(super) struct Facts {
    /// The number of limits.
    pub limits: usize,
    /// Whether more of the objective is better.
    pub maximize: bool,
    /// Whether designs can be repaired.
    pub repairs: bool,
    /// Whether there are gradients.
    pub gradients: bool,
    /// The problem in JSON.
    pub description: String,
}

// The pointers lead into the view itself, and nothing is written behind them.
unsafe impl Send for ProblemView {}

impl ProblemView {
    /// The view of a problem on a space.
    pub fn new(space: &DesignSpace, fixed: &dyn Fn(&str) -> bool, facts: Facts) -> Self {
        let blocks = Blocks::new(space, fixed);
        let free = space.blocks().iter().enumerate().filter(|(_, block)| !fixed(&block.name));
        let free: Box<[usize]> = free.flat_map(|(index, _)| space.range(index)).collect();
        let description = facts.description.into_boxed_str();
        let table = Box::new(abi::Problem {
            struct_size: size_of::<abi::Problem>(),
            block_size: size_of::<abi::Block>(),
            blocks: blocks.tables.as_ptr(),
            block_count: blocks.tables.len(),
            coordinates: space.len(),
            free: free.as_ptr(),
            free_count: free.len(),
            limits: facts.limits,
            direction: if facts.maximize { 1 } else { -1 },
            repairs: u32::from(facts.repairs),
            gradients: u32::from(facts.gradients),
            reserved: 0,
            description: text(&description),
        });
        Self { table, _blocks: blocks, _free: free, _description: description }
    }

    /// Its table.
    pub fn table(&self) -> &abi::Problem {
        &self.table
    }
}

/// A system's table for a metric: the blocks of its designs, and the metrics that are needed.
pub(super) struct SystemView {
    table: Box<abi::System>,
    _blocks: Blocks,
    _metrics: Box<[abi::Metric]>,
    _names: Box<[String]>,
}

impl SystemView {
    /// The view of a space, and of metrics by their names and lengths.
    pub fn new(space: &DesignSpace, needs: &[(String, usize)]) -> Self {
        let blocks = Blocks::new(space, &|_| false);
        let names: Box<[String]> = needs.iter().map(|(name, _)| name.clone()).collect();
        let metric = |(name, (_, length)): (&String, &(String, usize))| abi::Metric { id: text(name), length: *length };
        let metrics: Box<[abi::Metric]> = names.iter().zip(needs).map(metric).collect();
        let table = Box::new(abi::System {
            struct_size: size_of::<abi::System>(),
            block_size: size_of::<abi::Block>(),
            blocks: blocks.tables.as_ptr(),
            block_count: blocks.tables.len(),
            coordinates: space.len(),
            metric_size: size_of::<abi::Metric>(),
            metrics: metrics.as_ptr(),
            metric_count: metrics.len(),
        });
        Self { table, _blocks: blocks, _metrics: metrics, _names: names }
    }

    /// Its table.
    pub fn table(&self) -> &abi::System {
        &self.table
    }
}
