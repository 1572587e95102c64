//! The form of a component: what it imports, how much it is made of, how deep it goes, how long it takes to compile. It is
//! refused with a sentence, or it is taken and works; nothing of it takes the gateway along.

use wasm_encoder::{
    CodeSection, ComponentSection as _, ComponentTypeSection, ConstExpr, CustomSection, Function, FunctionSection,
    GlobalSection, GlobalType, Instruction, Module, NestedComponentSection, PrimitiveValType, RawSection, TypeSection,
    ValType,
};

use super::{
    case::{Case, MODEL, OK},
    words::guest,
    written::{Guest, append_model},
};

pub(super) fn cases() -> Vec<Case> {
    [imports(), rooms(), numbers(), depths(), texts()].concat()
}

/// A handler that is good, and this beside it.
fn beside(name: &str, append: impl FnOnce(&mut Vec<u8>)) -> Case {
    let mut bytes = Guest::new().model(MODEL).component();
    append(&mut bytes);
    Case::bytes(name, bytes)
}

fn with_module(name: &str, module: Module) -> Case {
    let bytes = module.finish();
    // Section 1 of a component: a core module as it is.
    beside(name, |component| RawSection { id: 1, data: &bytes }.append_to_component(component))
}

/// What no gateway offers.
fn imports() -> Vec<Case> {
    let importing = |name: &str, import: &str| {
        let text = format!(
            r#"(component (import "{import}" (instance)) (instance $handler)
                (export "tidegate:thing/handler@1.0.0" (instance $handler)))"#
        );
        let mut bytes = wat::parse_str(text).unwrap_or_default();
        append_model(&mut bytes, b"{}");
        Case::bytes(name, bytes).refused("no gateway provides its imports")
    };
    let many: String = (0..900).map(|at| format!(r#"(import "a:b/c{at}" (instance))"#)).collect();
    let mut many = wat::parse_str(format!(
        r#"(component {many} (instance $handler) (export "tidegate:thing/handler@1.0.0" (instance $handler)))"#
    ))
    .unwrap_or_default();
    append_model(&mut many, b"{}");
    let long = format!("a:b/{}", "x".repeat(90_000));
    vec![
        importing("files of WASI", "wasi:filesystem/preopens@0.2.0"),
        importing("sockets of WASI", "wasi:sockets/tcp@0.2.0"),
        importing("another version of the contract", "tidegate:thing/i2c@9.0.0"),
        importing("a very long import", &long),
        Case::bytes("900 imports", many).refused("no gateway provides its imports"),
    ]
}

/// Memories, tables and instances before anything of it runs.
fn rooms() -> Vec<Case> {
    let with = |name: &str, fields: &str| Case::of(name, guest().fields(fields));
    let memory = |name: &str, memory: &str| Case::of(name, guest().memory(memory));
    let data = "x".repeat(12 << 20);
    vec![
        memory("a memory of 4 GiB", r#"(memory (export "memory") 65536)"#).refused("rehearsal"),
        memory("a memory of 17 MiB", r#"(memory (export "memory") 272)"#).refused("rehearsal"),
        with("100 memories of one page", &"(memory 1)".repeat(99)).refused(""),
        with("three memories of 6 MiB", &"(memory 96)".repeat(3)).refused("rehearsal"),
        with("a memory of 64 bits", "(memory i64 1)").refused(""),
        with("a memory that is shared", "(memory 1 1 shared)").refused(""),
        with("90 tables", &"(table 1 funcref)".repeat(90)).refused(""),
        with("a table of 10,000,000", "(table 10000000 funcref)").refused("rehearsal"),
        with("tables of 5,000 in every place", &"(table 5000 funcref)".repeat(10)).refused("rehearsal"),
        Case::of("a table that grows without end", {
            let grow = "(loop $again (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 100)) (i32.const -1)))) i32.const 1024";
            guest().fields("(table 1 funcref)").on("read-property", grow)
        })
        .read(&[OK])
        .times(3),
        memory("12 MiB of letters", &format!(r#"(memory (export "memory") 200) (data (i32.const 131072) "{data}")"#)),
        with("data beyond the memory", r#"(data (i32.const 0x7fffffff) "x")"#).refused("rehearsal"),
        with("elements beyond the table", "(table 1 funcref) (elem (i32.const 100) $wake)").refused("rehearsal"),
    ]
}

fn module_of(count: u32, body: impl Fn(u32) -> Function) -> Module {
    let (mut module, mut types) = (Module::new(), TypeSection::new());
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for at in 0..count {
        functions.function(0);
        code.function(&body(at));
    }
    module.section(&types).section(&functions).section(&code);
    module
}

fn function(locals: u32, instructions: impl IntoIterator<Item = Instruction<'static>>) -> Function {
    let mut function = Function::new([(locals, ValType::I64)]);
    for instruction in instructions {
        function.instruction(&instruction);
    }
    function.instruction(&Instruction::End);
    function
}

/// More than a handler is made of: each would take the compiler, or the instance, gigabytes or minutes.
fn numbers() -> Vec<Case> {
    let globals = {
        let mut globals = GlobalSection::new();
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        (0..900_000).for_each(|_| {
            globals.global(ty, &ConstExpr::i32_const(0));
        });
        let mut module = Module::new();
        module.section(&globals);
        module
    };
    let straight = |count: usize| {
        let step = [Instruction::I64Const(1), Instruction::Drop];
        function(0, step.into_iter().cycle().take(2 * count))
    };
    let targets = |count: u32| {
        let table = Instruction::BrTable(vec![0; count as usize].into(), 0);
        let step = [Instruction::I32Const(0), table];
        function(0, step)
    };
    let nested = |depth: usize| {
        let open = std::iter::repeat_n(Instruction::Loop(wasm_encoder::BlockType::Empty), depth);
        let steps = (0..depth).flat_map(|at| {
            [Instruction::LocalGet(0), Instruction::LocalSet(u32::try_from(at % 1_000).unwrap_or(0)), Instruction::End]
        });
        function(1_000, open.chain(steps))
    };
    let types = {
        let mut types = TypeSection::new();
        (0..900_000).for_each(|_| types.ty().function([], []));
        let mut module = Module::new();
        module.section(&types);
        module
    };
    vec![
        with_module("900,000 globals", globals).refused("more than"),
        with_module("900,000 types", types).refused("more than"),
        with_module("900,000 functions", module_of(900_000, |_| function(0, []))).refused("more than"),
        with_module("a function of 4 MB", module_of(1, |_| straight(1_300_000))).refused("more than"),
        with_module("tables of branches", module_of(40, |_| targets(100_000))).refused("more than"),
        with_module("loops in loops", module_of(50, |_| nested(2_000))).refused("more than"),
        with_module("a few loops in loops", module_of(4, |_| nested(2_000))),
        with_module("functions of 50,000 locals", module_of(100, |_| function(50_000, []))).refused("more than"),
    ]
}

/// Components in components, types in types.
fn depths() -> Vec<Case> {
    let nested = |depth: usize| {
        let mut bytes = wasm_encoder::Component::new().finish();
        for _ in 0..depth {
            let mut outer = wasm_encoder::Component::new();
            outer.section(&RawSection { id: 4, data: &bytes });
            bytes = outer.finish();
        }
        bytes
    };
    let many = |count: u32| {
        let mut types = ComponentTypeSection::new();
        (0..count).for_each(|_| {
            types.defined_type().primitive(PrimitiveValType::U8);
        });
        types
    };
    let lists = |depth: u32| {
        let mut types = ComponentTypeSection::new();
        types.defined_type().primitive(PrimitiveValType::U8);
        (0..depth).for_each(|at| {
            types.defined_type().list(wasm_encoder::ComponentValType::Type(at));
        });
        types
    };
    // Each is a pair of the one before: 2 to the 64 parts, in 200 bytes.
    let doubled = |depth: u32| {
        let mut types = ComponentTypeSection::new();
        types.defined_type().primitive(PrimitiveValType::U8);
        (0..depth).for_each(|at| {
            let part = wasm_encoder::ComponentValType::Type(at);
            types.defined_type().tuple([part, part]);
        });
        types
    };
    let components = |count: usize| {
        move |bytes: &mut Vec<u8>| {
            let component = wasm_encoder::Component::new();
            (0..count).for_each(|_| NestedComponentSection(&component).append_to_component(bytes));
        }
    };
    vec![
        beside("components 3,000 deep", |bytes| RawSection { id: 4, data: &nested(3_000) }.append_to_component(bytes))
            .refused(""),
        beside("components 20 deep", |bytes| RawSection { id: 4, data: &nested(20) }.append_to_component(bytes))
            .refused(""),
        beside("900 components", components(900)).refused(""),
        beside("5,000 components", components(5_000)).refused(""),
        beside("900,000 component types", |bytes| many(900_000).append_to_component(bytes)).refused("more than"),
        beside("lists 5,000 deep", |bytes| lists(5_000).append_to_component(bytes)).refused(""),
        beside("pairs of pairs", |bytes| doubled(64).append_to_component(bytes)).refused(""),
    ]
}

/// Names and sections that are only read.
fn texts() -> Vec<Case> {
    let name = "<script>alert(1)</script>\\1b[2J\\0a";
    vec![
        Case::of(
            "a function's name of markup",
            guest()
                .fields(&format!(r#"(func $"{name}" unreachable)"#))
                .on("read-property", &format!(r#"(call $"{name}") i32.const 1024"#)),
        )
        .read(&[super::case::TRAP])
        .never("\\u001b")
        .never("\\n"),
        beside("a custom section of 10 MiB", |bytes| {
            CustomSection { name: "x".into(), data: vec![0; 10 << 20].into() }.append_to_component(bytes);
        }),
        Case::bytes("a component of 17 MiB", vec![0; 17 << 20]).too_large(),
    ]
}
