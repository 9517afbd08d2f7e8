//! A design space from its blocks as they stand on the wire.

use serde_json::Value;

use crate::design::{Block, DesignSpace, Domain};

/// The space of blocks in the wire's form. `limits` holds the least value of each coordinate and then the largest; without
/// it boxes have none.
pub(super) fn read_space(blocks: &Value, limits: Option<&[f64]>) -> Result<DesignSpace, String> {
    let blocks = blocks.as_array().ok_or("the design's blocks are no list")?;
    let mut offset = 0;
    let total = limits.map_or(0, |limits| limits.len() / 2);
    let read = |block: &Value| {
        let word = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
        let shape = block.get("shape").and_then(Value::as_array).ok_or("a block has no shape")?;
        let shape = shape.iter().map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or("a shape is wrong"));
        let shape: Vec<usize> = shape.collect::<Result<_, _>>()?;
        let scale = block.get("scale").and_then(crate::metric::number_from_json).unwrap_or(1.0);
        let domain = domain(block, word("kind"))?;
        let mut block = Block::new(word("name"), &shape, domain, scale, word("description"));
        let range = offset..offset + block.coordinates();
        offset = range.end;
        if let Domain::Box { lower, upper } = &mut block.domain {
            (*lower, *upper) = match limits {
                Some(limits) if range.end <= total => {
                    (limits[range.clone()].to_vec(), limits[total + range.start..total + range.end].to_vec())
                }
                _ => (vec![f64::NEG_INFINITY; range.len()], vec![f64::INFINITY; range.len()]),
            };
        }
        Ok(block)
    };
    let blocks = blocks.iter().map(read).collect::<Result<Vec<_>, String>>()?;
    Ok(DesignSpace::new(blocks))
}

fn domain(block: &Value, kind: &str) -> Result<Domain, String> {
    Ok(match kind {
        "non_negative" => Domain::NonNegative,
        "box" => Domain::Box { lower: Vec::new(), upper: Vec::new() },
        "phase" => Domain::Phase,
        "level" => {
            let levels = block.get("levels").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            Domain::Level { levels: levels.ok_or("a block of levels does not say how many")? }
        }
        "quantized_phase" => {
            let levels = block.get("levels").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            Domain::QuantizedPhase { levels: levels.ok_or("a block of quantized phases does not say how many")? }
        }
        "complex" => Domain::Complex,
        "hermitian" => Domain::Hermitian,
        other => return Err(format!("a block is of the kind `{other}`, which there is not")),
    })
}
