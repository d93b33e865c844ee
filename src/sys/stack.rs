//! The memory of a thread's stack.
//!
//! Owns giving back what a deep call has left behind. Refuses to know when that is worth its while.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::{mem, ptr};

/// Gives back the memory that this thread's stack has taken below where it is now. Of many threads
/// that mostly sleep each keeps otherwise what its deepest call once needed.
///
/// For threads of the library's own alone.
// Within a caller's frame the local below could stand anywhere, and what lives far below it.
#[inline(never)]
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn give_back_stack() {
    // SAFETY: the attributes are initialized by the first call, read by the second and destroyed by
    // the third. What is discarded is whole pages of this thread's own stack that end at least
    // KEPT_STACK bytes below a local of this function, which is never inlined and whose frame, with that
    // of the call that discards, is far smaller: nothing lives there. A signal's handler that runs on
    // this thread is not interrupted by it, and has returned before.
    unsafe {
        let mut attributes: libc::pthread_attr_t = mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return;
        }
        let (mut lowest, mut size) = (ptr::null_mut(), 0);
        let known = libc::pthread_attr_getstack(&attributes, &mut lowest, &mut size) == 0;
        let mut guard = 0;
        let known = known && libc::pthread_attr_getguardsize(&attributes, &mut guard) == 0;
        libc::pthread_attr_destroy(&mut attributes);
        let here = (&raw const attributes).addr();
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let end = (here - KEPT_STACK) / page * page;
        // The C library counts the guard to the stack, or does not; nothing was touched next to it.
        let start = (lowest.addr() + guard).next_multiple_of(page);
        if known && start < end && here < lowest.addr() + size {
            libc::madvise(lowest.with_addr(start), end - start, libc::MADV_DONTNEED);
        }
    }
}

/// The same where nobody has asked for it yet.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn give_back_stack() {}

/// Below the caller's frames stay so many bytes of the stack: more than this function and what it
/// calls need.
#[cfg(any(target_os = "linux", target_os = "android"))]
const KEPT_STACK: usize = 2048;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Touches so much of the stack, and gives its lowest address.
    #[inline(never)]
    fn dive(depth: usize) -> usize {
        let mut space = [1u8; 4096];
        std::hint::black_box(&mut space);
        match depth {
            0 => space.as_ptr().addr(),
            _ => dive(depth - 1) + usize::from(space[0]) - 1,
        }
    }

    /// Whether the page at this address takes memory.
    fn is_resident(address: usize) -> bool {
        use std::io::{Read, Seek, SeekFrom};
        let mut entry = [0; 8];
        let mut pages = std::fs::File::open("/proc/self/pagemap").unwrap();
        pages.seek(SeekFrom::Start((address / 4096 * 8) as u64)).unwrap();
        pages.read_exact(&mut entry).unwrap();
        u64::from_ne_bytes(entry) >> 63 == 1
    }

    #[test]
    fn what_a_deep_call_has_touched_is_given_back_and_what_is_in_use_is_not() {
        crate::sys::spawn_quiet("deep", || {
            let in_use = std::hint::black_box([7u8; 4096]);
            let lowest = dive(50);
            assert!(is_resident(lowest));
            give_back_stack();
            assert!(!is_resident(lowest));
            assert!(in_use.iter().all(|byte| *byte == 7));
            // What was given back can be used again.
            dive(50);
        })
        .unwrap()
        .join()
        .unwrap();
    }
}
