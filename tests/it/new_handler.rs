//! A handler of one's own, outside of this checkout: made, tested, built, served, changed while it runs, and every way to go
//! wrong on the way.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Gateway, Running, Site, eventually, gateway, handlers};

const NAME: &str = "soil-sensor";
/// Several builds on a slow, busy machine, the first one with the SDK.
const BUILD_DEADLINE: Duration = Duration::from_secs(600);
const DEADLINE: Duration = Duration::from_secs(60);

/// A folder for crates, outside of any workspace.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Result<Self> {
        Ok(Self { folder: TempDir::with_prefix("tidegate-desk-")? })
    }

    fn handler(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// The program in `folder`, as a person would run it; what is compiled is kept with this checkout, for the next run.
    fn tidegate(folder: &Path, arguments: &[&str]) -> Result<Command> {
        let mut command = gateway::program()?;
        command.current_dir(folder).args(arguments).env("CARGO_TARGET_DIR", handlers::target()?);
        Ok(command)
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Self::tidegate(self.folder.path(), arguments)?.output()?)
    }

    /// A new handler.
    fn make(&self) -> Result<()> {
        succeeds(&self.run(&["new", NAME])?).map(drop)
    }
}

fn succeeds(output: &Output) -> Result<String> {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}:\n{said}", output.status);
    Ok(said)
}

/// It fails with `code`, says `what`, and a hint that contains `hint`.
fn fails(output: &Output, code: i32, what: &str, hint: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{what}: {}:\n{said}", output.status);
    ensure!(said.contains("error: ") && said.contains(what), "not `{what}`:\n{said}");
    let hinted = said.lines().filter(|line| line.starts_with("hint: ")).any(|line| line.contains(hint));
    ensure!(hinted, "no hint of `{hint}`:\n{said}");
    Ok(())
}

fn edit(file: &Path, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    ensure!(text.contains(from), "{} has no `{from}`", file.display());
    Ok(fs::write(file, text.replace(from, to))?)
}

/// A gateway that has the handler as `tidegate build` made it, declared as its template says.
fn serving(desk: &Desk) -> Result<Gateway> {
    let mut site = Site::new()?;
    let component = desk.handler().join("target/handlers").join(NAME).with_extension("wasm");
    fs::copy(component, site.own_handlers()?.join(NAME).with_extension("wasm"))?;
    site.thing(NAME, &fs::read_to_string(desk.handler().join("things.d").join(NAME).with_extension("toml"))?)?;
    site.start()
}

#[test]
fn a_new_handler_is_tested_built_served_and_changed_at_each_save() -> Result<()> {
    let desk = Desk::new()?;
    desk.make()?;
    let mut test = Command::new(cargo()?);
    test.args(["test", "--quiet"]).current_dir(desk.handler()).env("CARGO_TARGET_DIR", handlers::target()?);
    let tested = succeeds(&test.output()?)?;
    ensure!(tested.contains("test result: ok."), "{tested}");
    let built = succeeds(&build_without_the_target(&desk)?)?;
    for said in
        ["Soil sensor", "source (sysfs)", "samplingInterval (integer), 1000", "action", "bytes", "rustup target add"]
    {
        ensure!(built.contains(said), "not `{said}`:\n{built}");
    }
    ensure!(!built.contains("error:"), "{built}");
    succeeds(&Desk::tidegate(&desk.handler(), &["check", "--config", "tidegate.toml"])?.output()?)?;
    let gateway = serving(&desk)?;
    it_does_what_its_model_says(&gateway)?;
    it_is_changed_at_each_save(&desk, &gateway)
}

/// `tidegate build` with a compiler that lacks the target until a rustup, which does no more than say so, was asked for it.
fn build_without_the_target(desk: &Desk) -> Result<Output> {
    let bin = TempDir::new()?;
    let added = bin.path().join("added");
    let rustc = cargo()?.with_file_name("rustc");
    let (added, rustc) = (added.display(), rustc.display());
    let answer = format!("#!/bin/sh\ncase \"$*\" in *target-libdir*) [ -e {added} ] || exec echo /nowhere;; esac\n");
    script(bin.path(), "rustc", &format!("{answer}exec {rustc} \"$@\"\n"))?;
    script(
        bin.path(),
        "rustup",
        &format!("#!/bin/sh\n[ \"$*\" = 'target add wasm32-unknown-unknown' ] && : > {added}\n"),
    )?;
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH")?);
    let mut build = Desk::tidegate(&desk.handler(), &["build"])?;
    Ok(build.env_remove("RUSTC").env("PATH", path).output()?)
}

fn cargo() -> Result<PathBuf> {
    Ok(std::env::var_os("CARGO").context("tests run under cargo")?.into())
}

fn script(folder: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(folder.join(name), text)?;
    Ok(fs::set_permissions(folder.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
}

fn it_does_what_its_model_says(gateway: &Gateway) -> Result<()> {
    let client = gateway.client();
    let thing = format!("/things/{NAME}");
    let value = client.value(&format!("{thing}/properties/value"))?;
    ensure!(value.is_number(), "{value}");
    client.json("PUT", &format!("{thing}/properties/samplingInterval"), &json!(200))?.expect(204)?;
    client.json("PUT", &format!("{thing}/properties/samplingInterval"), &json!(1))?.expect(400)?;
    let begun = client.json("POST", &format!("{thing}/actions/average"), &json!({ "samples": 3 }))?.expect(201)?;
    let status = begun.header("location").context("it has a status")?.to_owned();
    let mean = eventually("the mean", DEADLINE, || {
        let status = client.value(&status)?;
        Ok((status["status"] == "completed").then(|| status["output"].clone()))
    })?;
    ensure!(mean.is_number(), "{mean}");
    Ok(())
}

fn it_is_changed_at_each_save(desk: &Desk, gateway: &Gateway) -> Result<()> {
    let (client, handler) = (gateway.client(), desk.handler());
    let url = format!("http://{}", client.address());
    let dev = Running::start(&mut Desk::tidegate(&handler, &["dev", NAME, "--gateway", &url])?)?;
    dev.says(&format!("{NAME} runs version 2"), BUILD_DEADLINE)?;
    dev.says("sampling begins", DEADLINE)?;
    let description = || -> Result<Value> { Ok(client.value(&format!("/things/{NAME}"))?["description"].clone()) };
    edit(&handler.join(format!("{NAME}.tm.json")), "A number that is sampled", "How wet it is, sampled")?;
    dev.says(&format!("{NAME} runs version 3"), BUILD_DEADLINE)?;
    ensure!(description()? == "How wet it is, sampled from a file of the system.", "{}", description()?);
    let source = handler.join("src/lib.rs");
    edit(&source, "log::info(\"sampling begins\");", "log::info(\"sampling begins")?;
    dev.says("does not compile", BUILD_DEADLINE)?;
    dev.says("waiting for a save; the version before goes on", DEADLINE)?;
    ensure!(client.value(&format!("/things/{NAME}/handler/properties/version"))? == 3, "it was replaced");
    ensure!(client.value(&format!("/things/{NAME}/properties/value"))?.is_number(), "it does not serve");
    edit(&source, "log::info(\"sampling begins", "log::info(\"sampling begins anew\");")?;
    dev.says(&format!("{NAME} runs version 4"), BUILD_DEADLINE)?;
    dev.says("sampling begins anew", DEADLINE)?;
    let (status, _) = dev.interrupt(DEADLINE)?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn what_does_not_fit_is_said_with_a_hint() -> Result<()> {
    let desk = Desk::new()?;
    desk.make()?;
    let handler = desk.handler();
    let here = |arguments: &[&str]| -> Result<Output> { Ok(Desk::tidegate(&handler, arguments)?.output()?) };
    let declaration = handler.join("things.d").join(NAME).with_extension("toml");
    edit(&declaration, "[grants.source]", "[grants.sorce]")?;
    let misspelt = here(&["build"])?;
    fails(&misspelt, 3, "the component was built; 1 fault", "mend the declarations in things.d/")?;
    let said = String::from_utf8_lossy(&misspelt.stderr);
    ensure!(
        said.contains("`grants.source`: the handler wants it") && said.contains("did you mean `source`?"),
        "{said}"
    );
    edit(&declaration, "[grants.sorce]", "[grants.source]")?;
    let gateway = serving(&desk)?;
    let url = format!("http://{}", gateway.client().address());
    let undeclared = Running::start(&mut Desk::tidegate(&handler, &["dev", "other", "--gateway", &url])?)?;
    undeclared.says("declare the Thing: things.d/other.toml", BUILD_DEADLINE)?;
    ensure!(undeclared.interrupt(DEADLINE)?.0.success(), "it did not end well");
    let model = handler.join(NAME).with_extension("tm.json");
    edit(&model, "\"value\"", "\"moisture\"")?;
    let lost = Running::start(&mut Desk::tidegate(&handler, &["dev", NAME, "--gateway", &url])?)?;
    lost.says("start `tidegate dev` with --approve", BUILD_DEADLINE)?;
    drop(lost);
    let differs = Running::start(&mut Desk::tidegate(&handler, &["dev", NAME, "--approve", "--gateway", &url])?)?;
    differs.says("hint: the code and the Thing Model differ", BUILD_DEADLINE)?;
    drop(differs);
    let early = Running::start(&mut Desk::tidegate(&handler, &["dev", NAME, "--gateway", "http://127.0.0.1:1"])?)?;
    early.says("cannot reach the gateway", BUILD_DEADLINE)?;
    early.says("waiting for the gateway", DEADLINE)?;
    ensure!(early.interrupt(DEADLINE)?.0.success(), "it did not end well");
    Ok(())
}

#[test]
fn every_wrong_way_to_begin_has_a_hint() -> Result<()> {
    let desk = Desk::new()?;
    fails(&desk.run(&["new", "Soil_Sensor"])?, 2, "`Soil_Sensor` is no name", "`soil-sensor` would do")?;
    fails(&desk.run(&["new", "gateway"])?, 2, "reserved", "`my-gateway` would do")?;
    fails(&desk.run(&["new", "loop"])?, 2, "Rust uses that word", "`my-loop` would do")?;
    fails(&desk.run(&["new", NAME, "--sdk", "/nowhere"])?, 2, "no SDK", "handlers/sdk")?;
    fails(&desk.run(&["build"])?, 1, "no Cargo.toml", "tidegate new")?;
    fails(&desk.run(&["dev", NAME])?, 1, "no Cargo.toml", "tidegate new")?;
    desk.make()?;
    fails(&desk.run(&["new", NAME])?, 2, "is there already", "choose another name")?;
    let here = |arguments: &[&str]| -> Result<Output> { Ok(Desk::tidegate(&desk.handler(), arguments)?.output()?) };
    let tools = |folder: &Path| -> Result<Output> {
        let mut command = Desk::tidegate(&desk.handler(), &["build"])?;
        Ok(command.env_remove("CARGO").env_remove("RUSTC").env("PATH", folder).output()?)
    };
    let bin = TempDir::new()?;
    fails(&tools(bin.path())?, 1, "cannot run cargo", "rustup.rs")?;
    // A compiler without the target, and no rustup: `cargo metadata` asks it nothing.
    std::os::unix::fs::symlink(cargo()?, bin.path().join("cargo"))?;
    script(bin.path(), "rustc", "#!/bin/sh\necho /nowhere\n")?;
    fails(&tools(bin.path())?, 1, "there is no rustup", "rustup.rs")?;
    script(bin.path(), "rustup", "#!/bin/sh\nexit 1\n")?;
    fails(&tools(bin.path())?, 1, "rustup could not add it", "is there a network?")?;
    let model = desk.handler().join(format!("{NAME}.tm.json"));
    let text = fs::read_to_string(&model)?;
    fs::write(&model, "{}")?;
    fails(&here(&["build"])?, 1, "no Thing Model", "tm:ThingModel")?;
    fs::write(&model, &text[..40])?;
    fails(&here(&["build"])?, 1, "no JSON", "comma")?;
    fs::remove_file(&model)?;
    fails(&here(&["build"])?, 1, "cannot read the Thing Model", "write it")
}
