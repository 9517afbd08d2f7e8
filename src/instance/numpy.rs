//! NumPy's `.npz`: a ZIP archive of `.npy` arrays. An entry's name is the path of its key, joined by dots
//! (`instance.transmit_array.horizontal`, `designs.NAME.block`); a design's name may hold dots itself.
//!
//! The `.npy` format (versions 1 to 3): a magic text, a version, the length of a header, the header as a Python literal
//! with `descr`, `fortran_order` and `shape`, and the data.

use num_complex::Complex;
use serde_json::{Map, Value};

use super::node::{Array, Entries, MOST_NUMBERS, Node, count};
use super::{LARGEST_FILE, zip};
use crate::error::{InputError, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads an archive as a JSON tree.
pub fn read(bytes: &[u8]) -> Result<Value> {
    const ALLOWED: &str = "an archive of arrays, as numpy.savez writes it";
    let members = zip::members(bytes).map_err(|found| InputError::new("", found, ALLOWED))?;
    let (mut bytes_left, mut numbers_left) = (LARGEST_FILE, MOST_NUMBERS);
    let mut tree = Map::new();
    for member in members {
        let Some(key) = member.name.strip_suffix(".npy") else {
            return Err(InputError::new("", format!("`{}` in it", member.name), ALLOWED).into());
        };
        let mistake = |found: String| InputError::new(key, found, "an array of numbers or text");
        let content = member.read(bytes_left).map_err(mistake)?;
        bytes_left -= content.len() as u64;
        let array = parse(&content, &mut numbers_left).map_err(mistake)?;
        insert(&mut tree, key, array.to_json())?;
    }
    Ok(Value::Object(tree))
}

/// The names along the path that an entry's name is.
fn path(key: &str) -> Vec<&str> {
    let design = key.strip_prefix("designs.").and_then(|rest| rest.rsplit_once('.'));
    match design {
        Some((name, block)) => vec!["designs", name, block],
        None => key.split('.').collect(),
    }
}

fn insert(tree: &mut Map<String, Value>, key: &str, value: Value) -> Result<()> {
    let path = path(key);
    let (last, parents) = path.split_last().unwrap_or((&key, &[]));
    if parents.len() > 16 {
        return Err(InputError::new(key, "more than 16 names joined by dots", "at most 16").into());
    }
    let clash = || InputError::new(key, "another entry in its place", "each key once");
    let mut object = tree;
    for name in parents {
        let slot = object.entry(name.to_string()).or_insert_with(|| Value::Object(Map::new()));
        object = slot.as_object_mut().ok_or_else(clash)?;
    }
    match object.insert(last.to_string(), value) {
        None => Ok(()),
        Some(_) => Err(clash().into()),
    }
}

/// How the entries of an array are stored.
struct Layout {
    kind: u8,
    size: usize,
    big_endian: bool,
}

impl Layout {
    fn of(descr: &str) -> Result<Self, String> {
        let refuse = || format!("an array of dtype '{descr}'");
        let order = descr.bytes().next().ok_or_else(refuse)?;
        let kind = descr.bytes().nth(1).ok_or_else(refuse)?;
        if kind == b'O' {
            return Err("an array of Python objects (plain arrays and texts hold numbers)".into());
        }
        let size: usize = descr.get(2..).and_then(|s| s.parse().ok()).ok_or_else(refuse)?;
        let known = match kind {
            b'f' => [4, 8].contains(&size),
            b'i' | b'u' => [1, 2, 4, 8].contains(&size),
            b'b' => size == 1,
            b'c' => [8, 16].contains(&size),
            b'U' | b'S' => true,
            _ => false,
        };
        if !known || !b"<>|=".contains(&order) {
            return Err(refuse());
        }
        Ok(Self { kind, size, big_endian: order == b'>' })
    }

    fn bytes(&self) -> Option<usize> {
        if self.kind == b'U' { self.size.checked_mul(4) } else { Some(self.size) }
    }

    /// A number's bytes, lowest first, as a whole number.
    fn raw(&self, bytes: &[u8]) -> u64 {
        let join = |x: u64, b: &u8| x << 8 | u64::from(*b);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    fn real(&self, bytes: &[u8]) -> f64 {
        match bytes.len() {
            4 => f64::from(f32::from_bits(self.raw(bytes) as u32)),
            _ => f64::from_bits(self.raw(bytes)),
        }
    }

    fn text(&self, bytes: &[u8]) -> Result<String, String> {
        let text: Option<String> = match self.kind {
            b'U' => bytes.chunks_exact(4).map(|c| char::from_u32(self.raw(c) as u32)).collect(),
            _ => std::str::from_utf8(bytes).ok().map(str::to_string),
        };
        text.map(|t| t.trim_end_matches('\0').to_string()).ok_or_else(|| "a text that is not Unicode".to_string())
    }

    fn entries(&self, data: &[u8]) -> Result<Entries, String> {
        let width = self.bytes().unwrap_or(0).max(1);
        let each = data.chunks_exact(width);
        Ok(match self.kind {
            b'f' => Entries::Real(each.map(|b| self.real(b)).collect()),
            b'c' => {
                let half = width / 2;
                Entries::Complex(each.map(|b| Complex::new(self.real(&b[..half]), self.real(&b[half..]))).collect())
            }
            b'b' => Entries::Logical(each.map(|b| b[0] != 0).collect()),
            b'i' => {
                let shift = 64 - 8 * self.size as u32;
                Entries::Whole(each.map(|b| (self.raw(b) << shift) as i64 >> shift).collect())
            }
            b'u' => {
                let whole: Vec<u64> = each.map(|b| self.raw(b)).collect();
                match whole.iter().map(|x| i64::try_from(*x).ok()).collect() {
                    Some(whole) => Entries::Whole(whole),
                    None => Entries::Real(whole.iter().map(|x| *x as f64).collect()),
                }
            }
            _ => Entries::Text(each.map(|b| self.text(b)).collect::<Result<_, _>>()?),
        })
    }
}

/// Reads the bytes of an `.npy` file; takes its numbers off what is left.
fn parse(bytes: &[u8], left: &mut usize) -> Result<Array, String> {
    let cut = || "an array that is cut off".to_string();
    if !bytes.starts_with(MAGIC) {
        return Err("no .npy array".into());
    }
    let version = *bytes.get(6).ok_or_else(cut)?;
    let (from, length) = match version {
        1 => (10, bytes.get(8..10).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))),
        2 | 3 => (12, bytes.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)),
        other => return Err(format!("an .npy array of version {other}")),
    };
    let end = length.and_then(|n| n.checked_add(from)).ok_or_else(cut)?;
    let header = bytes.get(from..end).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "an .npy header that is no text")?;
    let header = Header::read(header).ok_or("an .npy header that cannot be read")?;
    let layout = Layout::of(&header.descr)?;
    let data = &bytes[end..];
    let many = || format!("shape {:?}: more than {MOST_NUMBERS} numbers in the file", header.shape);
    let entries = if header.shape.len() <= 8 { count(&header.shape, *left) } else { None };
    let entries = entries.ok_or_else(many)?;
    let letters = if matches!(layout.kind, b'U' | b'S') { layout.size.max(1) } else { 1 };
    *left = entries.checked_mul(letters).and_then(|used| left.checked_sub(used)).ok_or_else(many)?;
    let expected = layout.bytes().and_then(|size| size.checked_mul(entries)).ok_or_else(many)?;
    if data.len() != expected {
        return Err(format!("{} bytes of data where shape {:?} needs {expected}", data.len(), header.shape));
    }
    let read = if expected == 0 && entries > 0 {
        // Texts of length 0.
        Entries::Text(vec![String::new(); entries])
    } else {
        layout.entries(data)?
    };
    let array = Array { shape: header.shape, entries: read };
    Ok(if header.fortran { rows_first(array) } else { array })
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
    fn read(text: &str) -> Option<Self> {
        let after = |key: &str| {
            let quoted = [format!("'{key}'"), format!("\"{key}\"")];
            let at = quoted.iter().find_map(|q| text.find(q.as_str()).map(|i| i + q.len()))?;
            text[at..].trim_start().strip_prefix(':').map(str::trim_start)
        };
        let descr = after("descr")?;
        let quote = descr.chars().next()?;
        // A structured type is a list: none of ours.
        let descr = match quote {
            '\'' | '"' => descr[1..].split(quote).next()?.to_string(),
            _ => "structured".to_string(),
        };
        let fortran = after("fortran_order")?;
        let fortran = match () {
            () if fortran.starts_with("True") => true,
            () if fortran.starts_with("False") => false,
            () => return None,
        };
        let shape = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let sides = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        let shape = sides.map(|s| s.trim_end_matches('L').parse().ok()).collect::<Option<_>>()?;
        Some(Self { descr, fortran, shape })
    }
}

/// An array whose entries stand column by column, row by row.
pub(super) fn rows_first(array: Array) -> Array {
    let shape = array.shape;
    let entries = match array.entries {
        Entries::Real(x) => Entries::Real(transposed(&shape, x)),
        Entries::Whole(x) => Entries::Whole(transposed(&shape, x)),
        Entries::Complex(x) => Entries::Complex(transposed(&shape, x)),
        Entries::Logical(x) => Entries::Logical(transposed(&shape, x)),
        Entries::Text(x) => Entries::Text(transposed(&shape, x)),
    };
    Array { shape, entries }
}

fn transposed<T: Clone>(shape: &[usize], x: Vec<T>) -> Vec<T> {
    if shape.iter().filter(|n| **n != 1).count() < 2 {
        return x;
    }
    columns_of(shape).into_iter().map(|i| x[i].clone()).collect()
}

/// For each entry row by row, where it stands column by column.
pub(super) fn columns_of(shape: &[usize]) -> Vec<usize> {
    let total = shape.iter().product();
    let mut strides = vec![1; shape.len()];
    for i in 1..shape.len() {
        strides[i] = strides[i - 1] * shape[i - 1];
    }
    let mut position = vec![0; shape.len()];
    let mut places = Vec::with_capacity(total);
    let mut at = 0;
    for _ in 0..total {
        places.push(at);
        for i in (0..shape.len()).rev() {
            position[i] += 1;
            at += strides[i];
            if position[i] < shape[i] {
                break;
            }
            at -= strides[i] * shape[i];
            position[i] = 0;
        }
    }
    places
}

/// An archive of the parts of a tree; what is null is left out.
pub fn write(parts: &[(String, Node)]) -> Result<Vec<u8>> {
    let mut members = Vec::new();
    for (key, node) in parts {
        collect(key, node, &mut members);
    }
    zip::archive(&members).map_err(|found| InputError::new("", found, "what fits into one .npz file").into())
}

fn collect(key: &str, node: &Node, members: &mut Vec<(String, Vec<u8>)>) {
    match node {
        Node::Null => {}
        Node::Array(array) => members.push((format!("{key}.npy"), npy(array))),
        Node::Object(parts) => parts.iter().for_each(|(name, part)| collect(&format!("{key}.{name}"), part, members)),
        Node::List(parts) => {
            parts.iter().enumerate().for_each(|(i, part)| collect(&format!("{key}.{i}"), part, members));
        }
    }
}

fn npy(array: &Array) -> Vec<u8> {
    let mut data = Vec::new();
    let descr = match &array.entries {
        Entries::Real(x) => {
            x.iter().for_each(|x| data.extend(x.to_le_bytes()));
            "<f8".to_string()
        }
        Entries::Whole(x) => {
            x.iter().for_each(|x| data.extend(x.to_le_bytes()));
            "<i8".to_string()
        }
        Entries::Complex(x) => {
            for z in x {
                data.extend(z.re.to_le_bytes());
                data.extend(z.im.to_le_bytes());
            }
            "<c16".to_string()
        }
        Entries::Logical(x) => {
            data.extend(x.iter().map(|x| u8::from(*x)));
            "|b1".to_string()
        }
        Entries::Text(x) => {
            let longest = x.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1);
            for text in x {
                let letters = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest);
                letters.for_each(|letter| data.extend(letter.to_le_bytes()));
            }
            format!("<U{longest}")
        }
    };
    let sides: String = array.shape.iter().map(|n| format!("{n}, ")).collect();
    let sides = if array.shape.len() == 1 { sides.trim_end().to_string() } else { sides.trim_end_matches(", ").into() };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sides}), }}");
    // Data begin at a multiple of 64 bytes.
    let padding = 63 - (MAGIC.len() + 4 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn array(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Result<Array, String> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        parse(&bytes, &mut 1000)
    }

    #[test]
    fn every_dtype_is_read() {
        let value = |descr, data: &[u8]| array(descr, "False", "()", data).unwrap().to_json();
        assert_eq!(value("<f8", &1.25f64.to_le_bytes()), json!(1.25));
        assert_eq!(value(">f8", &1.25f64.to_be_bytes()), json!(1.25));
        assert_eq!(value("<f4", &0.1f32.to_le_bytes()), json!(f64::from(0.1f32)));
        assert_eq!(value("|i1", &[0xfe]), json!(-2));
        assert_eq!(value(">i2", &(-300i16).to_be_bytes()), json!(-300));
        assert_eq!(value("<u8", &u64::MAX.to_le_bytes()), json!(u64::MAX as f64));
        assert_eq!(value("|b1", &[1]), json!(true));
        assert_eq!(value("<U3", b"z\0\0\0f\0\0\0\0\0\0\0"), json!("zf"));
        assert_eq!(value("|S2", b"zf"), json!("zf"));
        let columns: Vec<u8> = (1..=6).collect();
        assert_eq!(array("|u1", "True", "(2, 3)", &columns).unwrap().to_json(), json!([[1, 3, 5], [2, 4, 6]]));
    }

    #[test]
    fn what_is_no_plain_array_is_refused() {
        let message = |descr, shape, data: &[u8]| array(descr, "False", shape, data).unwrap_err();
        assert!(message("|O", "()", &[]).contains("Python objects"));
        assert!(message("<f2", "()", &[0; 2]).contains("<f2"));
        assert!(message("<f8", "(2,)", &[0; 8]).contains("needs 16"));
        assert!(message("<f8", "(18446744073709551615, 18446744073709551615)", &[]).contains("more than"));
        assert!(message("<f8", "(100000000000, 0)", &[]).contains("more than"));
        assert!(message("<U999999999999999999", "(3,)", &[]).contains("more than"));
        assert!(message("<f8", "(-1,)", &[]).contains("header"));
        assert!(parse(b"\x93NUMPY\x01", &mut 10).is_err() && parse(b"", &mut 10).is_err());
    }

    #[test]
    fn names_with_dots_belong_to_designs() {
        let mut tree = Map::new();
        insert(&mut tree, "instance.a.b", json!(1)).unwrap();
        insert(&mut tree, "designs.my 0.5 share.power", json!(2)).unwrap();
        assert_eq!(
            Value::Object(tree.clone()),
            json!({ "instance": { "a": { "b": 1 } }, "designs": { "my 0.5 share": { "power": 2 } } })
        );
        for clash in ["instance.a", "instance.a.b.c", "instance.a.b"] {
            assert!(insert(&mut tree, clash, json!(1)).is_err(), "{clash}");
        }
    }
}
