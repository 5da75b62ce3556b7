//! A batch on some threads, which are kept from batch to batch: threads started anew for each batch cost W1 up to 30 %
//! of its speed.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// One thread, which is the caller's, or a pool.
pub(super) struct Threads {
    count: usize,
    pool: Option<ThreadPool>,
}

impl Threads {
    /// Starts threads.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn new(count: usize) -> Result<Threads, String> {
        let build = |count| {
            let pool = ThreadPoolBuilder::new().num_threads(count).build();
            pool.map_err(|error| format!("starting {count} threads: {error}: give a smaller --cores"))
        };
        Ok(Threads { count, pool: (count > 1).then(|| build(count)).transpose()? })
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Runs `f` where it may call on all of them.
    pub(super) fn within<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(f),
            None => f(),
        }
    }

    /// Runs `f` for each state at once and returns the results in order; there should be a state per thread.
    pub(super) fn run<S: Send, R: Send>(
        &self,
        states: &mut [S],
        f: impl Fn(usize, &mut S) -> R + Sync,
    ) -> Vec<R> {
        let Some(pool) = &self.pool else {
            return states.iter_mut().enumerate().map(|(at, state)| f(at, state)).collect();
        };
        let f = &f;
        let mut results: Vec<Option<R>> = states.iter().map(|_| None).collect();
        pool.scope(|scope| {
            for (at, (state, result)) in states.iter_mut().zip(&mut results).enumerate() {
                scope.spawn(move |_| *result = Some(f(at, state)));
            }
        });
        results.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Threads;

    #[test]
    fn results_come_in_order_of_states() {
        for count in 1..4 {
            let threads = Threads::new(count).unwrap();
            let mut states: Vec<usize> = (0..count).collect();
            let results = threads.run(&mut states, |at, state| {
                *state += 10;
                at * 2
            });
            assert_eq!(results, (0..count).map(|at| at * 2).collect::<Vec<_>>());
            assert_eq!(states, (10..10 + count).collect::<Vec<_>>());
        }
    }
}
