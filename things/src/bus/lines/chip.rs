//! The lines of a GPIO chip of the kernel (`/dev/gpiochipN`, uAPI v2) through gpiocdev, on any board.
//!
//! Invariant: a watched line has one thread, which ends before its request is dropped.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gpiocdev::line::{Bias as LineBias, EdgeDetection, EdgeKind as LineEdge, Value};
use gpiocdev::{Error, Request};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;

use super::{HINT, first_level, moment};
use crate::error::DeviceError;
use crate::grant::{Bias, Direction, GpioGrant};
use crate::operation::{Edge, EdgeKind, EdgeSink, Level};

/// The lines of one chip, opened at first use.
pub(crate) struct ChipLines {
    path: String,
    lines: HashMap<u32, Open>,
}

struct Open {
    request: Arc<Request>,
    /// Kept for its drop, which ends the thread.
    _watch: Option<Watch>,
}

/// The thread of a watched line, and how to end it.
struct Watch {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl ChipLines {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), lines: HashMap::new() }
    }

    pub(super) fn is_open(&self, line: u32) -> bool {
        self.lines.contains_key(&line)
    }

    pub(super) fn read(&mut self, grant: &GpioGrant) -> Result<Level, DeviceError> {
        let value = match self.lines.get(&grant.line) {
            Some(open) => open.request.value(grant.line),
            None => self.open(grant, first_level(grant), None)?.value(grant.line),
        };
        let value = value.map_err(|error| self.failed(grant.line, error))?;
        Ok(Level::from(value == Value::Active))
    }

    pub(super) fn write(&mut self, grant: &GpioGrant, level: Level) -> Result<(), DeviceError> {
        match self.lines.get(&grant.line) {
            Some(open) => {
                let written = open.request.set_value(grant.line, value(level));
                written.map(drop).map_err(|error| self.failed(grant.line, error))
            }
            // The kernel sets the level together with the direction: the line never shows another one.
            None => self.open(grant, level, None).map(drop),
        }
    }

    pub(super) fn watch(&mut self, grant: &GpioGrant, edges: EdgeKind, sink: EdgeSink) -> Result<(), DeviceError> {
        // The line is taken anew: its thread ends and its request is dropped here.
        self.lines.remove(&grant.line);
        let request = self.open(grant, Level::Low, Some(edges))?;
        let place = self.place(grant.line);
        let watch = Watch::start(&place, Arc::clone(&request), sink)
            .map_err(|source| DeviceError::Bus { place: self.place(grant.line), source })?;
        self.lines.insert(grant.line, Open { request, _watch: Some(watch) });
        Ok(())
    }

    /// Gives the line back. What level it keeps then is the affair of its driver.
    pub(super) fn release(&mut self, grant: &GpioGrant) {
        self.lines.remove(&grant.line);
    }

    fn open(&mut self, grant: &GpioGrant, level: Level, edges: Option<EdgeKind>) -> Result<Arc<Request>, DeviceError> {
        let mut builder = Request::builder();
        builder.on_chip(&self.path).with_consumer("tidegate").with_line(grant.line);
        match grant.direction {
            Direction::Input => builder.as_input(),
            Direction::Output => builder.as_output(value(level)),
        };
        if grant.active_low {
            builder.as_active_low();
        }
        builder.with_bias(grant.bias.map(bias));
        if grant.debounce_ms > 0 {
            builder.with_debounce_period(Duration::from_millis(u64::from(grant.debounce_ms)));
        }
        builder.with_edge_detection(edges.map(detection));
        let request = Arc::new(builder.request().map_err(|error| self.failed(grant.line, error))?);
        self.lines.insert(grant.line, Open { request: Arc::clone(&request), _watch: None });
        Ok(request)
    }

    fn place(&self, line: u32) -> String {
        format!("{} line {line}", self.path)
    }

    fn failed(&self, line: u32, error: Error) -> DeviceError {
        let place = self.place(line);
        let io = |errno: i32| DeviceError::from_io(&place, std::io::Error::from_raw_os_error(errno), HINT);
        let bus = |kind: std::io::ErrorKind, error: &Error| DeviceError::Bus {
            place: place.clone(),
            source: std::io::Error::new(kind, error.to_string()),
        };
        match error {
            Error::Os(errno) | Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => io(errno.0),
            Error::Uapi(_, gpiocdev_uapi::Error::UnderRead(_)) => bus(std::io::ErrorKind::UnexpectedEof, &error),
            Error::UnexpectedResponse(..) => bus(std::io::ErrorKind::InvalidData, &error),
            Error::UnsupportedAbi(..) | Error::NoAbiSupport() => bus(std::io::ErrorKind::Unsupported, &error),
            Error::GpioChip(..) | Error::NoGpioChips() => DeviceError::NoDevice { place, why: error.to_string() },
            Error::AbiLimitation(..) | Error::InvalidArgument(_) | Error::NonuniqueLineName(_) => {
                DeviceError::OutOfRange { what: format!("{place}: {error}") }
            }
        }
    }
}

impl Watch {
    fn start(place: &str, request: Arc<Request>, sink: EdgeSink) -> std::io::Result<Self> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let theirs = stop.try_clone()?;
        let place = place.to_owned();
        let deliver = move || {
            if let Err(error) = deliver(&request, &theirs, &sink) {
                tracing::warn!(line = place, %error, "edges come no more");
            }
        };
        let thread = std::thread::Builder::new().name("gpio edges".to_owned()).spawn(deliver)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let told = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        // Without the word the thread would never end, and waiting for it would hang the bus.
        if let (Ok(_), Some(thread)) = (told, self.thread.take())
            && thread.join().is_err()
        {
            tracing::warn!("the receiver of an edge has panicked");
        }
    }
}

/// Hands edges on until `stop` can be read.
fn deliver(request: &Request, stop: &OwnedFd, sink: &EdgeSink) -> Result<(), Error> {
    loop {
        let mut files = [PollFd::new(request, PollFlags::IN), PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN)];
        match poll(&mut files, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(std::io::Error::from(errno).into()),
        }
        if !files[1].revents().is_empty() {
            return Ok(());
        }
        if !files[0].revents().is_empty() {
            let event = request.read_edge_event()?;
            // With an active-low line the kernel's edges are logical, as its values are.
            let level = Level::from(event.kind == LineEdge::Rising);
            sink(Edge { level, at: moment(Duration::from_nanos(event.timestamp_ns)) });
        }
    }
}

fn value(level: Level) -> Value {
    match level {
        Level::High => Value::Active,
        Level::Low => Value::Inactive,
    }
}

fn bias(bias: Bias) -> LineBias {
    match bias {
        Bias::Disabled => LineBias::Disabled,
        Bias::PullUp => LineBias::PullUp,
        Bias::PullDown => LineBias::PullDown,
    }
}

fn detection(edges: EdgeKind) -> EdgeDetection {
    match edges {
        EdgeKind::Rising => EdgeDetection::RisingEdge,
        EdgeKind::Falling => EdgeDetection::FallingEdge,
        EdgeKind::Both => EdgeDetection::BothEdges,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(path: &str) -> GpioGrant {
        toml::from_str(&format!("chip = '{path}'\nline = 4\ndirection = 'input'\nbias = 'pull-up'")).unwrap()
    }

    #[test]
    fn what_is_no_chip_is_no_device() {
        for path in ["/dev/gpiochip250", "/dev/null"] {
            let mut lines = ChipLines::new(path);
            let error = lines.read(&grant(path)).unwrap_err();
            assert!(matches!(&error, DeviceError::NoDevice { place, .. } if place.starts_with(path)), "{error}");
            let sink: EdgeSink = Arc::new(|_| {});
            assert!(lines.watch(&grant(path), EdgeKind::Both, sink).is_err());
            assert!(!lines.is_open(4));
        }
    }

    #[test]
    fn every_error_of_gpiocdev_keeps_its_errno() {
        let lines = ChipLines::new("/dev/gpiochip0");
        let errno = |errno: Errno| lines.failed(4, std::io::Error::from(errno).into());
        assert!(matches!(errno(Errno::NOENT), DeviceError::NoDevice { .. }));
        let denied = errno(Errno::ACCESS).to_string();
        assert!(denied.contains("/dev/gpiochip0 line 4") && denied.contains("group gpio"), "{denied}");
        let busy = errno(Errno::BUSY);
        let expected = Some(Errno::BUSY.raw_os_error());
        assert!(matches!(&busy, DeviceError::Bus { source, .. } if source.raw_os_error() == expected), "{busy}");
        let argument = lines.failed(4, Error::InvalidArgument("no such line".to_owned()));
        assert!(matches!(argument, DeviceError::OutOfRange { .. }));
    }
}
