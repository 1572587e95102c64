//! The WebAssembly engines of the process: settings, ticker, threads for long calls and for compiling, compiled cache.
//!
//! There are two engines with the same settings and interchangeable code: one takes memories from a pool of equal slots, one
//! reserves a memory of its own for each Thing that is allowed more than a slot, or finds the pool full. Both are made once,
//! at start.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::address_space::AddressSpace;
use crate::background::Background;
use crate::cache::Cache;
use crate::compilers::Compilers;
use crate::component::{HandlerComponent, Loaded};
use crate::error::HandlerError;
use crate::ticker::Ticker;

/// A pool of fewer instances is none.
const INSTANCES_MIN: u32 = 16;

/// How the engines are made. Sizes in bytes.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Folder of compiled components, made 0700; `None`: every start compiles.
    pub cache_dir: Option<PathBuf>,
    /// File of the key that signs the cache, made 0600 when absent; `None`: `cache.key` in the cache folder.
    pub cache_key_file: Option<PathBuf>,
    /// Upper bound of the cache folder.
    pub cache_bytes_max: u64,
    /// Places of the pool: two for each Thing, since a replacement stands beside the version that it replaces. Instances for
    /// which there is no place get memories of their own, which costs more address space and more time.
    pub instances_max: u32,
    /// Memory of one slot of the pool; a Thing that is allowed more gets a memory outside the pool.
    pub memory_bytes_max: usize,
    /// Upper bound of an uploaded component.
    pub component_bytes_max: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            cache_key_file: None,
            cache_bytes_max: 256 << 20,
            instances_max: 128,
            memory_bytes_max: 16 << 20,
            component_bytes_max: 16 << 20,
        }
    }
}

/// Loads handlers and runs them. Clones are the same engine.
#[derive(Clone, Debug)]
pub struct HandlerEngine {
    pub(crate) shared: Arc<EngineShared>,
}

#[derive(Debug)]
pub(crate) struct EngineShared {
    pub(crate) config: EngineConfig,
    pub(crate) engines: Engines,
    pub(crate) ticker: Ticker,
    pub(crate) background: Background,
    pub(crate) compilers: Compilers,
    pub(crate) cache: Option<Cache>,
    pub(crate) loaded: Loaded,
}

/// Two engines whose compiled code is interchangeable.
#[derive(Clone)]
pub(crate) struct Engines {
    pub(crate) pooled: Engine,
    pub(crate) on_demand: Engine,
    pub(crate) mode: AddressSpace,
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl HandlerEngine {
    /// Makes the engines, in the largest mode that this machine's address space allows.
    ///
    /// # Errors
    /// [`HandlerError::Host`] when no engine, no thread or no cache folder can be had.
    pub fn new(config: EngineConfig) -> Result<Self, HandlerError> {
        let engines = Engines::probe(&config)?;
        let ticker = Ticker::start(vec![engines.pooled.clone(), engines.on_demand.clone()])?;
        let background = Background::start()?;
        let compilers = Compilers::start()?;
        let cache = config.cache_dir.clone().map(|dir| Cache::open(dir, &config, &engines.on_demand)).transpose()?;
        let loaded = Loaded::default();
        Ok(Self { shared: Arc::new(EngineShared { config, engines, ticker, background, compilers, cache, loaded }) })
    }

    /// How memories are reserved.
    #[must_use]
    pub fn mode(&self) -> AddressSpace {
        self.shared.engines.mode
    }

    /// Admits a component and compiles it, or takes its compiled form from the cache; one that is in use already is shared.
    /// Blocks for tens of milliseconds.
    ///
    /// # Errors
    /// [`HandlerError::BadComponent`] or [`HandlerError::MissingExport`] with the reason; [`HandlerError::Host`].
    pub fn load(&self, bytes: &[u8]) -> Result<HandlerComponent, HandlerError> {
        HandlerComponent::load(&self.shared, bytes)
    }

    /// Gives back the space that the compiled form of a component takes in the cache, unless somebody else uses it.
    pub fn forget(&self, component: &HandlerComponent) {
        if let (Some(cache), true) = (&self.shared.cache, component.is_alone()) {
            cache.remove(&component.digest());
        }
    }
}

impl Engines {
    fn probe(config: &EngineConfig) -> Result<Self, HandlerError> {
        match Self::new(AddressSpace::Full, config) {
            Ok(engines) => Ok(engines),
            Err(reason) => {
                tracing::info!(%reason, "little address space: handlers' memories are reserved small, bounds are checked");
                Self::small(config)
            }
        }
    }

    /// With as large a pool as there is space for: halved until one fits.
    fn small(config: &EngineConfig) -> Result<Self, HandlerError> {
        let mut instances_max = config.instances_max;
        loop {
            match Self::new(AddressSpace::Small, &EngineConfig { instances_max, ..config.clone() }) {
                Ok(engines) => return Ok(engines),
                Err(error) if instances_max / 2 < INSTANCES_MIN => {
                    return Err(HandlerError::host("no address space for handlers", error));
                }
                Err(_) => {
                    instances_max /= 2;
                    tracing::warn!(instances_max, "so little address space that fewer handlers fit");
                }
            }
        }
    }

    fn new(mode: AddressSpace, config: &EngineConfig) -> wasmtime::Result<Self> {
        let pooled = Engine::new(settings(mode, config).allocation_strategy(pool(config)))?;
        let on_demand = Engine::new(&settings(mode, config))?;
        let engines = Self { pooled, on_demand, mode };
        // The pool has reserved its whole space by now.
        engines.spare()?;
        Ok(engines)
    }

    /// Fails where the rest of the process would have too little address space after one more memory of its own: an allocator
    /// that finds none ends the process.
    pub(crate) fn spare(&self) -> wasmtime::Result<()> {
        reserve(&self.on_demand, self.mode.spared_memories())
    }
}

/// Settings that both engines share, so that code compiled for one runs in the other.
fn settings(mode: AddressSpace, config: &EngineConfig) -> Config {
    let mut settings = Config::new();
    settings
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_memory64(false)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .memory_reservation(mode.reservation_bytes(config.memory_bytes_max))
        .memory_guard_size(mode.guard_bytes())
        .memory_reservation_for_growth(1 << 20)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20);
    settings
}

fn pool(config: &EngineConfig) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(config.instances_max)
        // A component is its own core module and the adapters that the encoder puts around it.
        .max_core_instances_per_component(16)
        .total_core_instances(config.instances_max.saturating_mul(4))
        .total_memories(config.instances_max)
        .max_memories_per_component(4)
        .max_memory_size(config.memory_bytes_max)
        .total_tables(config.instances_max.saturating_mul(2))
        .max_tables_per_component(16)
        .total_stacks(config.instances_max)
        .linear_memory_keep_resident(64 << 10);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Makes so many empty memories at once: fails where the address space is too small for their reservations.
fn reserve(engine: &Engine, memories: usize) -> wasmtime::Result<()> {
    let mut store = wasmtime::Store::new(engine, ());
    (0..memories).try_for_each(|_| wasmtime::Memory::new(&mut store, wasmtime::MemoryType::new(0, None)).map(drop))
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    #[test]
    fn code_of_one_engine_runs_in_the_other() {
        let hash = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        for mode in [AddressSpace::Full, AddressSpace::Small] {
            let engines = Engines::new(mode, &EngineConfig { instances_max: 4, ..EngineConfig::default() }).unwrap();
            assert_eq!(hash(&engines.pooled), hash(&engines.on_demand), "{mode:?}");
        }
    }
}
