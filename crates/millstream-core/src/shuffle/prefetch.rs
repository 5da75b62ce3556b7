//! Memory that is read soon.

/// Has the processor bring what lies there into its cache, where it knows how to.
///
/// Of many things that lie far apart each is waited for if they are read one after the other; what was asked for before they are
/// read comes at once.
#[inline(always)]
pub fn prefetch<T>(there: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: this reads nothing that the program sees.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch(std::ptr::from_ref(there).cast::<i8>(), _MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = there;
}
