//! The HTTP binding: routes, layers and the connection loop over the one path through `ExposedThing`.
//!
//! The routes are the other half of the forms in `td`: consumers find them there only. Invariant: every error
//! is a problem document, every `GET` has its `HEAD`, every resource says what it offers. Nothing here knows behaviors.

mod actions;
mod body;
pub(crate) mod caller;
mod cookie;
mod credentials;
mod door;
mod edge;
mod events;
mod gate;
mod host;
mod longpoll;
mod methods;
mod negotiate;
mod observe;
mod outflow;
mod page;
pub(crate) mod problem;
mod properties;
mod serve;
mod session;
mod sse;
mod stall;
mod stamp;
pub(crate) mod status;
mod target;
#[cfg(test)]
mod tests;
mod things;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::any;
use tower::ServiceBuilder;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;

pub use serve::serve;
pub(crate) use serve::serve_in;

use crate::config::Config;
use crate::servient::Servient;
use crate::td::cache::TdCache;
use body::{BodyLimits, LargeBodies};
use door::Door;
use edge::EdgeLayer;
use gate::Gate;
use host::Hosts;
use problem::{Kind, Problem};

/// How long a component may take to arrive, over a slow link.
const COMPONENT_TIMEOUT: Duration = Duration::from_secs(120);

/// What all routes share.
#[derive(Debug)]
pub(crate) struct Http {
    servient: Arc<Servient>,
    descriptions: TdCache,
    large_bodies: LargeBodies,
}

impl Http {
    fn body_limits(&self) -> BodyLimits {
        let limits = self.servient.config().limits;
        BodyLimits { bytes_max: limits.body_bytes_max, within: limits.body_timeout, large: self.large_bodies.clone() }
    }

    fn component_limits(&self) -> BodyLimits {
        BodyLimits {
            bytes_max: self.servient.config().limits.component_bytes_max,
            within: COMPONENT_TIMEOUT,
            large: self.large_bodies.clone(),
        }
    }
}

type Shared = Arc<Http>;

/// The whole binding, ready for [`serve`].
pub fn router(servient: Arc<Servient>) -> Router {
    let limits = servient.config().limits;
    let large_bodies = LargeBodies::new(limits.component_bytes_max.max(limits.body_bytes_max));
    let http = Arc::new(Http { servient, descriptions: TdCache::default(), large_bodies });
    let answered = Router::new()
        .route("/", any(page::page))
        .route("/ui", any(page::page))
        .route("/ui/{file}", any(page::file))
        .route(session::PATH, any(session::session))
        .route(crate::td::DIRECTORY, any(things::directory))
        .route("/things", any(things::listing));
    let routes = [THING, HANDLER_OF_THING].into_iter().fold(Routes { answered, ..Routes::default() }, Routes::below);
    let answered = routes.answered.with_state(Arc::clone(&http));
    let waiting = routes.invoked.merge(routes.awaited).with_state(Arc::clone(&http));
    layered(answered, waiting, http.servient.config(), Door::of(&http.servient))
}

/// Path of a Thing; `thing` is its name or its id.
const THING: &str = "/things/{thing}";
/// Path of the Thing of a handler. The parameter's other name is what tells [`target`] so.
const HANDLER_OF_THING: &str = "/things/{controlled}/handler";

/// Routes by how long they may take.
#[derive(Default)]
struct Routes {
    /// At once, under the time-out.
    answered: Router<Shared>,
    /// As long as the Thing's own budgets allow.
    invoked: Router<Shared>,
    /// Until there is news.
    awaited: Router<Shared>,
}

impl Routes {
    /// Adds the tree of one Thing: the same for a Thing and for the Thing of its handler.
    fn below(self, base: &str) -> Self {
        let at = |path: &str| format!("{base}{path}");
        Self {
            answered: self
                .answered
                .route(base, any(things::description))
                .route(&at("/model"), any(things::model))
                .route(&at("/properties"), any(properties::all))
                .route(&at("/properties/{name}"), any(properties::one))
                .route(&at("/actions"), any(actions::all))
                .route(&at("/actions/{name}/{id}"), any(actions::invocation))
                .route(&at("/events"), any(events::all))
                .route(&at("/events/{name}"), any(events::one)),
            invoked: self.invoked.route(&at("/actions/{name}"), any(actions::one)),
            awaited: self
                .awaited
                .route(&at("/properties/{name}/longpoll"), any(longpoll::property))
                .route(&at("/events/{name}/longpoll"), any(longpoll::event)),
        }
    }
}

/// Puts `answered` behind all layers and `waiting` behind all but the time-out.
///
/// Public so that a bench can put a constant behind the same layers; they are those of a gateway without a token.
pub fn behind_layers(answered: Router, waiting: Router, config: &Config) -> Router {
    layered(answered, waiting, config, Door::default())
}

fn layered(answered: Router, waiting: Router, config: &Config, door: Door) -> Router {
    let in_time = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, config.limits.request_timeout);
    let hosts = Arc::new(Hosts::new(config, host::machine_name().as_deref()));
    // Outermost first.
    let all = ServiceBuilder::new()
        .layer(EdgeLayer)
        .layer(Gate::Head(hosts))
        .layer(cross_origin(config))
        .layer(Gate::Access(Arc::new(door)));
    answered.layer(in_time).merge(waiting).fallback(nothing_here).layer(all)
}

/// A page of another origin may read nothing (there is no CORS) and may not write either.
fn cross_origin(
    config: &Config,
) -> CsrfLayer<impl Fn(tower_http::csrf::ProtectionError) -> axum::response::Response + Clone + use<>> {
    let layer = CsrfLayer::new();
    let layer = match config.base_url.as_deref().map(|base| CsrfLayer::new().add_trusted_origin(base)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(error)) => {
            tracing::warn!(%error, "pages of the base URL are treated as another origin's");
            layer
        }
        None => layer,
    };
    layer.with_rejection_response(|_| {
        Problem::new(Kind::CROSS_ORIGIN, "the request was made by a page of another origin").into_response()
    })
}

async fn nothing_here() -> Problem {
    Problem::new(Kind::NOT_FOUND, "no resource has this path; the Thing Descriptions name all that there are")
}
