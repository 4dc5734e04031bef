//! What has come in, and room for more.

/// A buffer that grows as bytes come in, and stays as large as it was.
#[derive(Debug, Default)]
pub struct Received {
    bytes: Vec<u8>,
    filled: usize,
}

const READ_AT_LEAST: usize = 16 * 1024;
/// A header may promise any length: room is made for at most this much at once.
const GROW_AT_MOST: usize = 8 << 20;

impl Received {
    /// What is there.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Forgets what is there.
    #[inline]
    pub fn clear(&mut self) {
        self.filled = 0;
        if self.bytes.len() > MOST_SPARE {
            self.bytes = Vec::new();
        }
    }

    /// Room for what comes next, of about the size that is known to be missing.
    #[inline]
    pub fn room(&mut self, until: usize) -> &mut [u8] {
        let missing = until.saturating_sub(self.filled).clamp(READ_AT_LEAST, GROW_AT_MOST);
        if self.bytes.len() - self.filled < missing.min(READ_AT_LEAST).max(missing / 2) {
            self.bytes.resize(self.filled + missing, 0);
        }
        &mut self.bytes[self.filled..]
    }

    /// That many bytes of the room were filled.
    #[inline]
    pub fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    /// Puts bytes behind what is there.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.filled);
        self.bytes.extend_from_slice(bytes);
        self.filled = self.bytes.len();
    }

    /// Forgets what came after the first `count` bytes.
    pub fn truncate(&mut self, count: usize) {
        self.filled = self.filled.min(count);
    }

    /// Drops the first bytes.
    pub fn consume(&mut self, count: usize) {
        // A large reply comes in many pieces, and nothing is consumed before the last one.
        if count == 0 {
            return;
        }
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
        if self.filled == 0 {
            self.clear();
        }
    }
}

/// More room than this is given back after use: one huge value must not stay in memory for ever.
const MOST_SPARE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_buffer_keeps_what_was_not_consumed() {
        let mut received = Received::default();
        received.room(0)[..5].copy_from_slice(b"abcde");
        received.filled(5);
        received.consume(3);
        assert_eq!(received.bytes(), b"de");
        received.push(b"fg");
        assert_eq!(received.bytes(), b"defg");
        received.room(1 << 40)[0] = b'h';
        received.filled(1);
        assert_eq!(received.bytes(), b"defgh");
    }
}
