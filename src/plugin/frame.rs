//! Frames of the wire protocol: a JSON header and a payload of numbers, both in multiples of 8 bytes.
//!
//! ```text
//! u32 little-endian   bytes of the header, a multiple of 8, at most 1 MiB
//! u32 little-endian   numbers of the payload, at most 2^25
//! header              a JSON object, UTF-8, filled up with spaces
//! payload             IEEE 754 doubles, little-endian
//! ```
//!
//! Text on a stream of frames is recognised at once: four letters are a length beyond every limit.

use std::io::{Error, ErrorKind, Read, Result, Write};

use serde_json::Value;

/// The version of the protocol that this isacopt speaks.
pub const VERSION: u64 = 1;

/// Longer headers are refused.
pub const LONGEST_HEADER: usize = 1 << 20;

/// Longer payloads are refused.
pub const LONGEST_PAYLOAD: usize = 1 << 25;

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// The header: an object with a `type`.
    pub header: Value,
    /// The numbers.
    pub payload: Vec<f64>,
}

impl Frame {
    /// A message without numbers.
    pub fn new(header: Value) -> Self {
        Self { header, payload: Vec::new() }
    }

    /// A message with numbers.
    pub fn with(header: Value, payload: Vec<f64>) -> Self {
        Self { header, payload }
    }

    /// What the message is; empty where its header does not say.
    pub fn kind(&self) -> &str {
        self.header.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Reads a frame; none where the stream ended before it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] where the stream holds no frame, [`ErrorKind::UnexpectedEof`] where it ends within one.
    pub fn read(stream: &mut impl Read) -> Result<Option<Self>> {
        let mut prefix = [0; 8];
        let mut have = 0;
        while have < prefix.len() {
            match stream.read(&mut prefix[have..]) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => have += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let (header, payload) = lengths(&prefix)?;
        let mut bytes = vec![0; header + 8 * payload];
        stream.read_exact(&mut bytes)?;
        parse(&bytes, header).map(Some)
    }

    /// Appends the frame's bytes.
    pub fn encode(header: &Value, payload: &[f64], out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[0; 8]);
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, header);
        out.resize(begin + 8 + (out.len() - begin - 8).next_multiple_of(8), b' ');
        let length = (out.len() - begin - 8) as u32;
        out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
        out[begin + 4..begin + 8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        payload.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
    }

    /// Writes the frame, and flushes.
    pub fn write(&self, stream: &mut impl Write) -> Result<()> {
        let mut bytes = Vec::new();
        Self::encode(&self.header, &self.payload, &mut bytes);
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

/// The header's bytes and the payload's numbers that a frame's first 8 bytes announce.
pub(super) fn lengths(prefix: &[u8; 8]) -> Result<(usize, usize)> {
    let number = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]) as usize;
    let (header, payload) = (number(0), number(4));
    if header == 0 || header > LONGEST_HEADER || !header.is_multiple_of(8) || payload > LONGEST_PAYLOAD {
        let seen = String::from_utf8_lossy(prefix).escape_debug().to_string();
        return Err(Error::new(ErrorKind::InvalidData, format!("no frame but \"{seen}\"")));
    }
    Ok((header, payload))
}

/// The frame of these bytes, the first of which are the header.
pub(super) fn parse(bytes: &[u8], header: usize) -> Result<Frame> {
    let wrong = |why: String| Error::new(ErrorKind::InvalidData, why);
    let value: Value =
        serde_json::from_slice(&bytes[..header]).map_err(|e| wrong(format!("a header that is no JSON: {e}")))?;
    if !value.is_object() {
        return Err(wrong("a header that is no object".into()));
    }
    let number = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    Ok(Frame { header: value, payload: bytes[header..].chunks_exact(8).map(number).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_survive_the_wire_bit_by_bit() {
        let numbers = vec![1.5, -0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE];
        let sent = Frame::with(json!({ "type": "evaluate", "name": "ä" }), numbers.clone());
        let mut bytes = Vec::new();
        sent.write(&mut bytes).unwrap();
        Frame::new(json!({ "type": "end" })).write(&mut bytes).unwrap();
        assert_eq!(bytes.len() % 8, 0);
        let mut stream = bytes.as_slice();
        let read = Frame::read(&mut stream).unwrap().unwrap();
        assert_eq!((read.kind(), &read.header), ("evaluate", &sent.header));
        assert!(read.payload.iter().zip(numbers).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(Frame::read(&mut stream).unwrap().unwrap().kind(), "end");
        assert_eq!(Frame::read(&mut stream).unwrap(), None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let error = |bytes: &[u8]| Frame::read(&mut &bytes[..]).unwrap_err();
        assert!(error(b"hello, world\n").to_string().contains("no frame but \"hello, w\""));
        assert_eq!(error(b"\0\0\0").kind(), ErrorKind::UnexpectedEof);
        assert_eq!(error(b"\x08\0\0\0\0\0\0\0{}").kind(), ErrorKind::UnexpectedEof);
        assert!(error(b"\x08\0\0\0\0\0\0\0nonsense").to_string().contains("no JSON"));
        assert!(error(b"\x08\0\0\0\0\0\0\0[1]     ").to_string().contains("no object"));
        assert_eq!(error(b"\x08\0\0\0\xff\xff\xff\xff{}      ").kind(), ErrorKind::InvalidData);
    }
}
