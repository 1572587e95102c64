//! How much a component is made of, counted before it is validated or compiled.
//!
//! A megabyte of WebAssembly can be a million functions, or a few whose compiling takes minutes and gigabytes: the bytes of an
//! upload bound neither. The numbers are far above what a toolchain makes of a handler, and such that the worst that keeps
//! them compiles in seconds.

use wasmparser::{Encoding, FunctionBody, Operator, Parser, Payload, Result};

use crate::error::HandlerError;

/// Components in each other.
const DEPTH_MAX: u64 = 16;
/// Of functions, bytes of the largest.
const BODY_BYTES_MAX: u64 = 512 << 10;
const LOCALS_MAX: u64 = 20_000;
/// Targets of all tables of branches.
const TARGETS_MAX: u64 = 200_000;
/// Blocks, each counted once for every local of its function: the compiler asks of each pair what flows there.
const FLOWS_MAX: u64 = 40_000_000;

/// What is counted over all of a component, with the word for it.
const COUNTED: [(Counted, &str, u64); 7] = [
    (Counted::Modules, "modules and components", 64),
    (Counted::Types, "types", 20_000),
    (Counted::Names, "imports, exports and aliases", 20_000),
    (Counted::Functions, "functions", 50_000),
    (Counted::Globals, "globals", 10_000),
    (Counted::Segments, "segments of data and elements", 20_000),
    (Counted::Instances, "instances", 1_000),
];

#[derive(Clone, Copy)]
enum Counted {
    Modules,
    Types,
    Names,
    Functions,
    Globals,
    Segments,
    Instances,
}

/// What was counted so far.
#[derive(Default)]
struct Extent {
    counts: [u64; COUNTED.len()],
    depth: u64,
    targets: u64,
    flows: u64,
}

/// Refuses what is too much to be validated and compiled.
pub(crate) fn check(bytes: &[u8]) -> std::result::Result<(), HandlerError> {
    let mut extent = Extent::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let excess = payload.and_then(|payload| extent.take(&payload));
        if let Some(excess) = excess.map_err(|error| HandlerError::bad(error.to_string()))? {
            return Err(HandlerError::bad(excess));
        }
    }
    Ok(())
}

fn beyond(what: &str, count: u64, max: u64) -> Option<String> {
    (count > max).then(|| format!("it has more than {max} {what}"))
}

impl Extent {
    /// Counts a part; answers what there is too much of.
    fn take(&mut self, payload: &Payload<'_>) -> Result<Option<String>> {
        let (counted, count) = match payload {
            Payload::Version { encoding: Encoding::Component | Encoding::Module, .. } => {
                self.depth += 1;
                if let Some(excess) = beyond("components in each other", self.depth, DEPTH_MAX) {
                    return Ok(Some(excess));
                }
                (Counted::Modules, 1)
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                return Ok(None);
            }
            Payload::CodeSectionEntry(body) => return self.body(body),
            Payload::TypeSection(section) => (Counted::Types, section.count()),
            Payload::ComponentTypeSection(section) => (Counted::Types, section.count()),
            Payload::CoreTypeSection(section) => (Counted::Types, section.count()),
            Payload::ImportSection(section) => (Counted::Names, section.count()),
            Payload::ExportSection(section) => (Counted::Names, section.count()),
            Payload::ComponentImportSection(section) => (Counted::Names, section.count()),
            Payload::ComponentExportSection(section) => (Counted::Names, section.count()),
            Payload::ComponentAliasSection(section) => (Counted::Names, section.count()),
            Payload::FunctionSection(section) => (Counted::Functions, section.count()),
            Payload::ComponentCanonicalSection(section) => (Counted::Functions, section.count()),
            Payload::GlobalSection(section) => (Counted::Globals, section.count()),
            Payload::ElementSection(section) => (Counted::Segments, section.count()),
            Payload::DataSection(section) => (Counted::Segments, section.count()),
            Payload::InstanceSection(section) => (Counted::Instances, section.count()),
            Payload::ComponentInstanceSection(section) => (Counted::Instances, section.count()),
            _ => return Ok(None),
        };
        let (_, what, max) = COUNTED[counted as usize];
        let sum = &mut self.counts[counted as usize];
        *sum += u64::from(count);
        Ok(beyond(what, *sum, max))
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<Option<String>> {
        let bytes = u64::try_from(body.range().len()).unwrap_or(u64::MAX);
        let mut locals = 1;
        for group in body.get_locals_reader()? {
            locals += u64::from(group?.0);
        }
        let mut blocks = 0;
        if bytes <= BODY_BYTES_MAX {
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => blocks += 1,
                    Operator::BrTable { targets } => self.targets += u64::from(targets.len()),
                    _ => {}
                }
            }
        }
        self.flows = self.flows.saturating_add(blocks * locals);
        Ok(beyond("bytes in one function", bytes, BODY_BYTES_MAX)
            .or_else(|| beyond("locals in one function", locals - 1, LOCALS_MAX))
            .or_else(|| beyond("targets of branches", self.targets, TARGETS_MAX))
            .or_else(|| beyond("pairs of blocks and locals", self.flows, FLOWS_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_over_all_modules() {
        let (_, what, max) = COUNTED[Counted::Functions as usize];
        let mut extent = Extent::default();
        assert_eq!(beyond(what, max, max), None);
        extent.counts[Counted::Functions as usize] = max;
        let module = wat::parse_str("(module (func))").unwrap();
        let excesses = Parser::new(0).parse_all(&module).map(|payload| extent.take(&payload.unwrap()).unwrap());
        assert_eq!(excesses.flatten().collect::<Vec<_>>(), ["it has more than 50000 functions"]);
    }

    #[test]
    fn blocks_count_for_each_local() {
        let mut extent = Extent::default();
        let module = wat::parse_str("(module (func (local i64 i64) (loop (block))) (func (block)))").unwrap();
        Parser::new(0).parse_all(&module).for_each(|payload| {
            assert_eq!(extent.take(&payload.unwrap()).unwrap(), None);
        });
        assert_eq!(extent.flows, 2 * 3 + 1);
    }
}
