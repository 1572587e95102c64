//! The command line: what can be asked for, and what each way of ending means.
//!
//! Commands read their arguments, call one function of the library and print its outcome. A failure is an `error:` line,
//! its causes and a `hint:` (module `console`), and an exit code of [`Exit`]. `handler push` is an ordinary Consumer:
//! it follows the links and forms of Thing Descriptions and knows no private endpoint.

mod access;
mod build;
mod check;
pub mod console;
mod consumer;
mod demo;
mod dev;
mod doctor;
mod failure;
mod generated;
mod handler;
mod handler_log;
mod hardware;
mod inspect;
mod new;
mod progress;
mod push;
mod serve;
mod table;
mod terminal;
mod thing;
mod token;
pub mod usage;
mod value;

use clap::{Parser, Subcommand};

pub use demo::print_what_to_try;
pub use failure::{Exit, Failure};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed while running
  2  the command line is wrong
  3  the configuration has faults
  4  the gateway cannot be reached
  5  the gateway refused
  6  there is no such Thing, property, action or event
  7  the gateway wants a token, or another one
  130  interrupted (Ctrl-C)";

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
    Serve(serve::Serve),
    /// Run a gateway that needs no configuration: this machine as a Thing, and a simulated Raspberry Pi board.
    ///
    /// Writes nothing outside its data directory, and prints commands to try.
    Demo(demo::Demo),
    /// Read a configuration and print every fault in it, or what would run.
    Check(check::Check),
    /// Begin a handler: a crate with a Thing Model, a property, an action, a test and a deployment, ready to run.
    New(new::New),
    /// Compile a handler's crate to a component, and say what it wants.
    Build(build::Build),
    /// Rebuild a handler at each save, replace it on a running gateway, and show its log.
    ///
    /// What does not compile or is refused changes nothing. Ctrl-C ends it; the handler that runs stays.
    Dev(dev::Dev),
    /// List, show, read, write, invoke and observe the Things of a running gateway.
    #[command(subcommand)]
    Thing(thing::ThingCommand),
    /// Look after the handlers of a running gateway's Things, or look into a handler file.
    #[command(subcommand)]
    Handler(handler::HandlerCommand),
    /// Make, list and revoke the tokens that a gateway's requests need.
    #[command(subcommand)]
    Token(token::Token),
    /// Show the buses, chips and lines of this machine, and how to get the rights that are missing.
    ///
    /// With `--gateway` also what a running gateway uses of its machine.
    ///
    /// `--json`: `{"model", "isRaspberryPi", "kinds": [{"kind", "devices": [{"path", "name", "grant", "obstacle": {"what",
    /// "remedy"}, "lines": [{"line", "name", "consumer"}]}], "absent": {"what", "remedy"}}], "gateway"}`
    Hardware(hardware::HardwareArgs),
    /// Look at everything that a gateway needs: what is wrong, and what to do.
    ///
    /// Configuration, handlers, devices, store, ports, broker, clock, and the gateway that runs. It changes nothing, and
    /// ends with 1 when something failed.
    ///
    /// `--json`: `{"ok", "checks": [{"check", "verdict", "what", "todo"}]}`; `verdict` is ok, warn or fail
    Doctor(doctor::Doctor),
    /// Print a script that completes commands and options in a shell.
    ///
    /// For bash: `tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate`
    Completions(generated::Completions),
    /// Write the man pages of all commands into a folder.
    Man(generated::Man),
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
            Command::Thing(command) => thing::run(&command),
            Command::Handler(command) => handler::run(&command),
            Command::Hardware(arguments) => hardware::hardware(&arguments),
            Command::Doctor(arguments) => doctor::doctor(&arguments),
            Command::Completions(arguments) => generated::completions(&arguments),
            Command::Man(arguments) => generated::man(&arguments),
        }
    }
}

#[cfg(test)]
mod tests;
