//! The program and what it leaves, as a person or another program meets them. One binary: each further one would link
//! all of isacopt again.

mod command;
mod synthetic;

mod bad_input;
mod browser;
mod cases;
mod documentation;
mod figure_configs;
mod figures;
mod fit;
mod interchange;
mod plugin_libraries;
mod plugins;
mod report;
mod runs;
mod scale;
mod store;
