//! Generated from `handlers/wit/thing.wit`: the only module with unsafe code, none of it written by hand.

wit_bindgen::generate!({
    path: "../wit",
    world: "thing-handler",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "tidegate_handler::bindings",
    additional_derives: [PartialEq],
});
