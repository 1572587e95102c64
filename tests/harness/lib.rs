//! What the tests of the whole are written with: a real gateway process on port 0 in a temporary folder, an HTTP client
//! small enough to be read, event streams, node, an MQTT broker and MQTT clients of other people.
//!
//! Nothing here knows a URL of the gateway or sleeps: tests wait for what they want to see, with a deadline. A process
//! is ended by its own id and with its guard.

pub mod command;
pub mod crowd;
pub mod deadline;
pub mod fuzz;
pub mod gateway;
pub mod guard;
pub mod handlers;
pub mod http;
mod lines;
pub mod mqtt;
pub mod node;
mod program;
pub mod running;
pub mod site;
pub mod small_disk;
pub mod sse;
pub mod strace;

pub use command::CommandLine;
pub use crowd::Crowd;
pub use deadline::eventually;
pub use gateway::{Gateway, Launch, Launched};
pub use http::{Client, Response};
pub use mqtt::Mosquitto;
pub use running::Running;
pub use site::Site;
