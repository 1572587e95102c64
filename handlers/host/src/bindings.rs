//! Rust types and linker functions of the contract `tidegate:thing`, generated from `handlers/wit/thing.wit`.
//!
//! Only what waits for a device or for time is `async`; everything else answers at once, without a boxed future.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "thing-handler",
    imports: {
        "tidegate:thing/clock.delay": async | trappable,
        "tidegate:thing/i2c": async | trappable,
        "tidegate:thing/spi": async | trappable,
        "tidegate:thing/gpio": async | trappable,
        "tidegate:thing/pwm": async | trappable,
        "tidegate:thing/sysfs": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    additional_derives: [PartialEq],
});
