//! Every reader of input from outside, on a hundred thousand inputs each: sound documents, changed.
//!
//! The inputs are the same in every run; `TIDEGATE_FUZZ_SEED=N` makes others. A failure is shrunk, and shown.

use std::cell::Cell;

use anyhow::{Result, anyhow, ensure};
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tests::{fuzz, handlers};

const CASES: u32 = 100_000;

const TD: &str = r#"{"@context":"https://www.w3.org/2022/wot/td/v1.1","id":"urn:a","title":"T","security":["n"],
"securityDefinitions":{"n":{"scheme":"nosec"}},"properties":{"p":{"type":"object","observable":true,"properties":
{"a":{"type":"integer","minimum":0}},"required":["a"],"forms":[{"href":"/p","op":["readproperty"],
"contentType":"application/json"}]}},"actions":{"a":{"input":{"type":"string"},"forms":[{"href":"/a"}]}},
"events":{"e":{"data":{"type":"number"},"forms":[{"href":"/e","subprotocol":"sse"}]}},"links":[{"rel":"type","href":"/m"}]}"#;
const TM: &str = r##"{"@context":"https://www.w3.org/2022/wot/td/v1.1","@type":"tm:ThingModel","title":"T",
"links":[{"rel":"tm:submodel","href":"/s","instanceName":"i"}],
"tm:optional":["/properties/p"],"tm:required":["/actions/a"],"version":{"model":"1.0.0"},
"properties":{"p":{"tm:ref":"#/properties/q","unit":"K"},"q":{"type":"array","items":{"type":"number"}}},
"actions":{"a":{"input":{"oneOf":[{"type":"null"},{"const":1}]}}}}"##;
const SCHEMAS: [&str; 3] = [
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"multipleOf\":0.5,\"maximum\":9}},\"required\":[\"a\"]}\n{\"a\":1.5}",
    "{\"type\":\"array\",\"items\":[{\"enum\":[1,\"x\",null]}],\"minItems\":1,\"uniqueItems\":true}\n[1,2]",
    "{\"oneOf\":[{\"type\":\"string\",\"pattern\":\"^(a|b)+$\",\"maxLength\":4},{\"type\":\"integer\",\"exclusiveMinimum\":-3}]}\n\"abab\"",
];
const FILES: [&str; 2] = [
    "listen = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[mqtt.broker]\nhost = \"b\"\nport = 1883\n[limits]\nbody-bytes-max = 65536\n[canary]\ncalls = 3\n",
    "handler = \"relay\"\ntitle = \"R\"\n[grants.coil]\nkind = \"gpio\"\nchip = \"board:gpio\"\nline = 17\ndirection = \"output\"\n[settings]\na = [1, {b = 2.5}]\n[limits]\nmemory-bytes-max = 1048576\n",
];
/// CONNECT, PUBLISH and SUBSCRIBE of MQTT 5, with properties, and a PUBLISH of 3.1.1.
const PACKETS: [&[u8]; 4] = [
    b"\x10\x19\0\x04MQTT\x05\x02\0\x3c\x0a\x21\0\x05\x26\0\x01k\0\x01v\0\x02id",
    b"\x32\x1a\0\x07a/b/set\0\x07\x0c\x08\0\x03ans\x09\0\x02c1\x01\x01true",
    b"\x82\x10\0\x08\x02\x0b\x03\0\x03a/+\x01\0\x02#x\x00",
    b"\x30\x0c\0\x07a/b/settrue",
];
/// A component with a section of its own and a nested core module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0\0\x0a\x04name\0\x03\x02abc\x01\x1a\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
const JSON_WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "1e999",
    "-0",
    "0.1e-300",
    "\"\"",
    "\"\\u0000\"",
    "\"type\"",
    "\"$ref\"",
    "\"tm:ref\":\"#/properties/p\"",
    "\"items\":",
    "\"oneOf\":[",
    "\"forms\":",
    "{{NAME}}",
    "\"@type\"",
    "\u{202e}",
    "99999999999999999999",
];
const TOML_WORDS: &[&str] = &[
    "[",
    "]",
    "=",
    "\n",
    "\"",
    "'",
    "[[",
    "]]",
    "{",
    "}",
    "\"\"\"",
    "# ",
    "1979-05-27",
    "0x",
    "inf",
    "nan",
    "-1",
    "true",
    "[grants.coil]",
    "kind",
    "\u{0}",
    "\u{1f980}",
    "99999999999999999999",
];
const NO_WORDS: &[&str] = &["\0", "\u{7f}", "\u{1}\u{1}\u{1}\u{1}"];

/// One change of a document.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index, Index),
    Cut(Index),
    Repeat(Index, Index),
    Word(Index, Index),
}

fn edits() -> impl Strategy<Value = Edit> {
    (0_u8..6, any::<Index>(), any::<Index>(), any::<u8>()).prop_map(|(kind, at, other, byte)| match kind {
        0 => Edit::Set(at, byte),
        1 => Edit::Insert(at, byte),
        2 => Edit::Remove(at, other),
        3 => Edit::Cut(at),
        4 => Edit::Repeat(at, other),
        _ => Edit::Word(at, other),
    })
}

fn edited(seed: &[u8], edits: &[Edit], words: &[&str]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for edit in edits {
        // There is always one place more than bytes.
        let place = |at: &Index| at.index(bytes.len() + 1);
        let part = |from: &Index, to: &Index| {
            let (from, to) = (place(from), place(to));
            from.min(to)..from.max(to)
        };
        match edit {
            Edit::Set(at, byte) => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Edit::Insert(at, byte) => bytes.insert(place(at), *byte),
            Edit::Remove(from, to) => drop(bytes.drain(part(from, to))),
            Edit::Cut(at) => bytes.truncate(place(at)),
            Edit::Repeat(from, to) => {
                let again = bytes[part(from, to)].to_vec();
                bytes.extend(again);
            }
            Edit::Word(at, word) => {
                let at = place(at);
                bytes.splice(at..at, word.get(words).bytes());
            }
        }
    }
    bytes
}

fn fuzz(seeds: &[&[u8]], words: &[&str], entry: impl Fn(&[u8]) -> bool) -> Result<u32> {
    let taken = Cell::new(0);
    let seed = std::env::var("TIDEGATE_FUZZ_SEED").ok().and_then(|seed| seed.parse::<u64>().ok()).unwrap_or(0x5EED);
    let bytes: Vec<u8> = (0..4).flat_map(|part| seed.wrapping_add(part).to_le_bytes()).collect();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let strategy = (0..seeds.len(), vec(edits(), 0..5));
    let ran = runner.run(&strategy, |(seed, edits)| {
        taken.set(taken.get() + u32::from(entry(&edited(seeds[seed], &edits, words))));
        Ok(())
    });
    ran.map_err(|error| anyhow!("seed {seed:#x}: {error}"))?;
    Ok(taken.get())
}

/// Sound seeds; of what they become some is taken and some refused: what is fuzzed is not the first check alone.
fn both_ways(seeds: &[&[u8]], words: &[&str], entry: impl Fn(&[u8]) -> bool) -> Result<()> {
    let unsound = seeds.iter().position(|seed| !entry(seed));
    ensure!(unsound.is_none(), "seed {unsound:?} is refused");
    let taken = fuzz(seeds, words, entry)?;
    ensure!((CASES / 50..CASES - CASES / 50).contains(&taken), "{taken} of {CASES} were taken");
    Ok(())
}

#[test]
fn no_thing_description_makes_its_reader_panic() -> Result<()> {
    both_ways(&[TD.as_bytes()], JSON_WORDS, fuzz::thing_description)
}

#[test]
fn no_thing_model_makes_its_reader_panic() -> Result<()> {
    both_ways(&[TM.as_bytes()], JSON_WORDS, fuzz::thing_model)
}

#[test]
fn no_schema_and_no_value_make_the_validator_panic() -> Result<()> {
    both_ways(&SCHEMAS.map(str::as_bytes), JSON_WORDS, fuzz::data_schema)
}

#[test]
fn no_mqtt_packet_makes_the_codec_panic() -> Result<()> {
    both_ways(&PACKETS, NO_WORDS, fuzz::mqtt_packets)
}

#[test]
fn no_configuration_makes_its_reader_panic() -> Result<()> {
    both_ways(&FILES.map(str::as_bytes), TOML_WORDS, fuzz::configuration)
}

#[test]
fn no_component_makes_its_admission_panic() -> Result<()> {
    let admission = fuzz::Admission::new()?;
    let relay = handlers::component("relay")?;
    // A whole one that is changed harmlessly would be compiled each time: it is cut.
    let cut = &relay[..relay.len() - relay.len() / 8];
    let taken = fuzz(&[COMPONENT, COMPONENT, &cut[..4_096], cut], NO_WORDS, |bytes| admission.component(bytes))?;
    ensure!(admission.component(&relay) && taken == 0, "{taken} were admitted");
    Ok(())
}
