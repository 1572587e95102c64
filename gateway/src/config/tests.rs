//! The configuration as a person meets it: what is accepted, and every fault with its place and its advice.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;

fn tree(gateway: &str, things: &[(&str, &str)]) -> Result<Tree, Vec<String>> {
    let things: Vec<(PathBuf, String)> =
        things.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect();
    parse_tree((Path::new("/etc/tidegate/tidegate.toml"), gateway), &things)
        .map_err(|faults| faults.as_slice().iter().map(ToString::to_string).collect())
}

/// Without a token.
fn load(file: &Path) -> Result<Tree, ConfigFaults> {
    super::load(file, |_| Ok(false))
}

#[test]
fn an_empty_file_is_a_whole_configuration() {
    assert_eq!(tree("", &[]).unwrap().config, Config::default());
}

/// Every key there is.
const EVERY_KEY: &str = r#"
        name = "pi-kitchen"
        title = "Kitchen"
        listen = "[::1]:0"
        base-url = "https://kitchen.example/"
        allowed-hosts = ["Kitchen.local", "kitchen.local:8080"]
        trusted-proxies = ["10.0.0.1", "::1"]
        data-dir = "data"
        handlers-dir = "/opt/handlers"
        [log]
        format = "json"
        level = "debug"
        [limits]
        body-bytes-max = 2_048
        component-bytes-max = 0x10_0000
        queue-length-max = 8
        connections-max = 9
        observers-max = 10
        request-timeout-ms = 1_000
        header-timeout-ms = 2_000
        body-timeout-ms = 3_000
        stall-timeout-ms = 5_000
        drain-ms = 4_000
        [budgets]
        read-ms = 1
        write-ms = 2
        invoke-ms = 3
        start-ms = 4
        wake-ms = 5
        [canary]
        calls = 7
        seconds = 8
        [mqtt]
        listen = "127.0.0.1:1884"
        clients-max = 11
        connect-timeout-ms = 3_000
        [mqtt.broker]
        host = "broker.local"
        tls = true
        ca-file = "ca.pem"
        username = "kitchen"
        password-file = "/run/secrets/mqtt"
        keep-alive-s = 10
        commands = true
        [access]
        token-file = "secret/token"
        [board]
        simulated = true
    "#;

#[test]
fn every_key_is_read() {
    let config = tree(EVERY_KEY, &[]).unwrap().config;
    let millis = Duration::from_millis;
    let expected = Config {
        name: "pi-kitchen".into(),
        title: "Kitchen".into(),
        listen: "[::1]:0".parse().unwrap(),
        base_url: Some("https://kitchen.example".into()),
        allowed_hosts: vec!["kitchen.local".into(), "kitchen.local:8080".into()],
        trusted_proxies: vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        data_dir: Some("/etc/tidegate/data".into()),
        handlers_dir: Some("/opt/handlers".into()),
        token_file: Some("/etc/tidegate/secret/token".into()),
        log: Log { format: LogFormat::Json, level: LogLevel::Debug },
        limits: Limits {
            body_bytes_max: 2_048,
            component_bytes_max: 1 << 20,
            queue_length_max: 8,
            connections_max: 9,
            observers_max: 10,
            request_timeout: millis(1_000),
            header_timeout: millis(2_000),
            body_timeout: millis(3_000),
            stall_timeout: millis(5_000),
            drain: millis(4_000),
        },
        budgets: Budgets { read_ms: 1, write_ms: 2, invoke_ms: 3, start_ms: 4, wake_ms: 5 },
        canary: Canary { calls: 7, seconds: 8 },
        mqtt: Mqtt {
            listen: Some("127.0.0.1:1884".parse().unwrap()),
            limits: MqttLimits { clients_max: 11, connect_timeout: millis(3_000) },
            broker: Some(Broker {
                host: "broker.local".into(),
                port: 8_883,
                tls: true,
                ca_file: Some("/etc/tidegate/ca.pem".into()),
                username: Some("kitchen".into()),
                password_file: Some("/run/secrets/mqtt".into()),
                keep_alive_s: 10,
                commands: true,
            }),
        },
        board_simulated: true,
    };
    assert_eq!(config, expected);
}

#[test]
fn every_fault_of_every_file_is_reported_at_once_with_its_place() {
    let gateway =
        "lisen = \"127.0.0.1:1\"\n[log]\nformat = \"jsn\"\n[limits]\nqueue-length-max = 0\nconnections-max = \"x\"\n";
    let lamp =
        "handler = \"relay\"\ntitel = \"Lamp\"\n[grants.coil]\nkind = \"gpio\"\nchip = \"/dev/gpiochip0\"\nlinee = 3\n";
    let faults = tree(gateway, &[("/t/lamp.toml", lamp), ("/t/Bad_Name.toml", ""), ("/t/x.toml", "handler = \n")]);
    let faults = faults.unwrap_err();
    let expected = [
        "/etc/tidegate/tidegate.toml:1:1: unknown key `lisen`\n  hint: did you mean `listen`?",
        "/etc/tidegate/tidegate.toml:3:10: `log.format`: `jsn` is none of text, json; did you mean `json`?",
        "/etc/tidegate/tidegate.toml:5:20: `limits.queue-length-max` is 0: it must lie between 1 and 65536",
        "/etc/tidegate/tidegate.toml:6:19: `limits.connections-max` must be a whole number, not a string",
        "/t/Bad_Name.toml:1:1: `Bad_Name` is no name of a Thing",
        "/t/Bad_Name.toml:1:1: `handler` is missing\n  hint: add a line such as `handler = \"relay\"`",
        "/t/lamp.toml:2:1: unknown key `titel`\n  hint: did you mean `title`?",
        "/t/lamp.toml:6:1: `grants.coil`: unknown field `linee`",
        "/t/x.toml:1:",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    assert!(faults[7].ends_with("hint: did you mean `line`?"), "{}", faults[7]);
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}\n  expected: {expected}");
    }
}

#[test]
fn broken_syntax_is_not_buried_under_its_consequences() {
    let faults = tree("listen = \n[log\nlevel = \"info\"\n", &[("/t/lamp.toml", "handler = \"relay\n")]).unwrap_err();
    assert!(faults.iter().all(|fault| !fault.contains("missing")), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.starts_with("/etc/tidegate/tidegate.toml:1:")), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.starts_with("/t/lamp.toml:1:")), "{faults:#?}");
}

#[test]
fn an_address_beyond_loopback_needs_a_token() {
    let text = "listen = \"0.0.0.0:8080\"\n[mqtt]\nlisten = \"[::]:1883\"";
    let faults = tree(text, &[]).unwrap_err();
    assert!(faults[0].contains("tidegate.toml:1:10") && faults[0].contains("there is no token"), "{faults:?}");
    assert!(faults[0].contains("`tidegate token new`"), "the hint says how to make one");
    assert!(faults[1].contains("tidegate.toml:3:10") && faults.len() == 2, "{faults:?}");
    assert!(tree("listen = \"127.8.8.8:1\"", &[]).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    std::fs::write(&file, text).unwrap();
    assert!(super::load(&file, |_| Ok(true)).is_ok());
    let too_open = |config: &Config| Err(ConfigFault::of_file(config.token_file.as_deref().unwrap(), "too open"));
    std::fs::write(&file, format!("{text}\n[access]\ntoken-file = \"t\"\n")).unwrap();
    let faults = super::load(&file, too_open).unwrap_err();
    assert_eq!(faults.as_slice(), [ConfigFault::of_file(&folder.path().join("t"), "too open")]);
    let faults = tree("insecure-allow-remote = true", &[]).unwrap_err();
    assert!(faults[0].contains("access control") && faults[0].contains("hint: `tidegate token new`"), "{faults:?}");
}

#[test]
fn a_declaration_is_read_whole() {
    let text = r#"
        title = "Greenhouse climate"
        description = "Beside the door"
        handler = "bme280"
        [grants.sensor]
        kind = "i2c"
        bus = "/dev/i2c-1"
        address = 0x76
        write-registers = [0xF2, 0xF4]
        [settings]
        samplingInterval = 1000
        offset = -0.5
        since = 2026-11-21
        nested = { list = [true, "x", { deep = 1 }] }
        [limits]
        memory-bytes-max = 1_048_576
        [budgets]
        invoke-ms = 50
    "#;
    let tree = tree("[budgets]\nread-ms = 20", &[("/t/greenhouse.toml", text)]).unwrap();
    let thing = &tree.declarations["greenhouse"];
    assert_eq!((thing.name.as_str(), thing.handler.as_str()), ("greenhouse", "bme280"));
    assert_eq!(thing.title.as_deref(), Some("Greenhouse climate"));
    assert_eq!(thing.description.as_deref(), Some("Beside the door"));
    assert!(thing.grants.contains_key("sensor"));
    let settings = json!({
        "samplingInterval": 1000, "offset": -0.5, "since": "2026-11-21",
        "nested": { "list": [true, "x", { "deep": 1 }] },
    });
    assert_eq!(serde_json::Value::Object(thing.settings.clone()), settings);
    let budgets = Budgets { read_ms: 20, invoke_ms: 50, ..Budgets::default() };
    assert_eq!(thing.limits, ThingLimits { memory_bytes_max: Some(1 << 20), budgets });
    assert_eq!(thing.hash, crate::names::sha256_hex(text.as_bytes()));
    assert_eq!(thing.source, text);
}

#[test]
fn faults_of_one_declaration() {
    let rows = [
        ("handler = \"../x\"", "is no name of a handler"),
        ("handler = \"a\"\nname = \"board\"", "reserved"),
        ("handler = 3", "`handler` must be a string in quotes, not a whole number"),
        ("handler = \"a\"\ntitle = \"\"", "1 to 128 characters"),
        ("handler = \"a\"\nsettings = 3", "`settings` is a table"),
        ("handler = \"a\"\n[settings]\nx = nan", "JSON cannot hold"),
        ("handler = \"a\"\n[settings]\nx = 99999999999999999999", "does not fit 64 bits"),
        ("handler = \"a\"\n[grants]\nx = 1", "`grants.x` is a table (write `[grants.x]`), not a whole number"),
        ("handler = \"a\"\n[grants.x]\nkind = \"laser\"", "laser"),
        ("handler = \"a\"\n[grants.x]\nkind = \"i2c\"\nbus = \"board:i2c-1\"\naddress = 0x76", "no simulated board"),
        (
            "handler = \"a\"\n[grants.x]\nkind = \"i2c\"\nbus = \"/dev/i2c-1\"\naddress = 1",
            "thing.toml:5:1: `grants.x`: address",
        ),
        ("handler = \"a\"\n[limits]\nmemory-bytes-max = 1", "must lie between"),
        ("handler = \"a\"\n[budgets]\nread-ms = -1", "must lie between"),
    ];
    for (text, expected) in rows {
        let faults = tree("", &[("/t/thing.toml", text)]).expect_err(text);
        assert!(faults.len() == 1 && faults[0].contains(expected), "{text}: {faults:?}");
    }
}

#[test]
fn limits_hold() {
    let deep = format!("handler = \"a\"\n[settings]\nx = {}1{}", "[".repeat(30), "]".repeat(30));
    let large = format!("handler = \"a\"\n[settings]\nx = \"{}\"", "x".repeat(SETTINGS_BYTES_MAX));
    let grants: String =
        (0..=GRANTS_MAX).map(|n| format!("[grants.g{n}]\nkind = \"sysfs\"\npath = \"/x\"\n")).collect();
    let many = format!("handler = \"a\"\n{grants}");
    for (text, expected) in [(deep, "nested too deeply"), (large, "as JSON"), (many, "at most 32")] {
        let faults = tree("", &[("/t/thing.toml", &text)]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(expected), "{faults:?}");
    }
    let abyss = format!("x = {}", "[".repeat(100_000));
    assert!(tree(&abyss, &[]).is_err(), "no stack is long enough for every file");
}

#[test]
fn two_files_cannot_declare_one_name() {
    let faults = tree("", &[("/t/a.toml", "handler = \"x\""), ("/t/b.toml", "handler = \"x\"\nname = \"a\"")]);
    assert!(faults.unwrap_err()[0].contains("/t/b.toml: the name `a` is taken by /t/a.toml"));
}

#[test]
fn files_are_found_beside_the_gateway_file_and_unreadable_ones_are_faults() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidegate.toml");
    let fault = load(&file).unwrap_err().to_string();
    assert!(fault.contains("tidegate.toml: cannot be read"), "{fault}");
    std::fs::write(&file, "").unwrap();
    assert_eq!(load(&file).unwrap(), Tree::default());

    let things = dir.path().join("things.d");
    std::fs::create_dir(&things).unwrap();
    std::fs::write(things.join("lamp.toml"), "handler = \"relay\"").unwrap();
    std::fs::write(things.join(".lamp.toml"), "half a dra").unwrap();
    std::fs::write(things.join("lamp.toml~"), "half a dra").unwrap();
    assert_eq!(load(&file).unwrap().declarations.len(), 1);

    std::fs::write(things.join("binary.toml"), [0xFF, 0xFE]).unwrap();
    let huge = vec![b'#'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
    std::fs::write(things.join("huge.toml"), huge).unwrap();
    let faults = load(&file).unwrap_err().to_string();
    assert!(faults.starts_with("2 faults in the configuration"), "{faults}");
    assert!(faults.contains("is no UTF-8 text") && faults.contains("is larger than"), "{faults}");
}

#[test]
fn the_example_configuration_is_sound_and_shows_the_defaults() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let tree = load(&deploy.join("tidegate.toml")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(tree.config, Config::default());
    let things: Vec<_> = tree.declarations.keys().map(ToString::to_string).collect();
    assert_eq!(things, ["button", "climate", "host", "led", "pump"]);
}

#[test]
fn two_grants_cannot_hold_one_device() {
    let relay = |label: &str, shared: &str| {
        format!(
            "handler = \"relay\"\n[grants.{label}]\nkind = \"gpio\"\nchip = \"board:gpio\"\nline = 17\ndirection = \"input\"\n{shared}"
        )
    };
    let board = "[board]\nsimulated = true";
    let faults = tree(board, &[("/t/a.toml", &relay("coil", "")), ("/t/b.toml", &relay("other", ""))]).unwrap_err();
    let expected = "/t/b.toml:2:9: `grants.other`: board:gpio line 17 is held by `grants.coil` of /t/a.toml";
    assert!(faults.len() == 1 && faults[0].starts_with(expected), "{faults:?}");
    let shared = relay("coil", "shared = true");
    assert!(tree(board, &[("/t/a.toml", &shared), ("/t/b.toml", &shared)]).is_ok());
}

#[test]
fn every_unknown_key_of_a_grant_is_told() {
    let text = "handler = \"bme280\"\n[grants.sensor]\nkind = \"i2c\"\nbus = \"/dev/i2c-1\"\nadress = 118\nspeeed = 3";
    let faults = tree("", &[("/t/a.toml", text)]).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("/t/a.toml:5:1") && faults[0].contains("did you mean `address`"), "{faults:?}");
    assert!(faults[1].contains("/t/a.toml:6:1") && faults[1].contains("speeed"), "{faults:?}");
}

#[test]
fn a_name_that_cannot_be_a_topic_and_a_broker_without_a_host_are_faults() {
    let faults = tree("name = \"a/b\"\n[mqtt]\nlisten = \"0.0.0.0:1883\"\n[mqtt.broker]\nprot = 1\n", &[]).unwrap_err();
    let expected = [
        "/etc/tidegate/tidegate.toml:1:8: `name`: with MQTT only a-z",
        "/etc/tidegate/tidegate.toml:3:10: `mqtt.listen`: 0.0.0.0:1883 is reachable from other machines",
        "/etc/tidegate/tidegate.toml:4:1: `host` is missing",
        "/etc/tidegate/tidegate.toml:5:1: unknown key `prot` in `[mqtt.broker]`\n  hint: did you mean `port`?",
    ];
    for expected in expected {
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}: {faults:#?}");
    }
    assert!(tree("name = \"a/b\"", &[]).is_ok(), "without MQTT a name is free");
}
