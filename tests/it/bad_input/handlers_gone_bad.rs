//! A handler in Rust that loops, traps or allocates without end, from its first start on or in an action: what is left of it.
//!
//! What any handler may do, and what its callers then get, is in `hostile`.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::{Gateway, site::LABORATORY};

use super::{gateway, still_serves};

fn misbehaving(misbehave: &str) -> Result<Gateway> {
    gateway("laboratory", &format!("{LABORATORY}[settings]\nmisbehave = \"{misbehave}\"\n"))
}

#[test]
fn a_start_that_goes_wrong_stops_no_other_thing() -> Result<()> {
    for how in ["start:trap", "start:loop", "start:allocate", "wake:loop", "wake:trap"] {
        let gateway = misbehaving(how)?;
        still_serves(&gateway)?;
        let answer = gateway.client().get("/things/laboratory/properties/number")?;
        ensure!(answer.status == 200 || answer.status >= 500, "{how}: {answer:?}");
        gateway.client().get("/things/laboratory")?.expect(200)?;
    }
    Ok(())
}

#[test]
fn an_action_that_goes_wrong_is_a_problem_and_state_survives_it() -> Result<()> {
    let gateway = gateway("laboratory", LABORATORY)?;
    let client = gateway.client();
    client.json("PUT", "/things/laboratory/properties/counter", &json!(42))?.expect(204)?;
    for how in ["trap", "loop", "allocate", "delay", "wrong-output"] {
        let answer = client.json("POST", "/things/laboratory/actions/misbehave", &json!({ "how": how }))?;
        ensure!(answer.status >= 500, "{how}: {answer:?}");
        let status = answer.status;
        answer.problem(status)?;
        ensure!(client.value("/things/laboratory/properties/counter")? == 42, "after {how}");
        still_serves(&gateway)?;
    }
    Ok(())
}
