//! A bus under load and in trouble: order, bounds, time-outs, a device that hangs.

use std::sync::mpsc;

use super::*;

/// A device that remembers what it was asked, and hangs on demand.
#[derive(Default)]
struct Log(Vec<u32>);

const LIMIT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

fn bus() -> Arc<Bus<Log>> {
    Bus::start("test", Log::default(), Watchdog::start().unwrap()).unwrap()
}

fn meter() -> Arc<Meter> {
    Arc::new(Meter::new(None, Instant::now()))
}

/// Occupies the bus until the returned sender is used (99) or dropped (98); the task gives the answer of the call.
async fn hang(
    bus: &Arc<Bus<Log>>,
    limit: Duration,
) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<u32, DeviceError>>) {
    let (release, released) = mpsc::channel::<()>();
    let (started, start) = oneshot::channel();
    let (bus, meter) = (Arc::clone(bus), meter());
    let call = tokio::spawn(async move {
        let operation = move |log: &mut Log| {
            started.send(()).unwrap();
            let told = released.recv().is_ok();
            log.0.push(if told { 99 } else { 98 });
            Ok(99)
        };
        bus.call(&meter, limit, operation).await
    });
    start.await.unwrap();
    (release, call)
}

/// Waits until the bus has nothing in hand and nothing in its queue.
async fn settled(bus: &Bus<Log>) -> Vec<u32> {
    let deadline = Instant::now() + LONG;
    loop {
        match bus.call(&meter(), LONG, |log: &mut Log| Ok(log.0.clone())).await {
            Ok(log) => return log,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn calls_run_in_order_and_answer() {
    let (bus, own) = (bus(), meter());
    for n in 0..10 {
        let answer = bus.call(&own, LONG, move |log: &mut Log| {
            log.0.push(n);
            Ok(n * 2)
        });
        assert_eq!(answer.await.unwrap(), n * 2);
    }
    assert_eq!(settled(&bus).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_busy() {
    let bus = bus();
    let (release, first) = hang(&bus, LONG).await;
    let meter = meter();
    let mut waiting: Vec<_> = Vec::new();
    for _ in 0..QUEUE_MAX {
        let mut call = Box::pin(bus.call(&meter, LONG, |_: &mut Log| Ok(())));
        assert!(futures_poll(&mut call).is_pending());
        waiting.push(call);
    }
    let refused = bus.call(&meter, LONG, |_: &mut Log| Ok(())).await;
    assert!(matches!(refused, Err(DeviceError::Busy)));
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), 99);
    for call in waiting {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_device_times_out_and_the_bus_is_stuck_until_it_comes_back() {
    let bus = bus();
    let start = Instant::now();
    let (release, first) = hang(&bus, LIMIT).await;
    let own = meter();
    let second = bus.call(&own, LONG, |_: &mut Log| Ok(()));
    let second = tokio::time::timeout(LONG, second);
    let (first, second) = tokio::join!(first, second);
    assert!(matches!(first.unwrap(), Err(DeviceError::Timeout { limit_ms: 200, .. })));
    assert!(start.elapsed() < LIMIT * 10, "{:?}", start.elapsed());
    assert!(matches!(second.unwrap(), Err(DeviceError::Stuck { .. })), "who waited is told too");
    let third = bus.call(&meter(), LONG, |_: &mut Log| Ok(())).await;
    assert!(matches!(third, Err(DeviceError::Stuck { .. })));
    // A fail-safe is told in time, and runs as soon as the device comes back.
    let safe = bus.call_control(LIMIT, |log: &mut Log| {
        log.0.push(7);
        Ok(())
    });
    assert!(matches!(safe.await, Err(DeviceError::Timeout { .. })));
    release.send(()).unwrap();
    assert_eq!(settled(&bus).await, [99, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_in_the_queue_is_told_but_the_bus_is_not_stuck() {
    let bus = bus();
    let (release, first) = hang(&bus, LONG).await;
    let own = meter();
    let queued = bus.call(&own, Duration::from_millis(30), |log: &mut Log| {
        log.0.push(1);
        Ok(())
    });
    assert!(matches!(queued.await, Err(DeviceError::Timeout { limit_ms: 30, .. })));
    release.send(()).unwrap();
    assert!(first.await.unwrap().is_ok());
    assert_eq!(settled(&bus).await, [99], "nobody waited for it any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_has_gone_is_skipped() {
    let bus = bus();
    let (release, first) = hang(&bus, LONG).await;
    {
        let meter = meter();
        let mut gone = Box::pin(bus.call(&meter, LONG, |log: &mut Log| {
            log.0.push(1);
            Ok(())
        }));
        assert!(futures_poll(&mut gone).is_pending());
    }
    bus.post(|log| log.0.push(2));
    release.send(()).unwrap();
    assert!(first.await.unwrap().is_ok());
    assert_eq!(settled(&bus).await, [99, 2]);
}

#[tokio::test]
async fn a_panic_ends_the_bus_and_nobody_waits_for_it() {
    let bus = bus();
    let answer = bus.call(&meter(), LONG, |_: &mut Log| -> Result<(), _> { panic!("a test's own panic") }).await;
    assert!(matches!(answer, Err(DeviceError::Bus { .. })));
    let deadline = Instant::now() + LONG;
    while bus.is_alive() {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert!(matches!(bus.call(&meter(), LONG, |_: &mut Log| Ok(())).await, Err(DeviceError::Bus { .. })));
}

#[tokio::test]
async fn bus_time_is_accounted() {
    let (bus, meter) = (bus(), meter());
    let held = Duration::from_millis(5);
    let hold = move |_: &mut Log| {
        let start = Instant::now();
        while start.elapsed() < held {
            std::hint::spin_loop();
        }
        Ok(())
    };
    bus.call(&meter, LONG, hold).await.unwrap();
    let failed: Result<(), _> = bus.call(&meter, LONG, |_: &mut Log| Err(DeviceError::Busy)).await;
    assert!(failed.is_err());
    let (transactions, failures, micros) = meter.read();
    assert_eq!((transactions, failures), (2, 1));
    assert!(micros >= 5_000, "{micros}");
}

#[test]
fn a_thread_is_named_by_the_end_of_its_place() {
    assert_eq!(thread_name("/dev/i2c-1"), "bus /dev/i2c-1");
    assert_eq!(thread_name("board:i2c-1"), "bus board:i2c-1");
    assert!(thread_name("/dev/a-very-long-name-0").len() <= 15);
}

/// One poll without an executor.
fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context)
}
