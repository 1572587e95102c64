//! A handler that was admitted and compiled, ready to be instantiated.
//!
//! Loading blocks for as long as compiling takes and runs nothing of the component. The digest is that of the bytes as they
//! were uploaded; the compiled form is kept in the cache under it. Things with the same handler share one compiled form.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use serde_json::Value as Json;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::admission::{Outside, admit, check_size, outside};
use crate::bindings::ThingHandlerPre;
use crate::capabilities::Want;
use crate::digest::ComponentDigest;
use crate::engine::EngineShared;
use crate::error::HandlerError;
use crate::imports::link;
use crate::sandbox::Sandbox;

type Ready = ThingHandlerPre<Sandbox>;

/// A compiled handler. Clones share the code.
#[derive(Clone)]
pub struct HandlerComponent {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<EngineShared>,
    digest: ComponentDigest,
    outside: Outside,
    size: usize,
    from_cache: bool,
    compile_ms: u32,
    /// Absent when the component's own memory does not fit a slot of the pool.
    pooled: Option<Ready>,
    on_demand: OnceLock<Ready>,
}

/// The components that are in use, by digest. A compiled handler takes some 700 KB: as many Things as like share it.
#[derive(Default)]
pub(crate) struct Loaded(Mutex<HashMap<ComponentDigest, Weak<Shared>>>);

impl Loaded {
    fn get(&self, digest: &ComponentDigest) -> Option<Arc<Shared>> {
        self.held().get(digest)?.upgrade()
    }

    /// Another thread may have loaded the same meanwhile: then that one stays.
    fn keep(&self, loaded: Shared) -> Arc<Shared> {
        let mut held = self.held();
        if let Some(known) = held.get(&loaded.digest).and_then(Weak::upgrade) {
            // Its end takes the lock.
            drop(held);
            return known;
        }
        let loaded = Arc::new(loaded);
        held.insert(loaded.digest, Arc::downgrade(&loaded));
        loaded
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ComponentDigest, Weak<Shared>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("components", &self.held().len()).finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut held = self.engine.loaded.held();
        // It may have been loaded anew after its last holder let go.
        if held.get(&self.digest).is_some_and(|known| known.strong_count() == 0) {
            held.remove(&self.digest);
        }
    }
}

impl std::fmt::Debug for HandlerComponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandlerComponent").field("digest", &self.shared.digest).finish_non_exhaustive()
    }
}

impl HandlerComponent {
    pub(crate) fn load(engine: &Arc<EngineShared>, bytes: &[u8]) -> Result<Self, HandlerError> {
        let digest = ComponentDigest::of(bytes);
        if let Some(shared) = engine.loaded.get(&digest) {
            return Ok(Self { shared });
        }
        engine.compilers.run(|| Self::load_anew(engine, digest, bytes))
    }

    /// At low priority: Things that serve do not notice that another looks at an upload.
    fn load_anew(engine: &Arc<EngineShared>, digest: ComponentDigest, bytes: &[u8]) -> Result<Self, HandlerError> {
        check_size(bytes, engine.config.component_bytes_max)?;
        // Another may have loaded the same while this waited.
        if let Some(shared) = engine.loaded.get(&digest) {
            return Ok(Self { shared });
        }
        let began = Instant::now();
        let cached = engine.cache.as_ref().and_then(|cache| cache.read(&digest));
        // What this gateway has compiled it has validated before.
        let outside = match &cached {
            Some(_) => outside(bytes)?,
            None => admit(bytes)?,
        };
        let (code, from_cache) = match cached {
            Some(code) => (code, true),
            None => (compile(engine, &digest, bytes)?, false),
        };
        let mut code = Code { engine, digest: &digest, bytes, native: code, from_cache };
        let (pooled, on_demand) = code.ready(&outside.imports)?;
        let compile_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let from_cache = code.from_cache;
        let size = bytes.len();
        let owned = Arc::clone(engine);
        let shared = Shared { engine: owned, digest, outside, size, from_cache, compile_ms, pooled, on_demand };
        Ok(Self { shared: engine.loaded.keep(shared) })
    }

    /// SHA-256 of the bytes as they were uploaded.
    #[must_use]
    pub fn digest(&self) -> ComponentDigest {
        self.shared.digest
    }

    /// Full names of all interfaces that it imports, types left out: the true list of what it uses.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.shared.outside.imports
    }

    /// Its Thing Model, as parsed JSON.
    #[must_use]
    pub fn model_json(&self) -> &Json {
        &self.shared.outside.model
    }

    /// What it wants, in the order of its slots.
    #[must_use]
    pub fn wants(&self) -> &[Want] {
        &self.shared.outside.wants
    }

    /// Bytes as uploaded.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shared.size
    }

    /// Is nobody else using the compiled form?
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    /// Was the compiled form taken from the cache?
    #[must_use]
    pub fn from_cache(&self) -> bool {
        self.shared.from_cache
    }

    /// How long compiling it, or reading it from the cache, took.
    #[must_use]
    pub fn compile_ms(&self) -> u32 {
        self.shared.compile_ms
    }

    pub(crate) fn engine(&self) -> &Arc<EngineShared> {
        &self.shared.engine
    }

    /// The form whose instances take a place of the pool, when a memory of so many bytes fits one.
    pub(crate) fn pooled(&self, memory_bytes_max: usize) -> Option<&Ready> {
        let slot_bytes = self.shared.engine.config.memory_bytes_max;
        self.shared.pooled.as_ref().filter(|_| memory_bytes_max <= slot_bytes)
    }

    /// The form whose instances get memories of their own.
    pub(crate) fn on_demand(&self) -> Result<&Ready, HandlerError> {
        let shared = &*self.shared;
        if let Some(ready) = shared.on_demand.get() {
            return Ok(ready);
        }
        let pooled = shared.pooled.as_ref().ok_or_else(|| HandlerError::bad("it fits no engine"))?;
        let native = pooled
            .instance_pre()
            .component()
            .serialize()
            .map_err(|error| HandlerError::host("compiled code", error))?;
        let component = deserialize(&shared.engine.engines.on_demand, &native)?;
        let ready = prepare(&component, &shared.outside.imports)?;
        Ok(shared.on_demand.get_or_init(|| ready))
    }
}

fn compile(engine: &EngineShared, digest: &ComponentDigest, bytes: &[u8]) -> Result<Vec<u8>, HandlerError> {
    let compiled = engine.engines.on_demand.precompile_component(bytes);
    let code = compiled.map_err(|error| HandlerError::bad(format!("it does not compile: {error:#}")))?;
    if let Some(cache) = &engine.cache {
        cache.write(digest, &code);
    }
    Ok(code)
}

/// Native code that this process compiled, or that the cache vouches for.
struct Code<'a> {
    engine: &'a EngineShared,
    digest: &'a ComponentDigest,
    bytes: &'a [u8],
    native: Vec<u8>,
    from_cache: bool,
}

impl Code<'_> {
    fn ready(&mut self, imports: &[String]) -> Result<(Option<Ready>, OnceLock<Ready>), HandlerError> {
        let engines = &self.engine.engines;
        // A component whose first memory is larger than a slot is refused by the pool alone.
        if let Ok(component) = deserialize(&engines.pooled, &self.native) {
            return Ok((Some(prepare(&component, imports)?), OnceLock::new()));
        }
        let component = match deserialize(&engines.on_demand, &self.native) {
            Ok(component) => component,
            Err(_) if self.from_cache => {
                if let Some(cache) = &self.engine.cache {
                    cache.remove(self.digest);
                }
                self.native = compile(self.engine, self.digest, self.bytes)?;
                self.from_cache = false;
                return self.ready(imports);
            }
            Err(error) => return Err(error),
        };
        Ok((None, OnceLock::from(prepare(&component, imports)?)))
    }
}

fn deserialize(engine: &Engine, native: &[u8]) -> Result<Component, HandlerError> {
    // SAFETY: `native` comes from `Engine::precompile_component` or `Component::serialize` of this process, or from the cache,
    // which has verified these very bytes with a key that only the gateway has. Uploaded native code is refused at admission.
    #[expect(unsafe_code, reason = "native code runs as it is; its origin is proved, see SAFETY")]
    let component = unsafe { Component::deserialize(engine, native) };
    component.map_err(|error| HandlerError::host("compiled code", error))
}

/// Links what the component imports, and nothing else; checks the types of both sides.
fn prepare(component: &Component, imports: &[String]) -> Result<Ready, HandlerError> {
    let mut linker = Linker::new(component.engine());
    link(&mut linker, imports).map_err(|error| HandlerError::host("the contract's own functions", error))?;
    let linked = linker.instantiate_pre(component);
    let linked =
        linked.map_err(|error| HandlerError::bad(format!("its imports are not those of the contract: {error:#}")))?;
    ThingHandlerPre::new(linked).map_err(|error| HandlerError::MissingExport { name: format!("{error:#}") })
}
