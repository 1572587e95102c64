//! What the sandbox promises, as a table of handlers that break every rule: what their callers get, that other Things
//! notice nothing, and that the gateway is afterwards what it was before.
//!
//! A case (`case.rs`) is a name, a component, where it strikes, and what is promised then; the tables are the files beside
//! it. `runner.rs` goes through them several times and adds what is promised of each: no read of a neighbour fails, the
//! gateway's own Things answer, a problem is a problem document of a few lines, and memory, log and data folder are bounded.

mod answers;
mod boundary;
mod case;
mod every_export;
mod form;
mod grants;
mod model;
mod neighbour;
mod runner;
mod storms;
mod words;
#[path = "../guests/written.rs"]
pub(crate) mod written;

use anyhow::Result;

/// Short enough that a table of endless loops is gone through in seconds.
const SHORT: &str = "[budgets]\nread-ms = 50\nwrite-ms = 50\ninvoke-ms = 50\nstart-ms = 150\nwake-ms = 50\n";
/// Those of a gateway whose declaration says nothing.
const USUAL: &str = "";

#[test]
fn whatever_an_export_does_its_caller_gets_an_answer() -> Result<()> {
    runner::run(&every_export::cases(), SHORT)
}

#[test]
fn a_stop_that_goes_wrong_holds_up_no_end() -> Result<()> {
    every_export::stops()
}

#[test]
fn no_lie_through_the_canonical_abi_reaches_the_host() -> Result<()> {
    runner::run(&boundary::cases(), USUAL)
}

#[test]
fn storms_are_bounded() -> Result<()> {
    runner::run(&storms::cases(), USUAL)
}

#[test]
fn answers_that_break_the_thing_model_leave_as_problems() -> Result<()> {
    runner::run(&answers::cases(), USUAL)
}

#[test]
fn an_answer_that_never_comes_is_waited_for_no_longer_than_half_a_minute() -> Result<()> {
    runner::run_once(&answers::waiting(), USUAL)
}

#[test]
fn what_a_version_published_for_ever_does_not_outlive_it_for_long() -> Result<()> {
    answers::outlives()
}

#[test]
fn what_was_not_granted_is_out_of_reach() -> Result<()> {
    runner::run(&grants::cases(), USUAL)
}

#[test]
fn components_of_any_form_are_taken_or_refused() -> Result<()> {
    runner::run(&form::cases(), USUAL)
}

#[test]
fn thing_models_of_any_kind_are_taken_or_refused() -> Result<()> {
    runner::run(&model::cases(), USUAL)
}
