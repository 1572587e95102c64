//! Placeholder until the binding lands.
use std::sync::Arc;
use tokio::net::TcpListener;
use crate::servient::Servient;
pub(crate) fn router(_servient: Arc<Servient>) -> axum::Router { axum::Router::new() }
pub(crate) async fn serve(_l: TcpListener, _r: axum::Router, until: impl Future<Output=()>, _limits: crate::config::Limits) -> std::io::Result<()> { until.await; Ok(()) }
