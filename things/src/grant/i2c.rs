//! The grant of one address on an I2C bus, with the keys of its register filter (the filter itself: [`crate::filter`]).

use serde::{Deserialize, Serialize};

use super::check_device;

/// The most bytes of one message of the kernel's `I2C_RDWR` (drivers/i2c/i2c-dev.c).
const BYTES_MAX: usize = 8192;

/// One chip on an I2C bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct I2cGrant {
    /// `/dev/i2c-N`, or `board:i2c-1` on the simulated board.
    pub bus: String,
    /// The 7-bit address, 0x08 to 0x77: the others are reserved (NXP UM10204, table 4).
    pub address: u16,
    /// The registers that may be read. Absent: every register.
    #[serde(default)]
    pub read: Option<Registers>,
    /// The registers that may be written. Absent: every register, unless `read` is given: then none.
    #[serde(default)]
    pub write_registers: Option<Registers>,
    /// What the chip makes of a write longer than (register, value); needed only with `write-registers`.
    #[serde(default)]
    pub multi_write: MultiWrite,
    /// The most bytes of one transaction, both directions together: 1 to 8192, 1024 by default.
    #[serde(default = "bytes_max_default")]
    pub bytes_max: usize,
    /// The most transactions per second; absent: no limit.
    #[serde(default)]
    pub hz_max: Option<u32>,
    /// Whether other Things with a shared grant may use this address too.
    #[serde(default)]
    pub shared: bool,
}

/// What a chip makes of the bytes that follow (register, value) in one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MultiWrite {
    /// Not known: a longer write passes only if it is allowed as `pairs` and as `increment`.
    #[default]
    Unknown,
    /// (register, value) pairs: BME280 (datasheet 6.2.1), BMP388.
    Pairs,
    /// The values go to the register and those after it: MCP23017, MPU6050, DS3231.
    Increment,
    /// One register of two bytes: INA219, ADS1115, LM75.
    Word,
}

/// A set of 8-bit registers. In TOML a list of numbers and of inclusive `[first, last]` ranges:
/// `[0xD0, [0x88, 0xA1], [0xE1, 0xFE]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<RegisterEntry>", into = "Vec<u8>")]
pub struct Registers {
    words: [u64; 4],
}

/// One entry of the TOML list.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a register (0x00 to 0xFF) or a range [first, last]")]
enum RegisterEntry {
    One(u8),
    Range([u8; 2]),
}

impl Registers {
    /// Whether `register` is in the set.
    #[must_use]
    pub fn contains(&self, register: u8) -> bool {
        self.words[usize::from(register >> 6)] & (1 << (register & 63)) != 0
    }

    /// Whether `count` registers from `first` on are all in the set; a run past 0xFF is not.
    #[must_use]
    pub fn contains_run(&self, first: u8, count: usize) -> bool {
        (0..count).all(|step| u8::try_from(usize::from(first) + step).is_ok_and(|register| self.contains(register)))
    }
}

impl From<Registers> for Vec<u8> {
    fn from(registers: Registers) -> Self {
        (0..=u8::MAX).filter(|register| registers.contains(*register)).collect()
    }
}

impl FromIterator<u8> for Registers {
    fn from_iter<I: IntoIterator<Item = u8>>(registers: I) -> Self {
        let mut set = Self { words: [0; 4] };
        for register in registers {
            set.words[usize::from(register >> 6)] |= 1 << (register & 63);
        }
        set
    }
}

impl TryFrom<Vec<RegisterEntry>> for Registers {
    type Error = String;

    fn try_from(entries: Vec<RegisterEntry>) -> Result<Self, String> {
        let mut registers = Vec::new();
        for entry in entries.iter().take(256) {
            match *entry {
                RegisterEntry::One(register) => registers.push(register),
                RegisterEntry::Range([first, last]) if first <= last => registers.extend(first..=last),
                RegisterEntry::Range([first, last]) => {
                    return Err(format!("[{first:#04x}, {last:#04x}]: a range goes upwards"));
                }
            }
        }
        if entries.len() > 256 { Err("at most 256 entries".to_owned()) } else { Ok(registers.into_iter().collect()) }
    }
}

fn bytes_max_default() -> usize {
    1024
}

impl I2cGrant {
    pub(super) fn check(&self) -> Result<(), String> {
        check_device("bus", &self.bus, "i2c-1")?;
        if !(0x08..=0x77).contains(&self.address) {
            return Err(format!(
                "address = {:#04x}: a 7-bit address between 0x08 and 0x77 (the others are reserved)",
                self.address
            ));
        }
        if !(1..=BYTES_MAX).contains(&self.bytes_max) {
            return Err(format!("bytes-max = {}: between 1 and {BYTES_MAX}", self.bytes_max));
        }
        if self.multi_write != MultiWrite::Unknown && self.write_registers.is_none() {
            return Err("multi-write: without write-registers it has nothing to say".to_owned());
        }
        Ok(())
    }
}
