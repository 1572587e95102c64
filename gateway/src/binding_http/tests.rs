//! The whole router, by `oneshot` and over real sockets, with native Things behind it.

mod access;
mod bed;
mod connections;
mod crowds;
mod descriptions;
mod interactions;
mod refusals;
mod routes;
mod sessions;
mod streams;
