//! Which core a worker thread is woken on.

#[cfg(target_os = "linux")]
pub(super) use linux::{Home, here};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{Home, here};

#[cfg(target_os = "linux")]
mod linux {
    use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use nix::unistd::Pid;

    /// The calling thread.
    const ME: Pid = Pid::from_raw(0);

    /// The core on which a worker thread sleeps; as long as there are enough, no other one of its executor sleeps there.
    ///
    /// The system wakes a thread where it was last, or beside whoever wakes it. A virtual machine can not tell a core that has nothing to do
    /// from one that its host has taken away: there it does so even if another core is free. Two threads then share a core for
    /// milliseconds, and the tasks of a short batch are done one after the other. A thread that sleeps at home is woken there; from
    /// then on the system may move it like any other.
    pub(crate) struct Home {
        core: CpuSet,
        /// Where the thread may run.
        all: CpuSet,
        cores: Vec<usize>,
        /// Where in `cores` the home is.
        at: usize,
        /// How many threads sleep.
        threads: usize,
    }

    impl Home {
        /// Returns the home of the calling thread, which is the `n`th of so many; none where they are more than the cores.
        pub(crate) fn of(n: usize, threads: usize) -> Option<Self> {
            let all = sched_getaffinity(ME).ok()?;
            let is_allowed = |core: &usize| all.is_set(*core).unwrap_or(false);
            let cores: Vec<usize> = (0..CpuSet::count()).filter(is_allowed).collect();
            if cores.len() < threads {
                return None;
            }
            // Where one thread of each process is enough, they do not all sleep on the first core.
            let at = std::process::id() as usize + n;
            let mut home = Home { core: CpuSet::new(), all, cores, at, threads };
            home.settle()?;
            Some(home)
        }

        fn settle(&mut self) -> Option<()> {
            self.core = CpuSet::new();
            self.core.set(self.core()).ok()
        }

        /// Returns the core at home.
        pub(crate) fn core(&self) -> usize {
            // There is one, on which this runs.
            self.cores.get(self.at % self.cores.len()).copied().unwrap_or_default()
        }

        /// Looks for another home, away from those of the other threads: on this one somebody else is at work for long.
        pub(crate) fn move_on(&mut self) {
            self.at += self.threads;
            // There are as many as before.
            let _ = self.settle();
        }

        /// Goes home, to sleep there; returns false, and stays away, if somebody else has said where the thread may run.
        pub(crate) fn enter(&self) -> bool {
            turn(&self.all, &self.core)
        }

        /// Lets the system move the thread again; returns false if somebody else has said where it may run.
        pub(crate) fn leave(&self) -> bool {
            turn(&self.core, &self.all)
        }
    }

    /// Returns the core on which this runs.
    pub(crate) fn here() -> Option<usize> {
        sched_getcpu().ok()
    }

    fn turn(from: &CpuSet, to: &CpuSet) -> bool {
        sched_getaffinity(ME).is_ok_and(|now| now == *from) && sched_setaffinity(ME, to).is_ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// On a thread of its own, which nobody else moves.
        fn on_a_thread(test: impl FnOnce(CpuSet) + Send) {
            std::thread::scope(|scope| {
                scope.spawn(|| test(sched_getaffinity(ME).unwrap())).join().unwrap();
            });
        }

        fn cores(of: &CpuSet) -> Vec<usize> {
            (0..CpuSet::count()).filter(|core| of.is_set(*core).unwrap()).collect()
        }

        #[test]
        fn a_thread_sleeps_on_a_core_of_its_own_and_works_on_any() {
            on_a_thread(|all| {
                let threads = cores(&all).len();
                let mut homes = Vec::new();
                for n in 0..threads {
                    let home = Home::of(n, threads).unwrap();
                    assert!(home.enter());
                    homes.extend(cores(&sched_getaffinity(ME).unwrap()));
                    assert!(home.leave());
                    assert_eq!(sched_getaffinity(ME).unwrap(), all);
                }
                homes.sort_unstable();
                assert_eq!(homes, cores(&all));
                assert!(Home::of(0, threads + 1).is_none());
                let mut alone = Home::of(0, 1).unwrap();
                let mut homes: Vec<usize> = (0..threads)
                    .flat_map(|_| {
                        alone.move_on();
                        cores(&alone.core)
                    })
                    .collect();
                homes.sort_unstable();
                assert_eq!(homes, cores(&all));
            });
        }

        #[test]
        fn where_somebody_else_lets_it_run_it_stays() {
            on_a_thread(|all| {
                let home = Home::of(0, 1).unwrap();
                let mut asked = CpuSet::new();
                asked.set(cores(&all)[0]).unwrap();
                // With a single core nobody can ask for another one.
                let is_other = asked != all;
                sched_setaffinity(ME, &asked).unwrap();
                assert_eq!(home.enter(), !is_other);
                assert_eq!(sched_getaffinity(ME).unwrap(), asked);
            });
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    /// Other systems do not let a thread choose its core.
    pub(crate) enum Home {}

    pub(crate) fn here() -> Option<usize> {
        None
    }

    impl Home {
        pub(crate) fn of(_n: usize, _threads: usize) -> Option<Self> {
            None
        }

        pub(crate) fn core(&self) -> usize {
            match *self {}
        }

        pub(crate) fn move_on(&mut self) {
            match *self {}
        }

        pub(crate) fn enter(&self) -> bool {
            match *self {}
        }

        pub(crate) fn leave(&self) -> bool {
            match *self {}
        }
    }
}
