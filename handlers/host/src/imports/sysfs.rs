//! `sysfs`: granted files, and the space of the file system behind a granted path.

use things::{Slot, SysfsSlot};

use super::device::Answer;
use crate::bindings::tidegate::thing::sysfs::{Host, SpaceOf};
use crate::sandbox::Sandbox;

fn pick(slot: &Slot) -> Option<SysfsSlot> {
    if let Slot::Sysfs(slot) = slot { Some(slot.clone()) } else { None }
}

impl Host for Sandbox {
    async fn read(&mut self, slot: u32) -> Answer<Vec<u8>> {
        match self.device(slot, pick) {
            Ok(file) => self.bound(file.read()).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn write(&mut self, slot: u32, bytes: Vec<u8>) -> Answer<()> {
        match self
            .device(slot, pick)
            .and_then(|file| self.check_size(1, bytes.len(), self.limits.device_bytes_max).map(|()| file))
        {
            Ok(file) => self.bound(file.write(&bytes)).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn space(&mut self, slot: u32) -> Answer<SpaceOf> {
        match self.device(slot, pick) {
            Ok(file) => {
                Ok(self.bound(file.space()).await?.map(|space| SpaceOf { total: space.total, free: space.free }))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}
