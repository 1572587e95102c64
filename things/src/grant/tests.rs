//! Grants as people write them: the TOML of the documentation, and what each key refuses.

use super::*;

fn parse(text: &str) -> Result<Grant, String> {
    let grant: Grant = toml::from_str(text).map_err(|error| error.to_string())?;
    grant.check()?;
    Ok(grant)
}

/// The refusal of a text that must not pass.
fn refused(text: &str) -> String {
    parse(text).expect_err(text)
}

const SENSOR: &str = "kind = 'i2c'\nbus = '/dev/i2c-1'\naddress = 0x76\n";
const RELAY: &str = "kind = 'gpio'\nchip = 'board:gpio'\nline = 17\ndirection = 'output'\n";

#[test]
fn the_documented_sensor_parses() {
    let grant =
        parse(&format!("{SENSOR}write-registers = [0xF2, 0xF4, 0xF5, 0xE0]\nread = [[0x88, 0xA1], 0xD0]")).unwrap();
    assert_eq!(grant.kind(), GrantKind::I2c);
    assert!(!grant.is_simulated() && !grant.is_shared());
    let Grant::I2c(grant) = grant else { panic!("kind = i2c") };
    let (read, write) = (grant.read.unwrap(), grant.write_registers.unwrap());
    assert!(write.contains(0xF4) && !write.contains(0xF3));
    assert!(read.contains_run(0x88, 26) && !read.contains_run(0x88, 27) && read.contains(0xD0));
    assert_eq!(grant.bytes_max, 1024);
}

#[test]
fn unknown_keys_and_kinds_are_named() {
    assert!(refused(&format!("{SENSOR}adress = 1")).contains("adress"));
    assert!(refused("kind = 'i2s'\nbus = '/dev/i2c-1'").contains("i2s"));
    assert!(refused("kind = 'i2c'\nbus = '/dev/i2c-1'").contains("address"));
}

#[test]
fn reserved_addresses_are_refused() {
    for address in [0x00, 0x07, 0x78, 0x7F, 0x80, 0x3FF] {
        let text = refused(&format!("kind = 'i2c'\nbus = '/dev/i2c-1'\naddress = {address}"));
        assert!(text.contains("0x08 and 0x77"), "{text}");
    }
    for address in [0x08, 0x77] {
        parse(&format!("kind = 'i2c'\nbus = 'board:i2c-1'\naddress = {address}")).unwrap();
    }
}

#[test]
fn limits_have_a_range() {
    for (line, word) in [
        ("bytes-max = 0", "bytes-max"),
        ("bytes-max = 8193", "bytes-max"),
        ("hz-max = 0", "hz-max"),
        ("hz-max = 1000001", "hz-max"),
        ("read = [[0xA1, 0x88]]", "upwards"),
        ("read = [256]", "register"),
        ("multi-write = 'pairs'", "multi-write"),
    ] {
        let text = refused(&format!("{SENSOR}{line}"));
        assert!(text.contains(word), "{line}: {text}");
    }
}

#[test]
fn a_bus_is_a_device_and_no_other_path() {
    for bus in ["/etc/passwd", "/dev/../etc/passwd", "/dev/", "/dev/..", "i2c-1", "board:", "board:../x"] {
        let text = refused(&format!("kind = 'i2c'\nbus = '{bus}'\naddress = 0x76"));
        assert!(text.contains("/dev/i2c-1"), "{bus}: {text}");
    }
}

#[test]
fn lines_and_channels() {
    assert!(parse(RELAY).unwrap().is_simulated());
    parse("kind = 'gpio'\nchip = 'pi'\nline = 4\ndirection = 'input'\nbias = 'pull-up'\nactive-low = true\ndebounce-ms = 5")
        .unwrap();
    assert!(refused(&format!("{RELAY}bias = 'pull-up'")).contains("bias"));
    assert!(refused(&format!("{RELAY}debounce-ms = 5")).contains("debounce-ms"));
    assert!(
        refused("kind = 'gpio'\nchip = 'pi'\nline = 4\ndirection = 'input'\nfail-safe = false").contains("fail-safe")
    );
    assert!(refused("kind = 'gpio'\nchip = 'gpio0'\nline = 4\ndirection = 'input'").contains("pi"));
    let pwm = "kind = 'pwm'\nchannel = 0\nfrequency-hz = 1000\n";
    parse(&format!("{pwm}chip = 'board:pwm-0'\nfail-safe = 0")).unwrap();
    parse(&format!("{pwm}chip = '/sys/class/pwm/pwmchip0'")).unwrap();
    assert!(refused(&format!("{pwm}chip = '/sys/class/pwm/pwmchip0/../x'")).contains("pwmchipN"));
    assert!(refused("kind = 'pwm'\nchip = 'pi'\nchannel = 0\nfrequency-hz = 0").contains("frequency-hz"));
}

#[test]
fn what_the_simulated_board_has_not_cannot_be_granted() {
    let gpio = RELAY.replace("line = 17", "line = 18");
    for (text, words) in [
        ("kind = 'i2c'\nbus = 'board:i2c-7'\naddress = 0x76", &["bus = ", "board:i2c-1"][..]),
        ("kind = 'spi'\nbus = 'board:spi-0'", &["bus = ", "no SPI"]),
        (&RELAY.replace("board:gpio", "board:pins"), &["chip = ", "board:gpio"]),
        (&gpio, &["line = 18", "17 (relay)"]),
        ("kind = 'pwm'\nchip = 'board:pwm-1'\nchannel = 0\nfrequency-hz = 1000", &["chip = ", "board:pwm-0"]),
        ("kind = 'pwm'\nchip = 'board:pwm-0'\nchannel = 1\nfrequency-hz = 1000", &["channel = 1", "channel 0"]),
    ] {
        let said = refused(text);
        assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
    }
    parse("kind = 'i2c'\nbus = 'board:i2c-1'\naddress = 0x77").unwrap();
}

#[test]
fn spi_has_a_mode_and_a_speed() {
    let spi = "kind = 'spi'\nbus = '/dev/spidev0.0'\n";
    parse(spi).unwrap();
    assert!(refused(&format!("{spi}mode = 4")).contains("mode"));
    assert!(refused(&format!("{spi}speed-hz = 0")).contains("speed-hz"));
}

#[test]
fn files_are_devices_not_processes() {
    let file = |path: &str, more: &str| parse(&format!("kind = 'sysfs'\npath = '{path}'\n{more}"));
    file("/sys/class/thermal/thermal_zone0/temp", "").unwrap();
    file("/proc/meminfo", "").unwrap();
    file("/sys/class/leds/led0/brightness", "write = true").unwrap();
    let Ok(Grant::Sysfs(root)) = file("/", "") else { panic!("any mount path, for its space") };
    assert!(root.is_space_only());
    for path in
        ["sys/x", "/sys/../etc/passwd", "/sys//x", "/sys/./x", "/proc/self/environ", "/proc/1/mem", "/proc/kcore"]
    {
        assert!(file(path, "").is_err(), "{path}");
    }
    for path in ["/etc/passwd", "/proc/meminfo", "/system/x"] {
        assert!(file(path, "write = true").is_err(), "{path}");
    }
}
