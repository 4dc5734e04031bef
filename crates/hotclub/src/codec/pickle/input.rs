//! The bytes not yet read, as numbers, lines and slices.
use super::Fault;

pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Input { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or_else(|| self.truncated(length))?;
        self.at += length;
        Ok(taken)
    }

    fn truncated(&self, wanted: usize) -> Fault {
        let (all, at) = (self.bytes.len(), self.at);
        Fault(format!("the pickle ends after {all} bytes, where {wanted} more were wanted at byte {at}"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_be_bytes)
    }

    /// As many bytes as a length of 1, 4 or 8 bytes before them says.
    pub(super) fn counted(&mut self, width: u8) -> Result<&'a [u8], Fault> {
        let length = match width {
            1 => self.u8()?.into(),
            4 => self.u32()?.into(),
            _ => self.array().map(u64::from_le_bytes)?,
        };
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Makes sure that a frame of this length is all there; its bytes are read one by one.
    pub(super) fn frame(&mut self) -> Result<(), Fault> {
        let start = self.at + 8;
        self.counted(8)?;
        self.at = start;
        Ok(())
    }

    /// The bytes up to a line feed, which is read too.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let end =
            rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| self.truncated(rest.len() + 1))?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    pub(super) fn line_str(&mut self) -> Result<&'a str, Fault> {
        utf8(self.line()?)
    }

    /// A line that is a number.
    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Result<T, Fault> {
        let line = self.line_str()?;
        line.parse().map_err(|_| Fault(format!("the pickle holds {:?} as a number", shortened(line))))
    }
}

/// Python's `str` may hold halves of surrogate pairs, which are no UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes)
        .map_err(|error| Fault(format!("the pickle holds a text that is no UTF-8: {error}")))
}

/// The beginning of a text that may be long.
pub(super) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(40)]
}
