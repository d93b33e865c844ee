//! Masking of what the client sends (RFC 6455, section 5.3).
//!
//! Owns the masking keys and the masking itself. Refuses to know frames, and where the seed of
//! the keys comes from.

#![forbid(unsafe_code)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A supply of masking keys that nobody can foresee.
///
/// A cryptographic generator refills a pool, so that a key costs a copy of four bytes and not
/// a system call. The same seed gives the same keys, so that tests can repeat themselves; a
/// connection's seed must come from the system.
pub struct MaskKeys {
    generator: StdRng,
    pool: Box<[[u8; 4]; POOL]>,
    used: usize,
}

impl MaskKeys {
    /// The keys that follow from a seed.
    pub fn new(seed: [u8; 32]) -> Self {
        let generator = StdRng::from_seed(seed);
        MaskKeys { generator, pool: Box::new([[0; 4]; POOL]), used: POOL }
    }

    /// The next key. Each is given once.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "the keys never end, so None never comes")]
    pub fn next(&mut self) -> [u8; 4] {
        if self.used >= POOL {
            self.refill();
        }
        let key = self.pool[self.used];
        self.used += 1;
        key
    }

    #[cold]
    fn refill(&mut self) {
        self.generator.fill_bytes(self.pool.as_flattened_mut());
        self.used = 0;
    }
}

impl std::fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The keys to come are a secret, so nothing of the state is shown.
        f.debug_struct("MaskKeys").finish_non_exhaustive()
    }
}

/// Masks a payload, or unmasks it: the key begins at the first byte.
#[inline]
pub fn apply(key: [u8; 4], payload: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= mask;
    }
}

/// How many keys one refill makes: twice what the generator makes at a time. More make a key no
/// cheaper, and each client has such a pool.
const POOL: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_equals_the_definition_for_every_length_and_alignment() {
        let key = [0x12, 0xfe, 0x00, 0x9a];
        let source: Vec<u8> = (0..400u32).map(|n| (n * 7 + 3) as u8).collect();
        for start in 0..32 {
            for length in 0..=300 {
                let mut bytes = source.clone();
                apply(key, &mut bytes[start..start + length]);
                for (index, byte) in bytes.iter().enumerate() {
                    let inside = (start..start + length).contains(&index);
                    let mask = if inside { key[(index - start) % 4] } else { 0 };
                    assert_eq!(*byte, source[index] ^ mask, "start {start}, length {length}");
                }
            }
        }
    }

    #[test]
    fn masking_twice_gives_the_payload_back() {
        let mut bytes = *b"a payload of no round length";
        apply([1, 2, 3, 4], &mut bytes);
        assert_ne!(&bytes, b"a payload of no round length");
        apply([1, 2, 3, 4], &mut bytes);
        assert_eq!(&bytes, b"a payload of no round length");
    }

    #[test]
    fn a_seed_decides_the_keys_and_they_do_not_repeat() {
        let keys = |seed: u8| -> Vec<[u8; 4]> {
            let mut keys = MaskKeys::new([seed; 32]);
            (0..3 * POOL).map(|_| keys.next()).collect()
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
        let mut distinct = keys(3);
        distinct.sort_unstable();
        distinct.dedup();
        // Of 384 random keys of 32 bits, two are equal with a probability of one in 58,000.
        assert!(distinct.len() >= 3 * POOL - 2);
    }
}
