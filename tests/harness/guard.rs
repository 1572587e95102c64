//! A process that ends with its guard.

use std::process::Child;

/// Ends the process with the test, failed or not.
#[derive(Debug)]
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail when the process has ended already: what was wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
