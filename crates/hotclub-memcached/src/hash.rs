//! The hashes by which the established clients choose a node. Frozen: another bit would move every key.
use md5::{Digest, Md5};

/// `murmur3_x86_32` with seed 0, over the low byte of each character: so pymemcache's own copy hashes text.
pub fn murmur3_of_characters(characters: impl IntoIterator<Item = char>) -> u32 {
    const FIRST: u32 = 0xcc9e_2d51;
    const SECOND: u32 = 0x1b87_3593;
    let scrambled = |block: u32| block.wrapping_mul(FIRST).rotate_left(15).wrapping_mul(SECOND);
    let (mut hash, mut block, mut length) = (0_u32, 0_u32, 0_u32);
    for character in characters {
        block |= (u32::from(character) & 0xff) << (8 * (length % 4));
        length += 1;
        if length % 4 == 0 {
            hash = (hash ^ scrambled(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
            block = 0;
        }
    }
    if length % 4 != 0 {
        hash ^= scrambled(block);
    }
    hash ^= length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// Bob Jenkins' one-at-a-time hash, as libmemcached has it: bytes are added with their sign (x86).
pub fn one_at_a_time(bytes: &[u8]) -> u32 {
    let mut hash = 0_u32;
    for &byte in bytes {
        hash = hash.wrapping_add(i32::from(byte.cast_signed()).cast_unsigned());
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// The four little-endian numbers of an MD5 digest.
pub fn md5_numbers(bytes: &[u8]) -> [u32; 4] {
    let digest = Md5::digest(bytes);
    std::array::from_fn(|at| u32::from_le_bytes(std::array::from_fn(|byte| digest[4 * at + byte])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur3_gives_what_pymemcache_computes() {
        for (text, hash) in [("a", 0x3c25_69b2), ("abcd", 0x43ed_676a), ("é", 0x44c6_d4b2)] {
            assert_eq!(murmur3_of_characters(text.chars()), hash, "{text}");
        }
    }

    #[test]
    fn one_at_a_time_gives_what_libmemcached_computes() {
        let vectors = [
            ("a", 0xca2e_9442),
            (":1:foo", 0xdf0c_9d75),
            (":1:é", 0x6f95_1d3a),
            (":1:日本", 0xba90_f404),
            ("127.0.0.1-0", 0x3834_014f),
            ("127.0.0.1:11213-99", 0x2191_8946),
        ];
        for (text, hash) in vectors {
            assert_eq!(one_at_a_time(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn md5_is_read_from_the_low_end() {
        assert_eq!(md5_numbers(b"127.0.0.1-0"), [0xbdff_a47f, 0xac7e_cb6e, 0x3080_1bbb, 0xffe0_f4b2]);
        assert_eq!(md5_numbers(b":1:foo")[0], 0xf285_e69f);
    }
}
