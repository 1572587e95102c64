//! The command line: what can be asked for, and what each way of ending means.
//!
//! Commands read their arguments, call one function of the library and print its outcome. A failure is an `error:` line,
//! its causes and a `hint:` (module `console`), and an exit code of [`Exit`]. `handler push` is an ordinary Consumer:
//! it follows the links and forms of Thing Descriptions and knows no private endpoint.

mod build;
mod check;
pub mod console;
mod consumer;
mod demo;
mod dev;
mod failure;
mod handler_log;
mod inspect;
mod new;
mod push;
mod serve;
mod token;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

pub use demo::print_what_to_try;
pub use failure::{Exit, Failure};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed while running
  2  the command line is wrong
  3  the configuration has faults
  4  the gateway cannot be reached
  5  the gateway refused";

/// A Web of Things gateway: every device is a Thing with a URI, answered by a WebAssembly handler that can be replaced
/// while the Thing stays up.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway from a configuration file and the things.d folder beside it.
    ///
    /// Stops on SIGTERM or Ctrl-C after the requests in flight. Check a configuration first with `tidegate check`.
    Serve(Serve),
    /// Run a gateway that needs no configuration: this machine as a Thing, and a simulated Raspberry Pi board.
    ///
    /// Writes nothing outside its data directory, and prints five lines to try.
    Demo(Demo),
    /// Read a configuration and print every fault in it, or what would run.
    Check(Check),
    /// Begin a handler: a crate with a Thing Model, a property, an action, a test and a deployment, ready to run.
    New(new::New),
    /// Compile a handler's crate to a component, and say what it wants.
    Build(build::Build),
    /// Rebuild a handler at each save, replace it on a running gateway, and show its log.
    ///
    /// What does not compile or is refused changes nothing. Ctrl-C ends it; the handler that runs stays.
    Dev(dev::Dev),
    /// Replace the handler of a running Thing, or look into a handler file.
    #[command(subcommand)]
    Handler(Handler),
    /// Make, list and revoke the tokens that a gateway's requests need.
    #[command(subcommand)]
    Token(token::Token),
}

#[derive(Debug, Args)]
struct Serve {
    /// The gateway's file, such as /etc/tidegate/tidegate.toml.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where ids, state and components are kept [default: `data-dir` of the file, systemd's state directory, or
    /// /var/lib/tidegate].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Listen here instead of on the file's `listen`; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Answer MQTT here instead of on the file's `[mqtt] listen`; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    mqtt_listen: Option<SocketAddr>,
    /// Where NAME.wasm of a declaration's `handler = "NAME"` lies [default: `handlers-dir` of the file, `handlers`
    /// beside this program, or /usr/share/tidegate/handlers].
    #[arg(long, value_name = "DIR")]
    handlers: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Demo {
    /// Where to listen: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to answer MQTT: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1883")]
    mqtt_listen: SocketAddr,
    /// Where the demo keeps what it must not forget [default: `tidegate-demo` in your data home, ~/.local/share].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the handlers lie [default: as for `serve`].
    #[arg(long, value_name = "DIR")]
    handlers: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Check {
    /// The gateway's file; things.d/*.toml beside it is read too.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where its tokens are looked for, as `serve` is told it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Handler {
    /// Replace the handler of a Thing on a running gateway, without losing a request.
    ///
    /// The gateway admits and rehearses the component first: one that is refused changes nothing, and one that fails
    /// in its first calls is rolled back.
    Push(Push),
    /// Show what a handler file is: its digest, what it imports and wants, and the affordances it answers.
    Inspect(Inspect),
}

#[derive(Debug, Args)]
struct Push {
    /// The Thing's name.
    thing: crate::names::ThingName,
    /// The component (.wasm).
    file: PathBuf,
    /// The gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    gateway: String,
    /// A file with the token, its first line [default: the environment's `TIDEGATE_TOKEN`].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Accept that the new version asks for more, or offers less, than the running one.
    #[arg(long)]
    approve: bool,
    /// Replace only if this version runs now: its digest, as `inspect` prints it.
    #[arg(long, value_name = "DIGEST")]
    expect: Option<crate::names::ComponentDigest>,
}

#[derive(Debug, Args)]
struct Inspect {
    /// The component (.wasm).
    file: PathBuf,
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(arguments) => serve::serve(arguments),
            Command::Demo(arguments) => demo::demo(arguments),
            Command::Check(arguments) => check::check(&arguments),
            Command::New(arguments) => new::new(&arguments),
            Command::Build(arguments) => build::build(&arguments),
            Command::Dev(arguments) => dev::dev(&arguments),
            Command::Token(command) => token::token(command),
            Command::Handler(Handler::Push(arguments)) => push::push(&arguments),
            Command::Handler(Handler::Inspect(arguments)) => inspect::inspect_file(&arguments),
        }
    }
}

#[cfg(test)]
mod tests;
