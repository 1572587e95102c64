//! Configuration that cannot be meant: all faults at once, each with file and line, exit code 3.

use anyhow::{Result, ensure};
use tests::{Site, gateway, site::RELAY};

const EXIT_CONFIGURATION: i32 = 3;

/// What `tidegate check` says about a site, and with which code it ends.
fn check(site: &Site) -> Result<(Option<i32>, String)> {
    let mut command = gateway::program()?;
    command.arg("check").arg("--config").arg(site.config()).arg("--handlers").arg(site.handlers());
    let output = command.arg("--data-dir").arg(site.data_dir()).output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}

#[test]
fn a_sound_configuration_passes() -> Result<()> {
    let site = Site::new()?;
    site.thing("lamp", RELAY)?;
    let (code, said) = check(&site)?;
    ensure!(code == Some(0), "{said}");
    Ok(())
}

#[test]
fn all_faults_are_told_at_once_with_file_and_line() -> Result<()> {
    let site = Site::new()?;
    site.configure("listen = \"127.0.0.1:0\"\nlissten = 1\n")?;
    site.thing("lamp", "handler = \"relay\"\n\n[grants.coil]\nkind = \"gpio\"\nchip = \"board:gpio\"\nlein = 17\n")?;
    site.thing("kettle", "handler = \n")?;
    let (code, said) = check(&site)?;
    ensure!(code == Some(EXIT_CONFIGURATION), "{code:?}: {said}");
    for wanted in ["tidegate.toml:2", "lissten", "lamp.toml:", "lein", "kettle.toml:1"] {
        ensure!(said.contains(wanted), "no `{wanted}` in: {said}");
    }
    Ok(())
}

#[test]
fn a_faulty_configuration_does_not_start() -> Result<()> {
    let site = Site::new()?;
    site.thing("Lamp!", RELAY)?;
    let Err(error) = site.start() else { anyhow::bail!("it started") };
    let said = format!("{error:#}");
    ensure!(said.contains("Lamp!") && said.contains("error:"), "{said}");
    Ok(())
}
