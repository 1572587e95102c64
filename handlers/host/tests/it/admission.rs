//! What is refused before anything of it runs, each with its own sentence.

use handler_host::{ComponentDigest, HandlerEngine, HandlerError, WantKind};

use crate::guest::{Guest, append_model, engine};

fn refusal(engine: &HandlerEngine, bytes: &[u8]) -> String {
    match engine.load(bytes) {
        Err(error @ (HandlerError::BadComponent { .. } | HandlerError::MissingExport { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handler_is_admitted_with_its_true_imports_its_model_and_its_wants() {
    let model = r#"{"title":"Relay","tidegate:wants":[{"label":"coil","kind":"gpio","description":"drives the coil"},
        {"label":"lamp","kind":"pwm","optional":true}]}"#;
    let guest = Guest::new().import("gpio", "write", "(param i32 i32 i32)").model(model);
    let bytes = guest.component();
    let component = engine().load(&bytes).unwrap();
    assert_eq!(component.imports(), ["tidegate:thing/gpio@1.0.0"]);
    assert_eq!(component.digest(), ComponentDigest::of(&bytes));
    assert_eq!(component.model_json()["title"], "Relay");
    let wants: Vec<_> = component.wants().iter().map(|want| (&*want.label, want.kind, want.optional)).collect();
    assert_eq!(wants, [("coil", WantKind::Gpio, false), ("lamp", WantKind::Pwm, true)]);
    assert_eq!((component.size(), component.from_cache()), (bytes.len(), false));
}

#[test]
fn bytes_that_are_no_handler_are_refused() {
    let cases: [(&str, Vec<u8>); 6] = [
        ("no WebAssembly", b"ELF or anything else".to_vec()),
        ("no WebAssembly", Vec::new()),
        ("core module", Guest::new().module()),
        ("bytes, more than", vec![0; (16 << 20) + 1]),
        ("does not export tidegate:thing/handler@1.0.0", wat::parse_str("(component)").unwrap()),
        ("0 Thing Models", Guest::new().component_without_model()),
    ];
    for (expected, bytes) in cases {
        let refusal = refusal(engine(), &bytes);
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn native_code_is_refused() {
    let compiler = wasmtime::Engine::default();
    let native = compiler.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
    assert!(refusal(engine(), &native).contains("precompiled native code"));
}

#[test]
fn a_torn_component_is_refused() {
    let mut bytes = Guest::new().component();
    bytes.truncate(bytes.len() / 2);
    assert!(!refusal(engine(), &bytes).is_empty());
}

#[test]
fn imports_that_no_gateway_has_are_listed() {
    let mut bytes = wat::parse_str(
        r#"(component
            (import "wasi:cli/environment@0.2.0" (instance))
            (import "tidegate:thing/teleport@1.0.0" (instance))
            (instance $handler)
            (export "tidegate:thing/handler@1.0.0" (instance $handler)))"#,
    )
    .unwrap();
    append_model(&mut bytes, b"{}");
    let refusal = refusal(engine(), &bytes);
    assert!(refusal.contains("wasi:cli/environment@0.2.0, tidegate:thing/teleport@1.0.0"), "{refusal}");
}

#[test]
fn a_handler_without_all_functions_is_refused_by_name() {
    let mut bytes = wat::parse_str(
        r#"(component (instance $handler) (export "tidegate:thing/handler@1.0.0" (instance $handler)))"#,
    )
    .unwrap();
    append_model(&mut bytes, b"{}");
    let refusal = refusal(engine(), &bytes);
    assert!(refusal.contains("start"), "{refusal}");
}

#[test]
fn models_and_wants_that_do_not_parse_are_refused() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(70), "]".repeat(70));
    let cases = [
        ("no JSON", "{"),
        ("no object", "[]"),
        ("deeper than 64", deep.as_str()),
        ("warp is no kind", r#"{"tidegate:wants":[{"label":"x","kind":"warp"}]}"#),
        ("label of its own", r#"{"tidegate:wants":[{"label":"x","kind":"i2c"},{"label":"x","kind":"spi"}]}"#),
        ("tidegate:wants", r#"{"tidegate:wants":{}}"#),
    ];
    for (expected, model) in cases {
        let refusal = refusal(engine(), &Guest::new().model(model).component());
        assert!(refusal.contains(expected), "{model}: {refusal}");
    }
    let mut twice = Guest::new().component();
    append_model(&mut twice, b"{}");
    assert!(refusal(engine(), &twice).contains("2 Thing Models"));
}
