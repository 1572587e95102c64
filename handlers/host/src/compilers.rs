//! The threads that compile components: as many as there are processors, at low priority, so that an upload that takes
//! seconds to compile slows no Thing.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::background::NICENESS;
use crate::error::HandlerError;

/// Owns the threads; they sleep while nothing is compiled.
#[derive(Debug)]
pub(crate) struct Compilers(ThreadPool);

impl Compilers {
    /// Starts the threads.
    pub(crate) fn start() -> Result<Self, HandlerError> {
        let pool = ThreadPoolBuilder::new()
            .thread_name(|number| format!("compiler-{number}"))
            .start_handler(|_| {
                if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                    tracing::warn!(%error, "components are compiled at ordinary priority");
                }
            })
            .build();
        pool.map(Self).map_err(|error| HandlerError::host("no threads to compile components", error))
    }

    /// Does this there, and waits for it: what of it is parallel uses all of the threads.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.install(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiling_has_low_priority() {
        let compilers = Compilers::start().unwrap();
        assert_eq!(compilers.run(|| rustix::process::getpriority_process(None)), Ok(NICENESS));
    }
}
