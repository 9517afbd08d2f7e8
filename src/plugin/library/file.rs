//! Looks at a file before anything in it is run: whether it is a shared library of this machine's kind.

use std::io::Read;
use std::path::Path;

/// ELF's type of a shared object.
const SHARED_OBJECT: u16 = 3;

/// The machines that ELF numbers, of those that isacopt may run on.
const MACHINES: [(u16, &str); 7] =
    [(3, "x86"), (40, "arm"), (62, "x86_64"), (183, "aarch64"), (243, "riscv64"), (22, "s390x"), (258, "loongarch64")];

/// Refuses what is no shared library of this machine's architecture; the reason is in words.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| format!("it cannot be read: {e}"))?;
    let length = file.metadata().map_err(|e| format!("it cannot be read: {e}"))?.len();
    file.take(64).read_to_end(&mut head).map_err(|e| format!("it cannot be read: {e}"))?;
    if cfg!(target_os = "linux") {
        check_elf(&head).and_then(|()| check_whole(&head, length))
    } else {
        check_other(&head)
    }
}

/// Whether the table of sections, which stands last in a file of this machine's kind, is there: the system's loader maps a
/// file that is cut off without a complaint, and the program ends where it reads beyond.
fn check_whole(head: &[u8], length: u64) -> Result<(), String> {
    if !cfg!(all(target_pointer_width = "64", target_endian = "little")) || head.len() < 64 {
        return Ok(());
    }
    let number = |at: usize, bytes: usize| (0..bytes).rev().fold(0u64, |n, i| (n << 8) | u64::from(head[at + i]));
    let end = number(40, 8).saturating_add(number(58, 2) * number(60, 2));
    match end > length {
        true => Err(format!("it is cut off: {length} of at least {end} bytes are there")),
        false => Ok(()),
    }
}

/// The head of an ELF file (System V ABI, chapter 4): magic, class, byte order; type and machine at 16 and 18.
fn check_elf(head: &[u8]) -> Result<(), String> {
    if !head.starts_with(b"\x7fELF") || head.len() < 20 {
        return Err(format!("it is not a shared library: it begins with \"{}\"", shown(head)));
    }
    let little = match head[5] {
        1 => true,
        2 => false,
        other => return Err(format!("it is not a shared library: its byte order is {other}")),
    };
    let number = |at: usize| {
        let bytes = [head[at], head[at + 1]];
        if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    };
    let machine = number(18);
    let known = MACHINES.iter().find(|(number, _)| *number == machine).map(|(_, name)| *name);
    let wide = head[4] == 2;
    if known != Some(std::env::consts::ARCH)
        || wide != cfg!(target_pointer_width = "64")
        || little != cfg!(target_endian = "little")
    {
        let bits = if wide { 64 } else { 32 };
        let name = known.map_or_else(|| format!("machine {machine}"), str::to_string);
        let own = std::env::consts::ARCH;
        return Err(format!("it is built for another architecture: {name} ({bits} bit), and this is {own}"));
    }
    match number(16) {
        SHARED_OBJECT => Ok(()),
        other => Err(format!("it is not a shared library: it is an ELF file of type {other}")),
    }
}

/// Mach-O and PE by their magic; the system's loader says the rest.
fn check_other(head: &[u8]) -> Result<(), String> {
    const MAGICS: [&[u8]; 4] = [b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe", b"MZ"];
    match MAGICS.iter().any(|magic| head.starts_with(magic)) {
        true => Ok(()),
        false => Err(format!("it is not a shared library: it begins with \"{}\"", shown(head))),
    }
}

fn shown(head: &[u8]) -> String {
    head[..head.len().min(12)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_tell_what_a_file_is() {
        let head = |class: u8, order: u8, kind: u8, machine: u8| {
            let mut head = b"\x7fELF".to_vec();
            head.extend([class, order, 1]);
            head.resize(64, 0);
            (head[16], head[18]) = (kind, machine);
            head
        };
        let own = MACHINES.iter().find(|(_, name)| *name == std::env::consts::ARCH).unwrap().0 as u8;
        assert_eq!(check_elf(&head(2, 1, 3, own)), Ok(()));
        let other = if own == 62 { 183 } else { 62 };
        for (head, words) in [
            (head(2, 1, 3, other), "another architecture"),
            (head(1, 1, 3, own), "32 bit"),
            (head(2, 1, 2, own), "ELF file of type 2"),
            (head(2, 9, 3, own), "byte order"),
            (b"#!/bin/sh\necho".to_vec(), "begins with \"#!/bin/sh\\nec\""),
            (b"\x7fELF".to_vec(), "not a shared library"),
            (Vec::new(), "not a shared library"),
        ] {
            let why = check_elf(&head).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        }
    }
}
