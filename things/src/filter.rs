//! The register filter of an I2C grant: which bytes of a transaction may reach the chip.
//!
//! It judges what the chip will see, not what the caller wrote; why it is strict stands at [`check`]. A grant with
//! neither `read` nor `write-registers` has no filter: command-style chips (SHT40, BH1750) have no registers.

use crate::grant::{I2cGrant, MultiWrite, Registers};
use crate::operation::I2cOperation;

/// The messages of one transaction as the chip will see them: directions alternate, and a write has at least one byte
/// unless it is the only operation.
pub(crate) fn coalesce(operations: Vec<I2cOperation>) -> Vec<I2cOperation> {
    let mut joined: Vec<I2cOperation> = Vec::with_capacity(operations.len());
    let alone = operations.len() == 1;
    for operation in operations {
        match (joined.last_mut(), operation) {
            (_, I2cOperation::Write(bytes)) if bytes.is_empty() && !alone => {}
            (_, I2cOperation::Read(0)) => {}
            (Some(I2cOperation::Write(before)), I2cOperation::Write(bytes)) => before.extend(bytes),
            (Some(I2cOperation::Read(before)), I2cOperation::Read(count)) => *before = before.saturating_add(count),
            (_, operation) => joined.push(operation),
        }
    }
    joined
}

/// Judges the messages of one transaction, coalesced.
///
/// A chip sees bytes, not operations, so the filter must judge what the chip will see:
///
/// 1. Adjacent operations of one direction are one message on the wire (embedded-hal 1.0, `I2c::transaction`). Kernel
///    drivers disagree about a message without a start (bcm2835 ignores `I2C_M_NOSTART`), so [`coalesce`] joins them
///    *before* anything is judged or sent. Nothing can hide in the seam.
/// 2. The first byte of a write is a register. A write of one byte only sets the register pointer: allowed for what may
///    be read or written. A write of two is (register, value). What follows depends on the chip, so a longer write
///    passes only as the grant's `multi-write` says; while that is unknown it must be harmless to a chip that takes
///    (register, value) pairs *and* to one that goes on to the next register.
/// 3. A read starts at the pointer and goes upwards. Another transaction may have moved the pointer, so with `read` in
///    the grant each read must follow its own one-byte pointer write, and every register of the run must be granted.
///
/// # Errors
/// A sentence that names the register and the grant's key.
pub(crate) fn check(grant: &I2cGrant, messages: &[I2cOperation]) -> Result<(), String> {
    if grant.read.is_none() && grant.write_registers.is_none() {
        return Ok(());
    }
    let mut pointer = None;
    for message in messages {
        match message {
            I2cOperation::Write(bytes) => {
                check_write(grant, bytes)?;
                pointer = match bytes[..] {
                    [register] => Some(register),
                    _ => None,
                };
            }
            I2cOperation::Read(count) => {
                check_read(grant.read.as_ref(), pointer.take(), *count)?;
            }
        }
    }
    Ok(())
}

fn check_read(read: Option<&Registers>, pointer: Option<u8>, count: u32) -> Result<(), String> {
    let Some(read) = read else { return Ok(()) };
    let Some(first) = pointer else {
        return Err("with `read` in the grant each read must follow a write of its register alone".to_owned());
    };
    if read.contains_run(first, usize::try_from(count).unwrap_or(usize::MAX)) {
        return Ok(());
    }
    Err(format!("register {first:#04x} and {} after it: not all in `read`", count.saturating_sub(1)))
}

fn check_write(grant: &I2cGrant, bytes: &[u8]) -> Result<(), String> {
    let writable = |register: u8| grant.write_registers.as_ref().is_some_and(|set| set.contains(register));
    let readable = |register: u8| grant.read.as_ref().is_none_or(|set| set.contains(register));
    let denied = |register: u8| Err(format!("register {register:#04x}: not in `write-registers`"));
    match *bytes {
        [] => Err("an empty write is a command of its own, and none is granted".to_owned()),
        [register] if readable(register) || writable(register) => Ok(()),
        [register] => Err(format!("register {register:#04x}: neither in `read` nor in `write-registers`")),
        [register, _] if writable(register) => Ok(()),
        [register, ..] if !writable(register) => denied(register),
        [register, ..] => {
            let pairs = || bytes.iter().step_by(2).copied().find(|register| !writable(*register));
            let values = bytes.len() - 1;
            let run = || {
                let set = grant.write_registers.as_ref();
                (!set.is_some_and(|set| set.contains_run(register, values))).then_some(register)
            };
            match grant.multi_write {
                MultiWrite::Pairs if bytes.len() % 2 == 1 => Err("an odd write is no list of pairs".to_owned()),
                MultiWrite::Pairs => pairs().map_or(Ok(()), denied),
                MultiWrite::Increment => run().map_or(Ok(()), |first| {
                    Err(format!("register {first:#04x} and {} after it: not all in `write-registers`", values - 1))
                }),
                MultiWrite::Word if bytes.len() == 3 => Ok(()),
                MultiWrite::Word => Err("a register of this chip has two bytes, no more".to_owned()),
                MultiWrite::Unknown if pairs().is_none() && run().is_none() => Ok(()),
                MultiWrite::Unknown => Err(format!(
                    "a write of {} bytes: the grant does not say what this chip makes of it (`multi-write`)",
                    bytes.len()
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use I2cOperation::{Read, Write};

    fn grant(more: &str) -> I2cGrant {
        toml::from_str(&format!("bus = 'board:i2c-1'\naddress = 0x76\n{more}")).unwrap()
    }

    fn allows(grant: &I2cGrant, operations: Vec<I2cOperation>) -> bool {
        check(grant, &coalesce(operations)).is_ok()
    }

    const BME280: &str = "write-registers = [0xF2, 0xF4, 0xF5, 0xE0]";

    #[test]
    fn without_keys_there_is_no_filter() {
        let free = grant("");
        assert!(allows(&free, vec![Write(vec![0xFD])]) && allows(&free, vec![Write(vec![]), Read(6)]));
    }

    #[test]
    fn a_granted_register_is_written_and_others_are_not() {
        let grant = grant(BME280);
        assert!(allows(&grant, vec![Write(vec![0xF4, 0x27])]));
        assert!(!allows(&grant, vec![Write(vec![0xF3, 0x27])]));
        assert!(allows(&grant, vec![Write(vec![0xF7]), Read(8)]), "any register may be read");
        assert!(!allows(&grant, vec![Write(vec![])]));
    }

    #[test]
    fn pairs_packed_into_one_write_are_all_judged() {
        let pairs = grant("write-registers = [0xF2, 0xF4]\nmulti-write = 'pairs'");
        assert!(allows(&pairs, vec![Write(vec![0xF2, 1, 0xF4, 0x27])]));
        assert!(!allows(&pairs, vec![Write(vec![0xF4, 0x27, 0xE0, 0xB6])]), "a hidden reset");
        assert!(!allows(&pairs, vec![Write(vec![0xF4, 0x27, 0xF2])]), "no whole pair");
    }

    #[test]
    fn a_pair_split_over_operations_is_still_one_write() {
        let pairs = grant("write-registers = [0xF4]\nmulti-write = 'pairs'");
        for split in 0..=4 {
            let bytes = [0xF4, 0x27, 0xE0, 0xB6];
            let (front, back) = bytes.split_at(split);
            assert!(!allows(&pairs, vec![Write(front.to_vec()), Write(vec![]), Write(back.to_vec())]), "{split}");
        }
        // A register pointer and its value in two operations reach the chip as (register, value).
        let read_only = grant("read = [[0xD0, 0xFF]]");
        assert!(!allows(&read_only, vec![Write(vec![0xE0]), Write(vec![0xB6])]));
    }

    #[test]
    fn an_unknown_chip_must_be_safe_both_ways() {
        let unknown = grant(BME280);
        assert!(!allows(&unknown, vec![Write(vec![0xF2, 1, 0xF4, 0x27])]), "0xF3 on a chip that goes on");
        assert!(!allows(&unknown, vec![Write(vec![0xF4, 0x27, 0xE0, 0xB6])]));
        let block = grant("write-registers = [[0x10, 0x1F]]");
        assert!(allows(&block, vec![Write(vec![0x10, 1, 0x11, 2])]));
        assert!(!allows(&block, vec![Write(vec![0x10, 1, 0x42, 2])]), "0x42 on a chip that takes pairs");
    }

    #[test]
    fn increments_and_words() {
        let increment = grant("write-registers = [[0x10, 0x12]]\nmulti-write = 'increment'");
        assert!(allows(&increment, vec![Write(vec![0x10, 7, 99, 7])]));
        assert!(!allows(&increment, vec![Write(vec![0x10, 7, 7, 7, 7])]));
        let top = grant("write-registers = [[0xFE, 0xFF]]\nmulti-write = 'increment'");
        assert!(!allows(&top, vec![Write(vec![0xFE, 1, 2, 3])]), "a run past 0xFF");
        let word = grant("write-registers = [0x00]\nmulti-write = 'word'");
        assert!(allows(&word, vec![Write(vec![0x00, 0x39, 0x9F])]));
        assert!(!allows(&word, vec![Write(vec![0x00, 0x39, 0x9F, 0x05])]));
    }

    #[test]
    fn reads_follow_their_pointer() {
        let sensor = grant("read = [0xD0, [0xF7, 0xFE]]");
        assert!(allows(&sensor, vec![Write(vec![0xF7]), Read(8)]));
        assert!(allows(&sensor, vec![Write(vec![0xF7]), Read(4), Read(4)]));
        assert!(!allows(&sensor, vec![Write(vec![0xF7]), Read(4), Read(5)]), "one run of nine");
        assert!(!allows(&sensor, vec![Write(vec![0x88]), Read(1)]));
        assert!(!allows(&sensor, vec![Read(1)]), "the pointer could be anywhere");
        assert!(!allows(&sensor, vec![Write(vec![0xF7, 0])]), "may read, may not write");
        assert!(!allows(&sensor, vec![Write(vec![0xFE]), Read(u32::MAX)]));
    }

    #[test]
    fn an_empty_operation_does_not_hide_a_seam() {
        let joined = coalesce(vec![Write(vec![1]), Read(0), Write(vec![2]), Read(1), Write(vec![]), Read(2)]);
        assert_eq!(joined, vec![Write(vec![1, 2]), Read(3)]);
    }
}
