//! Tests of the whole: what a person, a program or a broken handler sees of a running gateway, and the house rules.
//!
//! One file per subject. Every test starts its own gateway on port 0 and ends it; none knows another.

mod access;
mod actions;
mod actuators;
mod bad_input;
mod canary;
mod cli;
mod configure;
mod crash;
mod descriptions;
mod disk_full;
mod folder;
mod fuzz;
mod hostile;
mod limits;
mod mqtt;
mod mqtt_clients;
mod new_handler;
mod node_wot;
mod observe;
mod replace;
mod rest;
mod restart;
mod sensors;
mod tidy;
