//! The allocator of the program: mimalloc, which counts what it gives out if the feature `count-allocations` is on.

#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(feature = "count-allocations"))]
pub(crate) fn allocated() -> Option<u64> {
    None
}

#[cfg(feature = "count-allocations")]
pub(crate) use counting::allocated;

#[cfg(feature = "count-allocations")]
mod counting {
    use std::alloc::{GlobalAlloc, Layout};
    use std::sync::atomic::{AtomicU64, Ordering};

    use mimalloc::MiMalloc;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    static ALLOCATED: AtomicU64 = AtomicU64::new(0);

    /// Returns how many bytes have been asked for since the program started, by all threads; a grown block counts
    /// by what was added.
    pub(crate) fn allocated() -> Option<u64> {
        Some(ALLOCATED.load(Ordering::Relaxed))
    }

    struct Counting;

    // SAFETY: every call is passed on unchanged to mimalloc, which keeps the contract; counting allocates nothing.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
            // SAFETY: the caller keeps the contract of `alloc`.
            unsafe { MiMalloc.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
            // SAFETY: the caller keeps the contract of `alloc_zeroed`.
            unsafe { MiMalloc.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller keeps the contract of `dealloc`, and mimalloc gave out the block.
            unsafe { MiMalloc.dealloc(block, layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            ALLOCATED.fetch_add(size.saturating_sub(layout.size()) as u64, Ordering::Relaxed);
            // SAFETY: the caller keeps the contract of `realloc`, and mimalloc gave out the block.
            unsafe { MiMalloc.realloc(block, layout, size) }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn bytes_are_counted() {
            let before = allocated();
            let mut block = vec![0u8; 1000];
            block.reserve_exact(2000);
            assert!(allocated() >= before.map(|bytes| bytes + 3000));
        }
    }
}
