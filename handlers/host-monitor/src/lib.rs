//! Host monitor: the machine that the gateway runs on, sampled from granted files of procfs and sysfs.
//!
//! A figure whose file cannot be read or makes no sense is not published; its reading lapses, and reads say why.
//! A machine without a temperature sensor lacks `cpuTemperature` and nothing else.

mod figures;

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use tidegate_handler::{Config, Fault, Handler, Origin, Setting, SysfsFile, Thing, Value};

/// Samples that `loadStatistics` looks back on.
const SAMPLES_MAX: usize = 60;
/// How far the temperature must fall below the threshold before overheating can be told again, in degrees.
const HYSTERESIS: f64 = 2.0;

struct HostMonitor {
    loadavg: SysfsFile,
    meminfo: SysfsFile,
    uptime: SysfsFile,
    disk: SysfsFile,
    temperature: Option<SysfsFile>,
    interval: Setting<u32>,
    threshold: Setting<f64>,
    loads: RefCell<VecDeque<f64>>,
    overheated: Cell<bool>,
}

impl Handler for HostMonitor {
    fn start(config: &Config, _origin: Origin) -> Result<Self, Fault> {
        Ok(Self {
            loadavg: config.sysfs("loadavg")?,
            meminfo: config.sysfs("meminfo")?,
            uptime: config.sysfs("uptime")?,
            disk: config.sysfs("disk")?,
            temperature: config.sysfs("temperature").ok(),
            interval: config.setting("samplingInterval", 1_000)?,
            threshold: config.setting("temperatureThreshold", 80.0)?,
            loads: RefCell::default(),
            overheated: Cell::new(false),
        })
    }

    async fn run(&self, thing: &Thing) -> Result<(), Fault> {
        loop {
            let good_for_ms = 3 * u64::from(self.interval.get());
            self.sample(thing, good_for_ms);
            self.interval.changed_or_after_ms(self.interval.get()).await;
        }
    }

    fn read_property(&self, name: &str) -> Result<Value, Fault> {
        match name {
            "samplingInterval" => self.interval.read(),
            "temperatureThreshold" => self.threshold.read(),
            "loadStatistics" => self.load_statistics(),
            "cpuTemperature" if self.temperature.is_none() => {
                Err(Fault::unavailable("this machine has no temperature sensor that was granted"))
            }
            _ => Err(Fault::unavailable("the kernel's file behind this property gave no figure")),
        }
    }

    fn write_property(&self, name: &str, value: Value) -> Result<(), Fault> {
        match name {
            "samplingInterval" => self.interval.write(value),
            "temperatureThreshold" => self.threshold.write(value),
            _ => Err(Fault::ReadOnly),
        }
    }
}

impl HostMonitor {
    fn sample(&self, thing: &Thing, good_for_ms: u64) {
        if let Some(loads) = text(&self.loadavg).and_then(|text| figures::loads(&text)) {
            self.keep(loads[0]);
            for (name, load) in ["load1", "load5", "load15"].into_iter().zip(loads) {
                thing.publish(name, load, good_for_ms);
            }
        }
        if let Some((used, total)) = text(&self.meminfo).and_then(|text| figures::memory(&text)) {
            thing.publish("memoryUsed", used, good_for_ms);
            thing.publish("memoryTotal", total, good_for_ms);
        }
        if let Some(seconds) = text(&self.uptime).and_then(|text| figures::uptime_s(&text)) {
            thing.publish("uptime", seconds, good_for_ms);
        }
        if let Ok(space) = self.disk.space() {
            thing.publish("diskUsed", space.total.saturating_sub(space.free), good_for_ms);
            thing.publish("diskTotal", space.total, good_for_ms);
        }
        if let Some(celsius) = self.temperature.as_ref().and_then(text).and_then(|text| figures::celsius(&text)) {
            thing.publish("cpuTemperature", celsius, good_for_ms);
            self.watch(thing, celsius);
        }
    }

    fn keep(&self, load: f64) {
        let mut loads = self.loads.borrow_mut();
        if loads.len() == SAMPLES_MAX {
            loads.pop_front();
        }
        loads.push_back(load);
    }

    /// Tells overheating once per crossing.
    fn watch(&self, thing: &Thing, celsius: f64) {
        let threshold = self.threshold.get();
        let was = self.overheated.get();
        let is = is_overheated(was, celsius, threshold);
        self.overheated.set(is);
        if is && !was {
            thing.emit("overheating", Value::Json(format!(r#"{{"temperature":{celsius},"threshold":{threshold}}}"#)));
        }
    }

    fn load_statistics(&self) -> Result<Value, Fault> {
        let loads = self.loads.borrow();
        let statistics = figures::mean_and_median(loads.iter().copied());
        let (mean, median) = statistics.ok_or_else(|| Fault::unavailable("there is no sample yet"))?;
        Ok(Value::Json(format!(r#"{{"mean":{mean},"median":{median},"samples":{}}}"#, loads.len())))
    }
}

fn is_overheated(was: bool, celsius: f64, threshold: f64) -> bool {
    celsius > if was { threshold - HYSTERESIS } else { threshold }
}

fn text(file: &SysfsFile) -> Option<String> {
    file.read_text().ok()
}

tidegate_handler::export!(HostMonitor);

#[cfg(test)]
mod tests {
    use super::is_overheated;

    #[test]
    fn a_temperature_around_the_threshold_is_told_once() {
        let mut overheated = false;
        let told = [79.0, 80.5, 79.5, 80.5, 77.0, 81.0].map(|celsius| {
            let was = overheated;
            overheated = is_overheated(was, celsius, 80.0);
            overheated && !was
        });
        assert_eq!(told, [false, true, false, false, false, true]);
    }
}
