//! Writes MATLAB's `.mat` files of level 5, compressed as `save -v7` does it. What is read back is in
//! [`super::matlab`].

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::matlab::{COMPLEX, LOGICAL, class, element};
use super::node::{Array, Entries, Node};
use super::numpy::columns_of;
use crate::error::{Error, InputError, Result};

/// A file of the parts of a tree, a variable each.
pub fn write(parts: &[(String, Node)]) -> Result<Vec<u8>> {
    let mut out = format!("MATLAB 5.0 MAT-file, written by isacopt {}", env!("CARGO_PKG_VERSION")).into_bytes();
    out.resize(124, b' ');
    out.extend([0, 1, b'I', b'M']);
    for (name, node) in parts {
        check_name(name, name)?;
        let node = if name == "designs" { designs(node) } else { node.clone() };
        let mut variable = Vec::new();
        matrix(&mut variable, name, &node, name)?;
        let broken = |e| Error::Numerical(format!("`{name}` cannot be compressed: {e}"));
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(&variable).map_err(broken)?;
        let packed = packer.finish().map_err(broken)?;
        out.extend(element::COMPRESSED.to_le_bytes());
        out.extend(size(packed.len(), name)?);
        out.extend(packed);
    }
    Ok(out)
}

/// Whether MATLAB allows a name for variables and fields.
fn valid(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    letters && name.len() <= 63 && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

fn check_name(name: &str, place: &str) -> Result<()> {
    match valid(name) {
        true => Ok(()),
        false => {
            let allowed = "in a .mat file: a letter, then letters, digits and _, at most 63";
            Err(InputError::new(place, format!("the name `{name}`"), allowed).into())
        }
    }
}

/// Designs with names that MATLAB does not allow become a struct array with the fields `name` and `blocks`.
fn designs(node: &Node) -> Node {
    match node {
        Node::Object(named) if !named.iter().all(|(name, _)| valid(name)) => {
            let entry = |(name, blocks): &(String, Node)| {
                let text = Array { shape: Vec::new(), entries: Entries::Text(vec![name.clone()]) };
                Node::Object(vec![("name".into(), Node::Array(text)), ("blocks".into(), blocks.clone())])
            };
            Node::List(named.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

fn size(bytes: usize, place: &str) -> Result<[u8; 4]> {
    let size = u32::try_from(bytes).map_err(|_| InputError::new(place, "more than 4 GiB", "less in a .mat file"))?;
    Ok(size.to_le_bytes())
}

/// An element: its type, the size of its data, the data, and zeros up to a multiple of 8 bytes.
fn put(out: &mut Vec<u8>, kind: u32, data: &[u8], place: &str) -> Result<()> {
    out.extend(kind.to_le_bytes());
    out.extend(size(data.len(), place)?);
    out.extend(data);
    out.resize(out.len().next_multiple_of(8), 0);
    Ok(())
}

fn matrix(out: &mut Vec<u8>, name: &str, node: &Node, place: &str) -> Result<()> {
    let mut data = Vec::new();
    match node {
        Node::Null => header(&mut data, class::DOUBLE.into(), &[0, 0], name, place)?,
        Node::Array(Array { shape, entries: Entries::Text(texts) }) if shape.is_empty() => {
            text(&mut data, name, texts.first().map_or("", String::as_str), place)?;
        }
        Node::Array(Array { entries: Entries::Text(texts), .. }) => {
            header(&mut data, class::CELL.into(), &[texts.len(), 1], name, place)?;
            for entry in texts {
                let mut part = Vec::new();
                text(&mut part, "", entry, place)?;
                put(&mut data, element::MATRIX, &part, place)?;
            }
        }
        Node::Array(array) => numeric(&mut data, name, array, place)?,
        Node::Object(fields) => structure(&mut data, name, &[fields], place)?,
        Node::List(parts) => {
            let objects: Option<Vec<&Vec<(String, Node)>>> = parts
                .iter()
                .map(|part| match part {
                    Node::Object(fields) => Some(fields),
                    _ => None,
                })
                .collect();
            let names = |fields: &[(String, Node)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            match objects {
                Some(objects) if objects.len() > 1 && objects.iter().all(|o| names(o) == names(objects[0])) => {
                    structure(&mut data, name, &objects, place)?;
                }
                _ => {
                    header(&mut data, class::CELL.into(), &[parts.len(), 1], name, place)?;
                    for (i, part) in parts.iter().enumerate() {
                        matrix(&mut data, "", part, &format!("{place}{{{}}}", i + 1))?;
                    }
                }
            }
        }
    }
    put(out, element::MATRIX, &data, place)
}

fn header(data: &mut Vec<u8>, flags: u32, sides: &[usize], name: &str, place: &str) -> Result<()> {
    let mut words = Vec::new();
    words.extend(flags.to_le_bytes());
    words.extend([0; 4]);
    put(data, element::UINT32, &words, place)?;
    let sides: Option<Vec<i32>> = sides.iter().map(|n| i32::try_from(*n).ok()).collect();
    let sides = sides.ok_or_else(|| InputError::new(place, "more than 2^31 entries", "less in a .mat file"))?;
    put(data, element::INT32, &sides.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>(), place)?;
    put(data, element::INT8, name.as_bytes(), place)
}

fn text(data: &mut Vec<u8>, name: &str, text: &str, place: &str) -> Result<()> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = units.len() / 2;
    header(data, class::CHAR.into(), &[usize::from(length > 0), length], name, place)?;
    put(data, element::UINT16, &units, place)
}

fn structure(data: &mut Vec<u8>, name: &str, objects: &[&Vec<(String, Node)>], place: &str) -> Result<()> {
    header(data, class::STRUCT.into(), &[1, objects.len()], name, place)?;
    let fields: Vec<&str> = objects[0].iter().map(|(name, _)| name.as_str()).collect();
    let width = fields.iter().map(|f| f.len() + 1).max().unwrap_or(0).max(32);
    // The length of the names stands in a small element, as MATLAB wants it.
    data.extend((4 << 16 | element::INT32).to_le_bytes());
    data.extend((width as u32).to_le_bytes());
    let mut names = Vec::new();
    for field in &fields {
        check_name(field, &format!("{place}.{field}"))?;
        names.extend(field.as_bytes());
        names.resize(names.len().next_multiple_of(width), 0);
    }
    put(data, element::INT8, &names, place)?;
    for object in objects {
        for (field, node) in *object {
            matrix(data, "", node, &format!("{place}.{field}"))?;
        }
    }
    Ok(())
}

/// Numbers, column by column; a vector is a column.
fn numeric(data: &mut Vec<u8>, name: &str, array: &Array, place: &str) -> Result<()> {
    let sides = match array.shape.as_slice() {
        [] => vec![1, 1],
        [0] => vec![0, 1],
        [length] => vec![*length, 1],
        sides => sides.to_vec(),
    };
    // For each place column by column, the entry row by row.
    let mut order = vec![0; sides.iter().product()];
    columns_of(&sides).into_iter().enumerate().for_each(|(row, column)| order[column] = row);
    let doubles = |x: &dyn Fn(usize) -> f64| order.iter().flat_map(|i| x(*i).to_le_bytes()).collect::<Vec<u8>>();
    let double = u32::from(class::DOUBLE);
    match &array.entries {
        Entries::Real(x) => {
            header(data, double, &sides, name, place)?;
            put(data, element::DOUBLE, &doubles(&|i| x[i]), place)
        }
        // MATLAB counts in doubles; those too large for them stay whole.
        Entries::Whole(x) if x.iter().all(|x| x.unsigned_abs() <= 1 << 53) => {
            header(data, double, &sides, name, place)?;
            put(data, element::DOUBLE, &doubles(&|i| x[i] as f64), place)
        }
        Entries::Whole(x) => {
            header(data, u32::from(class::UINT64) - 1, &sides, name, place)?;
            put(data, element::INT64, &order.iter().flat_map(|i| x[*i].to_le_bytes()).collect::<Vec<u8>>(), place)
        }
        Entries::Complex(z) => {
            header(data, double | COMPLEX, &sides, name, place)?;
            put(data, element::DOUBLE, &doubles(&|i| z[i].re), place)?;
            put(data, element::DOUBLE, &doubles(&|i| z[i].im), place)
        }
        Entries::Logical(x) => {
            header(data, u32::from(class::UINT8) | LOGICAL, &sides, name, place)?;
            put(data, element::UINT8, &order.iter().map(|i| u8::from(x[*i])).collect::<Vec<u8>>(), place)
        }
        Entries::Text(_) => Ok(()),
    }
}
