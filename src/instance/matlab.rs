//! MATLAB's `.mat` files of level 5 (`save -v6` and `save -v7`, also Octave's), read into JSON trees: struct variables
//! are objects, char rows texts, cells lists, struct arrays lists of objects. (MathWorks, "MAT-File Format".)
//!
//! An array with one row or one column is a vector, one of size 1 x 1 a number, `[]` is `null`. `designs` may be a
//! struct whose fields are the designs' names, or, for names that MATLAB does not allow, a struct array (or cell of
//! structs) with the fields `name` and `blocks`.

use std::io::Read;

use flate2::read::ZlibDecoder;
use num_complex::Complex;
use serde_json::{Map, Value, json};

use super::LARGEST_FILE;
use super::node::{Array, Entries, MOST_NUMBERS, count};
use super::numpy::rows_first;
use crate::error::{InputError, Result};

/// The types of stored elements.
pub(super) mod element {
    pub const INT8: u32 = 1;
    pub const UINT8: u32 = 2;
    pub const INT16: u32 = 3;
    pub const UINT16: u32 = 4;
    pub const INT32: u32 = 5;
    pub const UINT32: u32 = 6;
    pub const SINGLE: u32 = 7;
    pub const DOUBLE: u32 = 9;
    pub const INT64: u32 = 12;
    pub const UINT64: u32 = 13;
    pub const MATRIX: u32 = 14;
    pub const COMPRESSED: u32 = 15;
    pub const UTF8: u32 = 16;
    pub const UTF16: u32 = 17;
    pub const UTF32: u32 = 18;
}

/// The classes of arrays.
pub(super) mod class {
    pub const CELL: u8 = 1;
    pub const STRUCT: u8 = 2;
    pub const CHAR: u8 = 4;
    pub const SPARSE: u8 = 5;
    pub const DOUBLE: u8 = 6;
    pub const UINT8: u8 = 9;
    pub const UINT64: u8 = 15;
}

/// The flags of arrays.
pub(super) const COMPLEX: u32 = 0x0800;
pub(super) const LOGICAL: u32 = 0x0200;

/// Structs and cells deeper than this are refused.
const DEEPEST: usize = 16;

const ALLOWED: &str = "a .mat file as save('-v7', ...) writes it";

/// Whether bytes begin like a `.mat` file of level 5.
pub fn recognized(bytes: &[u8]) -> bool {
    matches!(bytes.get(124..128), Some([0, 1, b'I', b'M'] | [1, 0, b'M', b'I']))
}

/// Reads the variables of a file as a JSON object.
pub fn read(bytes: &[u8]) -> Result<Value> {
    let big_endian = bytes.get(126) == Some(&b'M');
    let mut reader = Reader { big_endian, bytes_left: LARGEST_FILE, numbers_left: MOST_NUMBERS };
    let mut tree = Map::new();
    let mut rest = bytes.get(128..).unwrap_or(&[]);
    while !rest.is_empty() {
        let mistake = |found: String| InputError::new("", found, ALLOWED);
        let (kind, data) = reader.element(&mut rest).map_err(mistake)?;
        let inflated;
        let (kind, data) = match kind {
            element::COMPRESSED => {
                inflated = reader.inflate(data).map_err(mistake)?;
                reader.element(&mut inflated.as_slice()).map_err(mistake)?
            }
            kind => (kind, data),
        };
        if kind != element::MATRIX {
            return Err(mistake(format!("an element of type {kind} where a variable should begin")).into());
        }
        let (name, value) = reader.variable(data)?;
        if tree.insert(name.clone(), value).is_some() {
            return Err(InputError::new(name, "a second variable of this name", "each name once").into());
        }
    }
    if let Some(Value::Array(items)) = tree.get("designs")
        && let Some(named) = named_designs(items)
    {
        tree.insert("designs".into(), named);
    }
    Ok(Value::Object(tree))
}

/// Designs from a list of `{name, blocks}`; none where it is not one.
fn named_designs(items: &[Value]) -> Option<Value> {
    let mut designs = Map::new();
    for item in items {
        let object = item.as_object().filter(|o| o.len() == 2)?;
        designs.insert(object.get("name")?.as_str()?.to_string(), object.get("blocks")?.clone());
    }
    (designs.len() == items.len()).then_some(Value::Object(designs))
}

struct Reader {
    big_endian: bool,
    bytes_left: u64,
    numbers_left: usize,
}

impl Reader {
    fn word(&self, bytes: &[u8]) -> u32 {
        self.raw(&bytes[..4]) as u32
    }

    fn raw(&self, bytes: &[u8]) -> u64 {
        let join = |x: u64, b: &u8| x << 8 | u64::from(*b);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }

    /// Takes the next element off: its type and data.
    fn element<'a>(&self, rest: &mut &'a [u8]) -> Result<(u32, &'a [u8]), String> {
        let cut = || "a .mat file that is cut off".to_string();
        let head = rest.get(..8).ok_or_else(cut)?;
        let first = self.word(head);
        if first >> 16 != 0 {
            // A small element: up to 4 bytes of data in the tag itself.
            let size = (first >> 16) as usize;
            let data = head.get(4..4 + size).ok_or_else(|| "a small element of more than 4 bytes".to_string())?;
            *rest = &rest[8..];
            return Ok((first & 0xffff, data));
        }
        let size = self.word(&head[4..]) as usize;
        let data = rest.get(8..).and_then(|r| r.get(..size)).ok_or_else(cut)?;
        // Elements end at multiples of 8 bytes, compressed ones where they end; the last padding may be missing.
        let padded = if first == element::COMPRESSED { size } else { size.next_multiple_of(8) };
        *rest = rest.get(8 + padded..).unwrap_or(&[]);
        Ok((first, data))
    }

    fn inflate(&mut self, data: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let read = ZlibDecoder::new(data).take(self.bytes_left + 1).read_to_end(&mut out);
        read.map_err(|e| format!("broken compressed data ({e})"))?;
        let left = self.bytes_left.checked_sub(out.len() as u64);
        self.bytes_left = left.ok_or_else(|| format!("more than {LARGEST_FILE} bytes"))?;
        Ok(out)
    }

    fn variable(&mut self, data: &[u8]) -> Result<(String, Value)> {
        let mut place = String::new();
        let value = self.matrix(data, &mut place, 0).map_err(|found| InputError::new(place.clone(), found, ALLOWED))?;
        Ok((place, value))
    }

    /// An array; `place` is its path, its own name put behind at the top, and the place of a mistake where one is found.
    fn matrix(&mut self, mut data: &[u8], place: &mut String, depth: usize) -> Result<Value, String> {
        if data.is_empty() {
            return Ok(Value::Null);
        }
        if depth > DEEPEST {
            return Err(format!("structs and cells more than {DEEPEST} deep"));
        }
        let (_, flags) = self.element(&mut data)?;
        let flags = if flags.len() == 8 { self.word(flags) } else { return Err("a broken array header".into()) };
        let class = (flags & 0xff) as u8;
        match class {
            class::CELL | class::STRUCT | class::CHAR | class::DOUBLE..=class::UINT64 => {}
            class::SPARSE => return Err("a sparse matrix; full(...) makes a plain one".into()),
            3 | 17 => return Err("an object (a string in double quotes is one: use single quotes)".into()),
            other => return Err(format!("an array of class {other}, neither numbers nor text")),
        }
        let (kind, sides) = self.element(&mut data)?;
        if kind != element::INT32 || sides.len() % 4 != 0 || !(8..=32).contains(&sides.len()) {
            return Err("an array of fewer than 2 or more than 8 dimensions".into());
        }
        let sides: Option<Vec<usize>> =
            sides.chunks_exact(4).map(|b| usize::try_from(self.word(b) as i32).ok()).collect();
        let sides = sides.ok_or("an array of a negative size")?;
        let many = || format!("shape {sides:?}: more than {MOST_NUMBERS} numbers in the file");
        let entries = count(&sides, self.numbers_left).ok_or_else(many)?;
        self.numbers_left -= entries;
        let (_, name) = self.element(&mut data)?;
        if depth == 0 {
            place.push_str(&String::from_utf8_lossy(name));
        }
        match class {
            class::CELL => {
                let items = self.parts(&mut data, entries, |i| format!("{{{}}}", i + 1), place, depth)?;
                Ok(Value::Array(items))
            }
            class::STRUCT => self.structure(&mut data, &sides, entries, place, depth),
            class::CHAR => self.text(&mut data, &sides),
            _ => self.numeric(&mut data, flags, sides, entries),
        }
    }

    /// Some arrays in a row. Their number is held against the bytes that there are.
    fn parts(
        &mut self,
        data: &mut &[u8],
        number: usize,
        name: impl Fn(usize) -> String,
        place: &mut String,
        depth: usize,
    ) -> Result<Vec<Value>, String> {
        if number > data.len() / 8 {
            return Err("a .mat file that is cut off".into());
        }
        let length = place.len();
        let mut items = Vec::with_capacity(number);
        for i in 0..number {
            place.push_str(&name(i));
            let (kind, part) = self.element(data)?;
            if kind != element::MATRIX {
                return Err(format!("an element of type {kind} where an array should begin"));
            }
            items.push(self.matrix(part, place, depth + 1)?);
            place.truncate(length);
        }
        Ok(items)
    }

    fn structure(
        &mut self,
        data: &mut &[u8],
        sides: &[usize],
        entries: usize,
        place: &mut String,
        depth: usize,
    ) -> Result<Value, String> {
        let (_, width) = self.element(data)?;
        let width = if width.len() == 4 { self.word(width) as usize } else { 0 };
        let (_, names) = self.element(data)?;
        if names.is_empty() {
            return if entries == 1 { Ok(json!({})) } else { Ok(json!([])) };
        }
        if width == 0 {
            return Err("a struct whose field names have no length".into());
        }
        let name = |b: &[u8]| String::from_utf8_lossy(b.split(|c| *c == 0).next().unwrap_or(&[])).into_owned();
        let names: Vec<String> = names.chunks(width).map(name).collect();
        let number = names.len().checked_mul(entries).ok_or("a struct array that is too large")?;
        let whole = |i: usize| match sides.iter().all(|n| *n == 1) {
            true => format!(".{}", names[i]),
            false => format!("({}).{}", i / names.len() + 1, names[i % names.len()]),
        };
        let mut values = self.parts(data, number, whole, place, depth)?.into_iter();
        let mut objects = Vec::new();
        for _ in 0..entries {
            objects.push(Value::Object(names.iter().cloned().zip(values.by_ref()).collect()));
        }
        match (entries, objects.pop()) {
            (1, Some(object)) => Ok(object),
            (_, last) => {
                objects.extend(last);
                Ok(Value::Array(objects))
            }
        }
    }

    fn text(&self, data: &mut &[u8], sides: &[usize]) -> Result<Value, String> {
        if sides.contains(&0) {
            return Ok("".into());
        }
        if sides.iter().skip(1).product::<usize>() != sides[1] || sides[0] != 1 {
            return Err(format!("text of shape {sides:?}, not one row (a cell holds several texts)"));
        }
        let (kind, bytes) = self.element(data)?;
        let text = match kind {
            element::UTF8 => String::from_utf8(bytes.to_vec()).ok(),
            element::INT8 | element::UINT8 => Some(bytes.iter().map(|b| char::from(*b)).collect()),
            element::UINT16 | element::INT16 | element::UTF16 => {
                let units: Vec<u16> = bytes.chunks_exact(2).map(|b| self.raw(b) as u16).collect();
                String::from_utf16(&units).ok()
            }
            element::UTF32 | element::UINT32 => bytes.chunks_exact(4).map(|b| char::from_u32(self.word(b))).collect(),
            _ => None,
        };
        text.map(Value::String).ok_or_else(|| "text that is not Unicode".to_string())
    }

    fn numeric(&self, data: &mut &[u8], flags: u32, sides: Vec<usize>, entries: usize) -> Result<Value, String> {
        if sides.iter().all(|n| *n == 0) {
            return Ok(Value::Null);
        }
        let whole = (class::UINT8 - 1..=class::UINT64).contains(&((flags & 0xff) as u8));
        let entries = if flags & COMPLEX != 0 {
            let (re, im) = (self.reals(data, entries)?, self.reals(data, entries)?);
            Entries::Complex(re.into_iter().zip(im).map(|(re, im)| Complex::new(re, im)).collect())
        } else if flags & LOGICAL != 0 {
            Entries::Logical(self.reals(data, entries)?.into_iter().map(|x| x != 0.0).collect())
        } else if whole {
            self.wholes(data, entries)?
        } else {
            Entries::Real(self.reals(data, entries)?)
        };
        // A row or a column is a vector, 1 x 1 a number.
        let long: Vec<usize> = sides.iter().copied().filter(|n| *n != 1).collect();
        let shape = if long.len() < 2 { long } else { sides };
        Ok(rows_first(Array { shape, entries }).to_json())
    }

    /// The numbers of an element. Doubles may be stored as smaller types where that loses nothing.
    fn reals(&self, data: &mut &[u8], entries: usize) -> Result<Vec<f64>, String> {
        let (kind, bytes) = self.element(data)?;
        let signed = |size: usize| {
            let shift = 64 - 8 * size as u32;
            bytes.chunks_exact(size).map(|b| ((self.raw(b) << shift) as i64 >> shift) as f64).collect::<Vec<_>>()
        };
        let unsigned = |size: usize| bytes.chunks_exact(size).map(|b| self.raw(b) as f64).collect::<Vec<_>>();
        let values = match kind {
            element::DOUBLE => bytes.chunks_exact(8).map(|b| f64::from_bits(self.raw(b))).collect(),
            element::SINGLE => bytes.chunks_exact(4).map(|b| f64::from(f32::from_bits(self.word(b)))).collect(),
            element::INT8 => signed(1),
            element::INT16 => signed(2),
            element::INT32 => signed(4),
            element::INT64 => signed(8),
            element::UINT8 => unsigned(1),
            element::UINT16 => unsigned(2),
            element::UINT32 => unsigned(4),
            element::UINT64 => unsigned(8),
            other => return Err(format!("numbers stored as type {other}")),
        };
        match values.len() == entries {
            true => Ok(values),
            false => Err(format!("{} numbers where the shape needs {entries}", values.len())),
        }
    }

    /// Whole numbers, exact also beyond those that doubles hold.
    fn wholes(&self, data: &mut &[u8], entries: usize) -> Result<Entries, String> {
        let (kind, bytes) = self.element(&mut &**data)?;
        if kind == element::INT64 && bytes.len() == 8 * entries {
            self.element(data)?;
            return Ok(Entries::Whole(bytes.chunks_exact(8).map(|b| self.raw(b) as i64).collect()));
        }
        let values = self.reals(data, entries)?;
        Ok(match values.iter().all(|x| x.abs() < 9e15) {
            true => Entries::Whole(values.into_iter().map(|x| x as i64).collect()),
            false => Entries::Real(values),
        })
    }
}
