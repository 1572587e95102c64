//! What a device answers instead of bytes, with its embedded-hal kind.

pub use crate::bindings::tidegate::thing::types::{DeviceError, NoAcknowledgeSource};
use embedded_hal::{digital, i2c, pwm, spi};

impl i2c::Error for DeviceError {
    fn kind(&self) -> i2c::ErrorKind {
        match self {
            Self::NoAcknowledge(source) => i2c::ErrorKind::NoAcknowledge(match source {
                NoAcknowledgeSource::Address => i2c::NoAcknowledgeSource::Address,
                NoAcknowledgeSource::Data => i2c::NoAcknowledgeSource::Data,
                NoAcknowledgeSource::Unknown => i2c::NoAcknowledgeSource::Unknown,
            }),
            Self::Bus(_) => i2c::ErrorKind::Bus,
            Self::ArbitrationLoss => i2c::ErrorKind::ArbitrationLoss,
            Self::Overrun => i2c::ErrorKind::Overrun,
            Self::Timeout | Self::Busy | Self::Denied(_) | Self::NoDevice(_) | Self::OutOfRange(_) | Self::Other(_) => {
                i2c::ErrorKind::Other
            }
        }
    }
}

impl spi::Error for DeviceError {
    fn kind(&self) -> spi::ErrorKind {
        if matches!(self, Self::Overrun) { spi::ErrorKind::Overrun } else { spi::ErrorKind::Other }
    }
}

impl digital::Error for DeviceError {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl pwm::Error for DeviceError {
    fn kind(&self) -> pwm::ErrorKind {
        pwm::ErrorKind::Other
    }
}

/// Gives the lists that came back to the buffers that asked for them, one each, of the very length.
pub(super) fn fill<'a>(
    answers: Vec<Vec<u8>>,
    buffers: impl Iterator<Item = (&'a mut [u8], usize)>,
) -> Result<(), DeviceError> {
    let mut answers = answers.into_iter();
    for (buffer, length) in buffers {
        match answers.next() {
            Some(bytes) if bytes.len() == length && buffer.len() <= length => {
                buffer.copy_from_slice(&bytes[..buffer.len()]);
            }
            _ => return Err(wrong_length()),
        }
    }
    if answers.next().is_none() { Ok(()) } else { Err(wrong_length()) }
}

fn wrong_length() -> DeviceError {
    DeviceError::Other(String::from("the bus answered another number of bytes than was asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal::i2c::Error as _;

    #[test]
    fn kinds_are_those_of_embedded_hal() {
        let absent = DeviceError::NoAcknowledge(NoAcknowledgeSource::Address);
        assert_eq!(absent.kind(), i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address));
        assert_eq!(DeviceError::Timeout.kind(), i2c::ErrorKind::Other);
        assert_eq!(spi::Error::kind(&DeviceError::Overrun), spi::ErrorKind::Overrun);
    }

    #[test]
    fn every_length_is_checked() {
        let fill = |answers: &[&[u8]], lengths: &[usize]| {
            let mut buffers: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0; *length]).collect();
            let answers = answers.iter().map(|bytes| bytes.to_vec()).collect();
            let asked = buffers.iter_mut().map(|buffer| {
                let length = buffer.len();
                (buffer.as_mut_slice(), length)
            });
            fill(answers, asked).map(|()| buffers)
        };
        assert_eq!(fill(&[&[1, 2], &[3]], &[2, 1]), Ok(vec![vec![1, 2], vec![3]]));
        assert!(fill(&[&[1]], &[2]).is_err(), "too short");
        assert!(fill(&[&[1, 2, 3]], &[2]).is_err(), "too long");
        assert!(fill(&[], &[1]).is_err(), "no answer");
        assert!(fill(&[&[1], &[2]], &[1]).is_err(), "one answer too many");
        assert_eq!(fill(&[], &[]), Ok(vec![]));
    }
}
