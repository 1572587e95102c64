//! Settings: values that consumers change and that survive everything.
//!
//! A written value is in the gateway's `state`, under `settings/NAME` as JSON text, before the answer leaves. When the
//! handler starts, what was written wins over the deployment's value, and that over the handler's default.

use crate::notify::Notify;
use crate::{Fault, Value, clock, log, state};
use core::cell::RefCell;
use core::fmt::{Debug, Formatter};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

/// A value that can be a [`Setting`]. Each type brings only the code that it needs, so handlers stay small.
pub trait Durable: Clone + Into<Value> + TryFrom<Value, Error = Fault> + 'static {
    /// As JSON text.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when there is no JSON for it (an infinite number, media).
    fn to_state(&self) -> Result<Vec<u8>, Fault>;

    /// From JSON text; `None` when it is of another type.
    fn from_state(text: &str) -> Option<Self>;
}

macro_rules! by_display {
    ($($scalar:ty),*) => {
        $(impl Durable for $scalar {
            fn to_state(&self) -> Result<Vec<u8>, Fault> {
                Ok(self.to_string().into_bytes())
            }

            fn from_state(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })*
    };
}
by_display!(bool, i8, i16, i32, i64, u8, u16, u32, u64);

impl Durable for f64 {
    fn to_state(&self) -> Result<Vec<u8>, Fault> {
        if self.is_finite() {
            Ok(self.to_string().into_bytes())
        } else {
            Err(Fault::invalid("a finite number is wanted"))
        }
    }

    fn from_state(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number: &Self| number.is_finite())
    }
}

impl Durable for String {
    fn to_state(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|error| Fault::Failed(error.to_string()))
    }

    fn from_state(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// A durable value of the Thing. Reading it costs nothing; writing it is acknowledged only when it is kept.
pub struct Setting<T> {
    name: &'static str,
    value: RefCell<T>,
    notify: Notify,
}

impl<T: Durable> Setting<T> {
    pub(crate) fn load(name: &'static str, deployed: Option<&Value>, default: T) -> Result<Self, Fault> {
        let value = match (written(name), deployed) {
            (Some(value), _) => value,
            (None, Some(value)) => T::try_from(value.clone())
                .map_err(|fault| Fault::Invalid(["the setting ", name, ": ", fault.reason()].concat()))?,
            (None, None) => default,
        };
        Ok(Self { name, value: RefCell::new(value), notify: Notify::new() })
    }

    /// The value now.
    pub fn get(&self) -> T {
        self.value.borrow().clone()
    }

    /// The value now, as the answer to `read_property`.
    ///
    /// # Errors
    /// None; it is a `Result` to be that answer.
    pub fn read(&self) -> Result<Value, Fault> {
        Ok(self.get().into())
    }

    /// Takes a value as it came to `write_property`, and keeps it.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when it is of another type; [`Fault::Failed`] when it could not be kept. Then the old value
    /// stays.
    pub fn write(&self, value: Value) -> Result<(), Fault> {
        self.set(T::try_from(value)?)
    }

    /// Changes the value and keeps it.
    ///
    /// # Errors
    /// As [`Setting::write`].
    pub fn set(&self, value: T) -> Result<(), Fault> {
        state::set(&key(self.name), &value.to_state()?)?;
        *self.value.borrow_mut() = value;
        self.notify.notify();
        Ok(())
    }

    /// Waits until the setting is written.
    pub async fn changed(&self) {
        self.notify.changed().await;
    }

    /// Waits until the setting is written, at most `ms` milliseconds: the pause between two samples, in which a shorter
    /// interval takes effect at once. True: it was written.
    pub async fn changed_or_after_ms(&self, ms: impl Into<u64>) -> bool {
        let mut changed = pin!(self.notify.changed());
        let mut slept = pin!(clock::sleep_ms(ms.into()));
        poll_fn(|context| match (changed.as_mut().poll(context), slept.as_mut().poll(context)) {
            (Poll::Ready(()), _) => Poll::Ready(true),
            (Poll::Pending, Poll::Ready(())) => Poll::Ready(false),
            (Poll::Pending, Poll::Pending) => Poll::Pending,
        })
        .await
    }
}

impl<T: Durable + Debug> Debug for Setting<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> core::fmt::Result {
        formatter.debug_tuple(self.name).field(&*self.value.borrow()).finish()
    }
}

fn key(name: &str) -> String {
    ["settings/", name].concat()
}

/// What was written before this instance. An unreadable value (another version's type) counts as none.
fn written<T: Durable>(name: &str) -> Option<T> {
    let bytes = state::get(&key(name))?;
    let value = core::str::from_utf8(&bytes).ok().and_then(T::from_state);
    if value.is_none() {
        log::warn(&["the stored setting ", name, " is not of this version's type and is left aside"].concat());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::task::{Context, Waker};

    fn there_and_back<T: Durable + PartialEq + Debug>(value: &T) {
        let text = String::from_utf8(value.to_state().unwrap()).unwrap();
        assert_eq!(T::from_state(&text).as_ref(), Some(value), "{text}");
    }

    #[test]
    fn every_type_survives_its_text() {
        there_and_back(&true);
        there_and_back(&u32::MAX);
        there_and_back(&i64::MIN);
        there_and_back(&21.5_f64);
        there_and_back(&1e-300_f64);
        there_and_back(&String::from("a \"quoted\" line\n"));
    }

    #[test]
    fn text_of_another_type_is_none() {
        assert_eq!(u32::from_state("-1"), None);
        assert_eq!(u32::from_state("1.5"), None);
        assert_eq!(f64::from_state("inf"), None);
        assert_eq!(bool::from_state("1"), None);
        assert_eq!(String::from_state("unquoted"), None);
        assert!(f64::NAN.to_state().is_err());
    }

    #[test]
    fn the_deployment_wins_over_the_default_and_must_have_the_type() {
        assert_eq!(Setting::load("x", None, 5_u32).unwrap().get(), 5);
        assert_eq!(Setting::load("x", Some(&Value::Integer(7)), 5_u32).unwrap().get(), 7);
        let fault = Setting::load("x", Some(&Value::Integer(-7)), 5_u32).unwrap_err();
        assert!(matches!(fault, Fault::Invalid(why) if why.starts_with("the setting x: ")));
    }

    #[test]
    fn a_write_ends_the_pause_and_a_wrong_one_changes_nothing() {
        let setting = Setting::load("x", None, 1_000_u32).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut pause = pin!(setting.changed_or_after_ms(setting.get()));
        assert!(pause.as_mut().poll(&mut context).is_pending());
        assert!(setting.write(Value::Text("soon".into())).is_err());
        assert!(pause.as_mut().poll(&mut context).is_pending());
        setting.write(Value::Integer(10)).unwrap();
        assert_eq!(pause.as_mut().poll(&mut context), Poll::Ready(true));
        assert_eq!(setting.get(), 10);
    }

    #[test]
    fn the_pause_ends_by_itself() {
        clock::set_native_now_us(0);
        let setting = Setting::load("x", None, 10_u32).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut pause = pin!(setting.changed_or_after_ms(setting.get()));
        assert!(pause.as_mut().poll(&mut context).is_pending());
        clock::set_native_now_us(10_000);
        assert_eq!(pause.as_mut().poll(&mut context), Poll::Ready(false));
    }
}
