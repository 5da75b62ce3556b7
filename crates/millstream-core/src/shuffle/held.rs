//! How much memory a piece of work holds.

use crate::storage::memory::{Claim, Memory, Owner};

/// So little that it is not worth a lock.
const SMALL: usize = 64 * 1024;

/// The memory that a piece of work of a task holds; what is small is not counted.
pub(crate) struct Held {
    memory: Memory,
    claim: Option<Claim>,
}

impl Held {
    pub(crate) fn nothing(memory: &Memory) -> Self {
        Held { memory: memory.clone(), claim: None }
    }

    /// Holds some bytes in all, if there is room; `false` asks for them to be written out.
    ///
    /// What is too little to be written out is held even if there is no room: many crumbs would take more memory to merge
    /// than they free.
    #[must_use]
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let held = self.bytes();
        if bytes <= held.max(SMALL) {
            return true;
        }
        let claim = self.claim.get_or_insert_with(|| self.memory.take_none(Owner::Tasks));
        let missing = bytes - held;
        // Some in advance, because each time costs a lock.
        if claim.grow(missing + bytes / 8) || claim.grow(missing) {
            return true;
        }
        let crumb = bytes < least_written(&self.memory);
        if crumb {
            claim.force(missing);
        }
        crumb
    }

    /// Holds some bytes in all, whether there is room or not: they lie in memory already.
    pub(crate) fn must_hold(&mut self, bytes: usize) {
        let held = self.bytes();
        if bytes > held.max(SMALL) {
            self.claim.get_or_insert_with(|| self.memory.take_none(Owner::Tasks)).force(bytes - held);
        }
    }

    /// Gives back all but some bytes.
    pub(crate) fn keep(&mut self, bytes: usize) {
        let held = self.bytes();
        match &mut self.claim {
            Some(_) if bytes <= SMALL => self.claim = None,
            // Not for each block that is read: it costs a lock.
            Some(claim) if bytes + held / 8 < held => claim.shrink(held - bytes),
            _ => {}
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.claim.as_ref().map_or(0, Claim::bytes)
    }

    pub(crate) fn into_claim(self) -> Option<Claim> {
        self.claim
    }
}

/// Returns how many bytes are worth being written out.
fn least_written(memory: &Memory) -> usize {
    (memory.budget() / 32).clamp(SMALL, 1 << 20)
}
