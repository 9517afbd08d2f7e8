//! As much of the ZIP format as `.npz` files need: stored and deflated members, read through the central directory
//! (with its 64-bit extensions), written stored. (APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.)
//!
//! Sizes that a file states are limits while reading, never amounts to allocate.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

/// The first bytes of an archive that holds anything.
pub const SIGNATURE: &[u8] = b"PK\x03\x04";

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
/// The bit of the general purpose flags that says that the name is UTF-8.
const UTF8: u16 = 1 << 11;
/// 1 January 1980, the earliest date: equal contents give equal files.
const DATE: u16 = 0x21;

/// A member of an archive.
pub struct Member<'a> {
    /// Its name.
    pub name: String,
    data: &'a [u8],
    method: u16,
    size: u64,
    crc: u32,
}

/// The members of an archive, in the order of its directory. Errors say in words what is broken.
pub fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, String> {
    let end = find_end(bytes).ok_or("a ZIP archive without its end: the file is cut off")?;
    let (mut count, mut at) = (u64::from(half(bytes, end + 10)?), u64::from(word(bytes, end + 16)?));
    let whole = count == 0xffff || at == 0xffff_ffff;
    if whole && let Some(locator) = end.checked_sub(20).filter(|at| word(bytes, *at) == Ok(LOCATOR_64)) {
        let end = index(long(bytes, locator + 8)?)?;
        if word(bytes, end)? != END_64 {
            return Err("a ZIP archive whose 64-bit directory is broken".into());
        }
        (count, at) = (long(bytes, end + 32)?, long(bytes, end + 48)?);
    }
    let mut found = Vec::new();
    let mut at = index(at)?;
    for _ in 0..count {
        if word(bytes, at)? != CENTRAL {
            return Err("a ZIP archive whose directory is broken".into());
        }
        let lengths = [half(bytes, at + 28)?, half(bytes, at + 30)?, half(bytes, at + 32)?].map(usize::from);
        let name = slice(bytes, at + 46, lengths[0])?;
        let extra = slice(bytes, at + 46 + lengths[0], lengths[1])?;
        let mut sizes = [24, 20, 42].map(|offset| word(bytes, at + offset).map_or(0, u64::from));
        wide_sizes(extra, &mut sizes)?;
        let [size, packed, local] = sizes;
        let flags = half(bytes, at + 8)?;
        let name = String::from_utf8_lossy(name).into_owned();
        if flags & 1 == 1 {
            return Err(format!("`{name}` in it is encrypted"));
        }
        let local = index(local)?;
        if word(bytes, local)? != LOCAL {
            return Err(format!("`{name}` in it is not where the directory says"));
        }
        let begin = local + 30 + usize::from(half(bytes, local + 26)?) + usize::from(half(bytes, local + 28)?);
        let data = slice(bytes, begin, index(packed)?)?;
        found.push(Member { name, data, method: half(bytes, at + 10)?, size, crc: word(bytes, at + 16)? });
        at += 46 + lengths.iter().sum::<usize>();
    }
    Ok(found)
}

impl Member<'_> {
    /// Its content, of at most `most` bytes, checked against its checksum.
    pub fn read(&self, most: u64) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        let read = match self.method {
            0 => self.data.take(most + 1).read_to_end(&mut content),
            8 => DeflateDecoder::new(self.data).take(most + 1).read_to_end(&mut content),
            other => return Err(format!("compression method {other}, not stored (0) or deflated (8)")),
        };
        read.map_err(|e| format!("broken data ({e})"))?;
        if content.len() as u64 > most {
            return Err(format!("more than {most} bytes"));
        }
        let mut crc = Crc::new();
        crc.update(&content);
        if content.len() as u64 != self.size || crc.sum() != self.crc {
            return Err("data that do not fit their checksum".into());
        }
        Ok(content)
    }
}

/// The sizes that a 64-bit extra field (tag 1) gives, in place of those that are all ones.
fn wide_sizes(extra: &[u8], sizes: &mut [u64; 3]) -> Result<(), String> {
    let mut at = 0;
    while at + 4 <= extra.len() {
        let (tag, length) = (half(extra, at)?, usize::from(half(extra, at + 2)?));
        if tag == 1 {
            let mut place = at + 4;
            for size in sizes.iter_mut().filter(|s| **s == 0xffff_ffff) {
                *size = long(extra, place)?;
                place += 8;
            }
        }
        at += 4 + length;
    }
    Ok(())
}

/// The end record stands within a comment's length of the file's end.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(22)?;
    (last.saturating_sub(0xffff)..=last).rev().find(|at| word(bytes, *at) == Ok(END))
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], String> {
    let end = at.checked_add(length);
    end.and_then(|end| bytes.get(at..end)).ok_or_else(|| "a ZIP archive that is cut off".to_string())
}

fn index(x: u64) -> Result<usize, String> {
    usize::try_from(x).map_err(|_| "a ZIP archive that is cut off".to_string())
}

fn half(bytes: &[u8], at: usize) -> Result<u16, String> {
    slice(bytes, at, 2).map(|b| u16::from_le_bytes([b[0], b[1]]))
}

fn word(bytes: &[u8], at: usize) -> Result<u32, String> {
    slice(bytes, at, 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn long(bytes: &[u8], at: usize) -> Result<u64, String> {
    Ok(u64::from(word(bytes, at)?) | u64::from(word(bytes, at + 4)?) << 32)
}

/// An archive of stored members. Errors where it would need 64-bit sizes.
pub fn archive(members: &[(String, Vec<u8>)]) -> Result<Vec<u8>, String> {
    let large = |_| "more than 4 GiB, or more than 65535 arrays".to_string();
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut crc = Crc::new();
        crc.update(content);
        let size = u32::try_from(content.len()).map_err(large)?;
        let at = u32::try_from(out.len()).map_err(large)?;
        let length = u16::try_from(name.len()).map_err(large)?;
        let mut common = Vec::new();
        for half in [20, UTF8, 0, 0, DATE] {
            common.extend(half.to_le_bytes());
        }
        for word in [crc.sum(), size, size] {
            common.extend(word.to_le_bytes());
        }
        common.extend(length.to_le_bytes());
        common.extend([0; 2]);
        out.extend(LOCAL.to_le_bytes());
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(content);
        directory.extend(CENTRAL.to_le_bytes());
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        // No comment, the first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(members.len()).map_err(large)?;
    let (at, size) = (u32::try_from(out.len()).map_err(large)?, u32::try_from(directory.len()).map_err(large)?);
    out.extend(directory);
    out.extend(END.to_le_bytes());
    out.extend([0; 4]);
    for half in [count, count] {
        out.extend(half.to_le_bytes());
    }
    for word in [size, at] {
        out.extend(word.to_le_bytes());
    }
    out.extend([0; 2]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_reads_back_and_damage_is_told() {
        let content = [("a.npy".to_string(), vec![1, 2, 3]), ("half power.npy".to_string(), vec![0; 1000])];
        let bytes = archive(&content).unwrap();
        let read = members(&bytes).unwrap();
        assert_eq!(read.len(), 2);
        for (member, (name, data)) in read.iter().zip(&content) {
            assert_eq!((&member.name, &member.read(1000).unwrap()), (name, data));
        }
        assert!(read[1].read(999).unwrap_err().contains("more than 999"));
        for cut in 0..bytes.len() {
            let whole =
                members(&bytes[..cut]).and_then(|m| m.iter().map(|m| m.read(1000)).collect::<Result<Vec<_>, _>>());
            assert!(whole.is_err(), "{cut}");
        }
        let mut spoiled = bytes.clone();
        spoiled[36] ^= 1;
        assert!(members(&spoiled).unwrap()[0].read(1000).unwrap_err().contains("checksum"));
    }
}
